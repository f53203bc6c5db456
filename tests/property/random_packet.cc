#include <fmt/format.h>

#include <array>
#include <tuple>

#include "tests/property/random_policy.h"

namespace meiguan::property {
namespace {

using net::Address;
using net::Family;

Address offset(const Address& address, int by) {
  auto bytes = address.bytes();
  bytes[15] = static_cast<std::uint8_t>(bytes[15] + by);
  return Address::v6(bytes);  // the mapped form of IPv4 too
}

Address in_world(Random& random, Family family) {
  if (family == Family::kIpv4) return Address::v4(0x0a000000U | (random() & 0xff));
  auto bytes = net::parse_address("2001:db8::")->bytes();
  bytes[15] = static_cast<std::uint8_t>(random());
  return Address::v6(bytes);
}

}  // namespace

Address random_address(Random& random, const policy::CheckedPolicy& policy, Family family) {
  if (chance(random, 40)) {
    std::vector<net::Prefix> prefixes;
    for (const auto& unit : policy.units) {
      prefixes.insert(prefixes.end(), unit.prefixes.begin(), unit.prefixes.end());
    }
    for (const auto& service : policy.services) {
      for (const auto& endpoint : service.endpoints) prefixes.push_back(endpoint.prefix);
    }
    std::erase_if(prefixes, [&](const net::Prefix& p) { return p.family() != family; });
    if (!prefixes.empty()) {
      const auto& prefix = prefixes[below(random, prefixes.size())];
      switch (below(random, 5)) {
        case 0: return prefix.address();
        case 1: return prefix.last();
        case 2: return offset(prefix.last(), 1);
        case 3: return offset(prefix.address(), -1);
        default: break;
      }
    }
  }
  if (chance(random, 5)) {
    return family == Family::kIpv4 ? Address::v4(0x08080808) : *net::parse_address("2400::8");
  }
  return in_world(random, family);
}

Packet random_packet(Random& random, const policy::CheckedPolicy& policy) {
  const auto family = chance(random, 75) ? Family::kIpv4 : Family::kIpv6;
  Packet packet;
  packet.source = random_address(random, policy, family);
  packet.destination = random_address(random, policy, family);
  constexpr std::array<std::uint16_t, 14> kPorts{1,   25,  53,   79,   80,   81,   442,
                                                 443, 444, 7999, 8000, 8005, 8010, 65535};
  const auto port = kPorts[below(random, kPorts.size())];
  switch (below(random, 8)) {
    case 0:
    case 1:
    case 2:
    case 3:
      packet.protocol = 6;
      packet.value = port;
      break;
    case 4:
      packet.protocol = 17;
      packet.value = port;
      break;
    case 5:
      packet.protocol = family == Family::kIpv4 ? 1 : 58;
      packet.value = family == Family::kIpv4 ? 8 : 128;
      break;
    case 6: packet.protocol = 47; break;
    default:
      packet.protocol = 132;
      packet.value = port;
      break;
  }
  return packet;
}

std::string random_gateway(Random& random, const policy::CheckedPolicy& policy) {
  std::string text = fmt::format("[gateway]\nnode = \"{}\"\n",
                                 policy.nodes[below(random, policy.nodes.size())].code);
  constexpr std::array<const char*, 3> kSpoof{"strict", "loose", "off"};
  std::size_t n = 0;
  std::string routes;
  std::string main_port;
  const auto add_port = [&](const policy::Zone& zone) {
    const auto transit = n * 8;
    const bool sub = !main_port.empty() && chance(random, 30);
    const auto name = sub ? fmt::format("{}.{}", main_port, 100 + n) : fmt::format("p{}", n);
    text += fmt::format("[[port]]\nname = \"{}\"\nzone = \"{}\"\n", name, zone.id);
    if (sub) {
      text += fmt::format("parent = \"{}\"\nvlan = {}\n", main_port, 100 + n);
    } else {
      main_port = name;
      text += fmt::format("device = \"af_packet:v{}\"\n", n);
    }
    std::string inside;
    if (chance(random, 40)) {
      inside = fmt::format(", \"10.0.0.{}/{}\"", 1 + below(random, 254), 26 + below(random, 5));
    }
    text += fmt::format(
        "addresses = [\"172.31.0.{}/29\", \"2001:db8:ff:{}::1/64\"{}]\nanti_spoof = \"{}\"\n",
        transit + 1, n, inside, kSpoof[chance(random, 50) ? 2 : below(random, 3)]);
    const std::size_t count = below(random, 4);
    const auto space = zone.space == kSharedSpace ? std::string{}
                                                  : fmt::format("space = \"{}\"\n", zone.id);
    for (std::size_t i = 0; i < count; ++i) {
      const auto length = static_cast<std::uint8_t>(22 + below(random, 9));
      const auto prefix = net::Prefix::around(in_world(random, Family::kIpv4), length);
      routes += fmt::format("[[route]]\nprefix = \"{}\"\nvia = \"172.31.0.{}\"\n{}",
                            net::to_string(prefix), transit + 2, space);
    }
    if (chance(random, 60)) {
      const auto length = static_cast<std::uint8_t>(118 + below(random, 8));
      const auto prefix = net::Prefix::around(in_world(random, Family::kIpv6), length);
      routes += fmt::format("[[route]]\nprefix = \"{}\"\nvia = \"2001:db8:ff:{}::2\"\n{}",
                            net::to_string(prefix), n, space);
    }
    if (chance(random, 40)) {
      routes += fmt::format("[[route]]\nprefix = \"{}\"\nvia = \"172.31.0.{}\"\n{}", "0.0.0.0/0",
                            transit + 2, space);
    }
    // A route of a private zone that leads out of its space.
    if (zone.space != kSharedSpace && n > 0 && chance(random, 40)) {
      routes += fmt::format("[[route]]\nprefix = \"10.0.0.0/{}\"\nport = \"p0\"\n{}",
                            24 + below(random, 2), space);
    }
    ++n;
  };
  for (const auto& zone : policy.zones) {
    if (chance(random, 85)) add_port(zone);
  }
  if (n == 0 || chance(random, 30)) add_port(policy.zones.front());
  return text + routes;
}

}  // namespace meiguan::property
