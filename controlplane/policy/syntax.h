#pragma once

// The small languages inside the strings of a policy: ids, prefixes, endpoints, ports, selectors.

#include <cstdint>
#include <expected>
#include <optional>
#include <string_view>

#include "controlplane/policy/model.h"
#include "dataplane/base/text.h"

namespace meiguan::policy {

// What is wrong with a piece of text.
struct Complaint {
  Text message;
  Text hint;
};

template <typename T>
using Parsed = std::expected<T, Complaint>;

// [0-9A-Za-z-]{1,32}
[[nodiscard]] std::optional<Complaint> check_code(std::string_view text);
// [a-z0-9-]{1,64}; the ids of every kind of object.
[[nodiscard]] std::optional<Complaint> check_id(std::string_view text);
// Any text of 1 to 64 characters without control characters.
[[nodiscard]] std::optional<Complaint> check_label(std::string_view text);

// A decimal number without sign or leading zeros, at most `largest`.
[[nodiscard]] std::optional<std::uint32_t> parse_number(std::string_view text,
                                                        std::uint32_t largest);

[[nodiscard]] Parsed<Tier> parse_tier(std::string_view text);
[[nodiscard]] std::string_view tier_name(Tier tier);

[[nodiscard]] Parsed<net::Address> parse_one_address(std::string_view text);
// ADDRESS/LENGTH without host bits.
[[nodiscard]] Parsed<net::Prefix> parse_prefix(std::string_view text);
// The same with or without host bits: an address and the length of the subnet that it is in.
[[nodiscard]] Parsed<InterfaceAddress> parse_interface_address(std::string_view text);
// A unicast MAC address.
[[nodiscard]] Parsed<net::MacAddress> parse_station_mac(std::string_view text);

// `443/tcp`, `8000-8100/udp`, `tcp`, `icmp/8`, `proto-47`, `any`
[[nodiscard]] Parsed<PortMatch> parse_ports(std::string_view text);
// ADDRESS[/LENGTH][:PORT[-PORT]]/PROTOCOL, an IPv6 address in brackets
[[nodiscard]] Parsed<Endpoint> parse_endpoint(std::string_view text);

// As parse_ports and parse_endpoint read them.
[[nodiscard]] std::string ports_text(const PortMatch& match);
[[nodiscard]] std::string endpoint_text(const Endpoint& endpoint);

// The name that it holds stays in `text`, unresolved; of `net:PREFIX@ZONE` the zone's.
[[nodiscard]] Parsed<Selector> parse_selector(std::string_view text);

}  // namespace meiguan::policy
