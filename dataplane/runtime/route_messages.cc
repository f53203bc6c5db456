#include "dataplane/runtime/route_messages.h"

#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <string_view>
#include <type_traits>

namespace meiguan::runtime {
namespace {

using net::Address;
using net::Family;
using Bytes = std::span<const std::byte>;

constexpr std::size_t aligned(std::size_t bytes) noexcept { return (bytes + 3) & ~std::size_t{3}; }

template <typename T>
requires std::is_trivially_copyable_v<T> std::optional<T> read(Bytes bytes) {
  T value;
  if (bytes.size() < sizeof value) return std::nullopt;
  std::memcpy(&value, bytes.data(), sizeof value);
  return value;
}

Bytes behind(Bytes bytes, std::size_t length) {
  return bytes.subspan(std::min(bytes.size(), aligned(length)));
}

struct Attribute {
  std::uint16_t type{0};
  Bytes value;
};

// Shows each attribute to `visit`; false where they do not fill `bytes` as they say.
template <typename Visit>
bool each_attribute(Bytes bytes, Visit&& visit) {
  while (!bytes.empty()) {
    const auto head = read<rtattr>(bytes);
    if (!head || head->rta_len < sizeof *head || head->rta_len > bytes.size()) return false;
    visit(Attribute{static_cast<std::uint16_t>(head->rta_type & NLA_TYPE_MASK),
                    bytes.subspan(sizeof *head, head->rta_len - sizeof *head)});
    bytes = behind(bytes, head->rta_len);
  }
  return true;
}

std::optional<Family> family_of(unsigned family) noexcept {
  if (family == AF_INET) return Family::kIpv4;
  if (family == AF_INET6) return Family::kIpv6;
  return std::nullopt;
}

std::optional<Address> read_address(Bytes bytes, Family family) {
  if (bytes.size() != net::address_bits(family) / 8U) return std::nullopt;
  const auto* const wire = reinterpret_cast<const std::uint8_t*>(bytes.data());
  const Address address = family == Family::kIpv4 ? Address::v4_wire(wire) : Address::v6_wire(wire);
  // An IPv6 address that reads as an IPv4 one is never looked up.
  return address.family() == family ? std::optional{address} : std::nullopt;
}

bool is_alive(unsigned flags) noexcept { return (flags & (RTNH_F_DEAD | RTNH_F_LINKDOWN)) == 0; }

// What a message says, attribute by attribute.
struct Said {
  bool malformed{false};
  bool unsupported{false};
  std::optional<Address> destination;
  std::uint32_t table{0};
  std::uint32_t metric{0};
  KernelHop hop;  // of a route with one
  bool by_object{false};
  std::vector<KernelHop> hops;

