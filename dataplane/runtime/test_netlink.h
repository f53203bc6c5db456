#pragma once

// rtnetlink messages put together by hand, for tests.

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string_view>
#include <type_traits>
#include <vector>

#include "dataplane/net/address.h"

namespace meiguan::runtime::test {

using Message = std::vector<std::byte>;

inline Message operator+(Message left, const Message& right) {
  left.insert(left.end(), right.begin(), right.end());
  return left;
}

template <typename T>
requires std::is_trivially_copyable_v<T> Message bytes_of(const T& value) {
  Message bytes(sizeof value);
  std::memcpy(bytes.data(), &value, sizeof value);
  return bytes;
}

inline Message padded(Message bytes) {
  bytes.resize((bytes.size() + 3) & ~std::size_t{3});
  return bytes;
}

inline Message number(std::uint32_t value) { return bytes_of(value); }

inline Message raw_attribute(unsigned type, std::size_t length, const Message& value) {
  return padded(
      bytes_of(rtattr{static_cast<std::uint16_t>(length), static_cast<std::uint16_t>(type)}) +
      value);
}

inline Message attribute(unsigned type, const Message& value) {
  return raw_attribute(type, sizeof(rtattr) + value.size(), value);
}

inline Message text(unsigned type, std::string_view words) {
  Message value(words.size() + 1);
  std::memcpy(value.data(), words.data(), words.size());
  return attribute(type, value);
}

inline Message wire(const net::Address& address) {
  const auto bytes = std::as_bytes(
      std::span{address.wire(), net::address_bits(address.family()) / std::size_t{8}});
  return {bytes.begin(), bytes.end()};
}

inline Message oif(std::uint32_t interface) { return attribute(RTA_OIF, number(interface)); }

inline Message gateway(std::string_view address) {
  return attribute(RTA_GATEWAY, wire(*net::parse_address(address)));
}

// ::ffff:a.b.c.d as it would stand on an IPv6 wire.
inline std::array<std::uint8_t, 16> v4_in_v6(std::string_view address) {
  return net::parse_address(address)->bytes();
}

inline Message hop(int interface, unsigned flags, const Message& attributes,
                   std::optional<std::size_t> length = {}) {
  rtnexthop head{};
  head.rtnh_len = static_cast<std::uint16_t>(length.value_or(sizeof head + attributes.size()));
  head.rtnh_flags = static_cast<std::uint8_t>(flags);
  head.rtnh_ifindex = interface;
  return bytes_of(head) + attributes;
}

struct RouteHead {
  std::optional<unsigned> family{};
  std::optional<unsigned> length{};
  unsigned tos{0};
  unsigned protocol{RTPROT_ZEBRA};
  unsigned type{RTN_UNICAST};
  unsigned flags{0};
};

inline Message route_message(std::string_view to, const RouteHead& o = {}) {
  const auto slash = to.find('/');
  const net::Address address = *net::parse_address(to.substr(0, slash));
  const bool v4 = address.family() == net::Family::kIpv4;
  unsigned length = 0;
  for (const char digit : to.substr(slash + 1))
    length = length * 10 + static_cast<unsigned>(digit - '0');
  rtmsg head{};
  head.rtm_family = static_cast<std::uint8_t>(o.family.value_or(v4 ? AF_INET : AF_INET6));
  head.rtm_dst_len = static_cast<std::uint8_t>(o.length.value_or(length));
  head.rtm_tos = static_cast<std::uint8_t>(o.tos);
  head.rtm_table = RT_TABLE_MAIN;
  head.rtm_protocol = static_cast<std::uint8_t>(o.protocol);
  head.rtm_type = static_cast<std::uint8_t>(o.type);
  head.rtm_flags = o.flags;
  return bytes_of(head) + (length == 0 ? Message{} : attribute(RTA_DST, wire(address)));
}

inline Message link_message(int index) {
  ifinfomsg head{};
  head.ifi_index = index;
  return bytes_of(head);
}

inline Message message(unsigned type, const Message& body, std::optional<std::uint32_t> length = {},
                       std::uint32_t sequence = 0) {
  nlmsghdr head{};
  head.nlmsg_len = length.value_or(static_cast<std::uint32_t>(sizeof head + body.size()));
  head.nlmsg_type = static_cast<std::uint16_t>(type);
  head.nlmsg_seq = sequence;
  return padded(bytes_of(head) + body);
}

}  // namespace meiguan::runtime::test
