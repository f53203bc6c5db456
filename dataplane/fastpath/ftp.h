#pragma once

// The control connection of FTP as the gateway reads it (RFC 959, RFC 1123 section 4.1.2, RFC
// 2428): only lines that say where a data connection will go, and only at a line's start. Nothing
// here opens anything.
//
//   initiator   PORT h,h,h,h,p,p   EPRT |f|address|port|       "connect to me there"
//               PASV               EPSV                        "where may I connect to?"
//   responder   227 text (h,h,h,h,p,p)   229 text (|||port|)   "there", if it was asked

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "dataplane/net/address.h"

namespace meiguan::fastpath::ftp {

// A longer line is none of these.
inline constexpr std::size_t kMostLine = 128;

enum class Says : std::uint8_t {
  kNothing,
  kAsks,       // PASV, EPSV
  kAnnounces,  // where a data connection may go
  kAnswers,    // the last line of a reply that announces nothing
  kInvalid,    // one of the lines above, badly written
};

// How an end is written.
enum class Form : std::uint8_t { kCommas, kBars, kBarsPortOnly };

struct Line {
  Says says{Says::kNothing};
  Form form{Form::kCommas};
  char bar{'|'};         // RFC 2428 section 2: any printable character
  net::Address address;  // of kCommas and kBars
  std::uint16_t port{0};
  std::uint8_t first{0};  // the end's text is [first, last) of the line
  std::uint8_t last{0};
};

// A line without what ends it, of an IPv4 or IPv6 connection: the initiator's, the responder's.
[[nodiscard]] Line read_command(std::string_view line, net::Family family) noexcept;
[[nodiscard]] Line read_reply(std::string_view line, net::Family family) noexcept;

// Room for any end.
using EndText = std::array<char, 64>;
// Writes an end as a line has it; how many characters.
[[nodiscard]] std::size_t write_end(const Line& like, const net::Address& address,
                                    std::uint16_t port, EndText& text) noexcept;

// One side's bytes, cut into lines: what has come of a line that is not whole.
struct Side {
  std::array<char, kMostLine> begun{};
  std::uint8_t length{0};
  bool passes_over{false};  // the line is too long to be one of ours
};

}  // namespace meiguan::fastpath::ftp
