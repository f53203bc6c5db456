// The way back from the small languages of syntax.h to their text.

#include <fmt/format.h>

#include "controlplane/policy/protocol_name.h"
#include "controlplane/policy/syntax.h"

namespace meiguan::policy {
namespace {

std::string protocol_text(const PortMatch& match) {
  if (match.any_protocol) return "any";
  const auto name = protocol_name(match.protocol);
  return name.empty() ? fmt::format("proto-{}", match.protocol) : std::string{name};
}

std::string range_text(const PortMatch& match) {
  return match.first == match.last ? fmt::format("{}", match.first)
                                   : fmt::format("{}-{}", match.first, match.last);
}

}  // namespace

std::string ports_text(const PortMatch& match) {
  auto protocol = protocol_text(match);
  if (match.any_protocol || match.whole) return protocol;
  return has_ports(match.protocol) ? range_text(match) + "/" + protocol
                                   : protocol + "/" + range_text(match);
}

std::string endpoint_text(const Endpoint& endpoint) {
  const bool is_v6 = endpoint.prefix.family() == net::Family::kIpv6;
  const auto address = net::to_string(endpoint.prefix.address());
  auto text = is_v6 ? "[" + address + "]" : address;
  if (endpoint.prefix.length() != net::address_bits(endpoint.prefix.family())) {
    text += fmt::format("/{}", endpoint.prefix.length());
  }
  if (!endpoint.match.any_protocol && !endpoint.match.whole) {
    text += ":" + range_text(endpoint.match);
  }
  return text + "/" + protocol_text(endpoint.match);
}

}  // namespace meiguan::policy
