#pragma once

// A message of SIP as the gateway reads it, one of them a datagram (RFC 3261 section 18), with the
// description of a session in it (RFC 4566, RFC 8866): where it says who talks by which address,
// and where media are wanted (RFC 3264). Nothing here opens anything.
//
//   INVITE sip:budget@59.205.16.10 SIP/2.0          ends: where an address of the flow may stand
//   Via: SIP/2.0/UDP 10.64.37.9:5060;branch=..
//   Contact: <sip:hall@10.64.37.9:5060>
//   Content-Length: 142                             length
//
//   c=IN IP4 10.64.37.9                             addresses
//   m=audio 49170 RTP/AVP 0                         media: its port, and the one of RTCP behind it
//   a=rtcp:53020                                    or here (RFC 3605)
//
// Strict where two readers could differ: a folded line, a bare CR or LF in the header, a header
// that must be there once and is not, and a length that is not the datagram's are no message.

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "dataplane/net/address.h"

namespace meiguan::fastpath::sip {

inline constexpr std::size_t kMostMessage = 8192;
inline constexpr std::size_t kMostEnds = 32;
inline constexpr std::size_t kMostMedia = 8;
inline constexpr unsigned kMostLines = 64;    // m= lines of any kind
inline constexpr std::uint16_t kPort = 5060;  // where none is written (RFC 3261 section 19.1.2)

// [first, last) of the message; empty where it says no such thing.
struct Part {
  std::uint16_t first{0};
  std::uint16_t last{0};

  [[nodiscard]] bool empty() const noexcept { return first == last; }
};

// An address with or without a port in a header, both of the flow's family.
struct End {
  Part host;
  Part port;
  net::Address address;
  std::uint16_t number{0};  // the port; 0: none is written
  bool seen{false};         // "received" and "rport" of a Via, for which there is no usual port
};

// An address in the session's description.
struct Host {
  Part at;
  net::Address address;
};

enum class Where : std::uint8_t {
  kUnsaid,
  kHere,     // at an address of the flow's family
  kNowhere,  // at 0.0.0.0 or ::, on hold (RFC 2543 section B.5)
  kForeign,  // a name, a group, another family
};

// Audio or video over RTP that is wanted somewhere.
struct Media {
  Where where{Where::kUnsaid};
  net::Address address;
  Where rtcp_where{Where::kUnsaid};  // where a=rtcp has an address of its own
  net::Address rtcp_address;
  std::uint16_t port{0};
  std::uint16_t rtcp{0};  // 0: there is none
  Part port_at;
  Part rtcp_at;           // empty: it is the port behind the other
  std::uint16_t end{0};   // of its lines
  std::uint64_t line{0};  // its m= line, as a bit
};

enum class Method : std::uint8_t { kOther, kInvite, kUpdate, kBye };

struct Message {
  std::uint16_t status{0};  // 0: a request
  Method method{Method::kOther};
  std::uint64_t call{0};      // a hash of its Call-ID
  std::uint32_t sequence{0};  // number of CSeq: an answer has that of its request
  Part length;                // the digits of Content-Length
  std::uint16_t body{0};
  bool describes{false};  // it has a session's description
  std::size_t ends_count{0};
  std::size_t hosts_count{0};
  std::size_t media_count{0};
  std::array<End, kMostEnds> ends;
  std::array<Host, kMostMedia * 2 + 2> hosts;
  std::array<Media, kMostMedia> media;
};

enum class Says : std::uint8_t {
  kNothing,  // line ends alone, which keep a translation alive (RFC 5626 section 3.5.1)
  kMessage,
  kInvalid,
};

[[nodiscard]] Says read(std::string_view text, net::Family family, Message& message) noexcept;

// The description in `text` from `message.body` on; false where it is badly written.
[[nodiscard]] bool read_description(std::string_view text, net::Family family,
                                    Message& message) noexcept;

// A plain address of that family, without brackets.
[[nodiscard]] bool read_address(std::string_view text, net::Family family,
                                net::Address& address) noexcept;
// Digits alone, at most `most`.
[[nodiscard]] bool read_digits(std::string_view text, std::uint32_t most,
                               std::uint32_t& value) noexcept;
// Cuts off and gives back what stands before `c`, or all.
[[nodiscard]] std::string_view cut(std::string_view& text, char c) noexcept;

}  // namespace meiguan::fastpath::sip