  void number(Bytes value, std::uint32_t& into) {
    if (const auto given = read<std::uint32_t>(value)) {
      into = *given;
    } else {
      malformed = true;
    }
  }
  void address(Bytes value, Family family, std::optional<Address>& into) {
    into = read_address(value, family);
    if (!into) malformed = true;
  }
};

void read_hops(Bytes bytes, Family family, Said& said) {
  while (!bytes.empty()) {
    const auto head = read<rtnexthop>(bytes);
    if (!head || head->rtnh_len < sizeof *head || head->rtnh_len > bytes.size()) {
      said.malformed = true;
      return;
    }
    KernelHop hop{static_cast<std::uint32_t>(head->rtnh_ifindex), std::nullopt};
    const Bytes inside = bytes.subspan(sizeof *head, head->rtnh_len - sizeof *head);
    const bool whole = each_attribute(inside, [&](const Attribute& attribute) {
      switch (attribute.type) {
        case RTA_GATEWAY: said.address(attribute.value, family, hop.via); break;
        case RTA_VIA:
        case RTA_ENCAP: said.unsupported = true; break;
        default: break;
      }
    });
    if (!whole) said.malformed = true;
    if (is_alive(head->rtnh_flags)) said.hops.push_back(hop);
    bytes = behind(bytes, head->rtnh_len);
  }
}

void read_attribute(const Attribute& attribute, Family family, Said& said) {
  switch (attribute.type) {
    case RTA_DST: said.address(attribute.value, family, said.destination); break;
    case RTA_TABLE: said.number(attribute.value, said.table); break;
    case RTA_PRIORITY: said.number(attribute.value, said.metric); break;
    case RTA_OIF: said.number(attribute.value, said.hop.interface); break;
    case RTA_GATEWAY: said.address(attribute.value, family, said.hop.via); break;
    case RTA_MULTIPATH: read_hops(attribute.value, family, said); break;
    case RTA_NH_ID: said.by_object = true; break;
    case RTA_VIA:
    case RTA_ENCAP:
    case RTA_SRC: said.unsupported = true; break;
    default: break;
  }
}

bool is_of_concern(const rtmsg& head) noexcept {
  switch (head.rtm_protocol) {
    case RTPROT_KERNEL:
    case RTPROT_REDIRECT:
    case RTPROT_RA: return false;
    default: break;
  }
  return head.rtm_type == RTN_UNICAST && (head.rtm_flags & RTM_F_CLONED) == 0;
}

}  // namespace

std::optional<KernelMessage> take_message(Bytes& bytes) {
  const auto header = read<nlmsghdr>(bytes);
  if (!header || header->nlmsg_len < sizeof *header || header->nlmsg_len > bytes.size()) {
    return std::nullopt;
  }
  KernelMessage message{*header, bytes.subspan(sizeof *header, header->nlmsg_len - sizeof *header)};
  bytes = behind(bytes, header->nlmsg_len);
  return message;
}

RouteReading read_route(Bytes body, KernelRoute& route) {
  const auto head = read<rtmsg>(body);
  if (!head) return RouteReading::kMalformed;
  const auto family = family_of(head->rtm_family);
  if (!family || !is_of_concern(*head)) return RouteReading::kPassed;
  if (head->rtm_dst_len > net::address_bits(*family)) return RouteReading::kMalformed;

  Said said;
  said.table = head->rtm_table;
  said.unsupported = head->rtm_tos != 0 || head->rtm_src_len != 0;
  const bool whole = each_attribute(behind(body, sizeof *head), [&](const Attribute& attribute) {
    read_attribute(attribute, *family, said);
  });
  if (!whole || said.malformed) return RouteReading::kMalformed;
  if (!said.destination && head->rtm_dst_len != 0) return RouteReading::kMalformed;
  if (said.unsupported) return RouteReading::kUnsupported;
  if (said.hops.empty() && said.hop.interface != 0 && is_alive(head->rtm_flags)) {
    said.hops.push_back(said.hop);
  }
  if (said.hops.empty()) {
    // An object with its hops would have been spelled out; a route whose hops are dead says so.
    return said.by_object && is_alive(head->rtm_flags) && said.hop.interface == 0
               ? RouteReading::kUnsupported
               : RouteReading::kPassed;
  }
  const Address any = *family == Family::kIpv4 ? Address::v4(0) : Address{};
  const auto prefix = net::Prefix::make(said.destination.value_or(any), head->rtm_dst_len);
  if (!prefix) return RouteReading::kMalformed;
  route = {*prefix, said.table, said.metric, std::move(said.hops)};
  return RouteReading::kRoute;
}

std::optional<KernelLink> read_link(Bytes body) {
  const auto head = read<ifinfomsg>(body);
  if (!head || head->ifi_index <= 0) return std::nullopt;
  KernelLink link;
  link.index = static_cast<std::uint32_t>(head->ifi_index);
  bool good = true;
  const auto read_number = [&](Bytes value, std::uint32_t& into) {
    const auto given = read<std::uint32_t>(value);
    good = good && given.has_value();
    into = given.value_or(0);
  };
  const auto text_of = [](Bytes value) {
    const auto* const text = reinterpret_cast<const char*>(value.data());
    return std::string_view{text, value.empty() ? 0 : ::strnlen(text, value.size())};
  };
  const bool whole = each_attribute(behind(body, sizeof *head), [&](const Attribute& attribute) {
    if (attribute.type == IFLA_IFNAME) link.name = text_of(attribute.value);
    if (attribute.type == IFLA_MASTER) read_number(attribute.value, link.master);
    if (attribute.type != IFLA_LINKINFO) return;
    bool is_vrf = false;
    Bytes data;
    good = each_attribute(attribute.value,
                          [&](const Attribute& inner) {
                            if (inner.type == IFLA_INFO_KIND)
                              is_vrf = text_of(inner.value) == "vrf";
                            if (inner.type == IFLA_INFO_DATA) data = inner.value;
                          }) &&
           good;
    if (!is_vrf) return;
    good = each_attribute(data,
                          [&](const Attribute& inner) {
                            if (inner.type == IFLA_VRF_TABLE)
                              read_number(inner.value, link.vrf_table);
                          }) &&
           good;
  });
  return whole && good ? std::optional{link} : std::nullopt;
}

}  // namespace meiguan::runtime
