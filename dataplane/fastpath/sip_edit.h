#pragma once

// What is changed in a message of SIP, so that its receiver reads of the ends of the flow that it
// came by as it knows them itself. Nothing of it depends on the flow's state.

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "dataplane/fastpath/sip.h"

namespace meiguan::fastpath::sip {

// One end as the sender of the message knows it, and as the receiver does.
struct Translated {
  net::Address address;
  std::uint16_t port{0};
  net::Address to_address;
  std::uint16_t to_port{0};
};

class Edits {
 public:
  // False, here and below, where there is no more room.
  [[nodiscard]] bool put_number(Part where, std::uint16_t number) noexcept;
  [[nodiscard]] bool put_address(Part where, const net::Address& address) noexcept;
  // "a=rtcp:NUMBER" behind all other lines of a media.
  [[nodiscard]] bool add_rtcp(std::string_view message, const Media& media,
                              std::uint16_t number) noexcept;
  // Wherever a header names `end`, and the description its address.
  [[nodiscard]] bool translate(const Message& message, const Translated& end,
                               bool described) noexcept;

  [[nodiscard]] bool any() const noexcept { return count_ != 0; }
  // The message with all edits, and with a Content-Length that is right again; how long it is, 0
  // where `out` has no room. Once.
  [[nodiscard]] std::size_t write(std::string_view text, const Message& message,
                                  std::span<char> out) noexcept;

 private:
  struct Edit {
    Part where;
    std::uint8_t length{0};
    std::array<char, 48> text;
  };
  [[nodiscard]] Edit* add(Part where) noexcept;

  std::size_t count_{0};
  std::array<Edit, kMostEnds * 2 + kMostMedia * 4 + 4> edits_;
};

}  // namespace meiguan::fastpath::sip
