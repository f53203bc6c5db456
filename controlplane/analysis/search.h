#pragma once

// Where in a policy an address, a port or a name occurs: `meiguan policy grep`.

#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "controlplane/policy/model.h"
#include "controlplane/policy/syntax.h"

namespace meiguan::analysis {

// How what the policy says stands to what was looked for.
enum class Relation : std::uint8_t { kEquals, kContains, kInside, kOverlaps, kNamed };
[[nodiscard]] std::string_view relation_name(Relation relation);  // "equals"

struct PortRange {
  std::optional<std::uint8_t> protocol;  // none: any that has ports
  std::uint16_t first{0};
  std::uint16_t last{65535};
  bool whole{false};  // the protocol itself, whatever its ports
};

// What is looked for: an address or a prefix with or without ports, a MAC address, ports, or text.
// Ports and MAC addresses are looked for as text as well: a label may be called `443`.
struct Pattern {
  std::optional<net::Prefix> prefix;
  std::optional<PortRange> ports;
  std::optional<net::MacAddress> mac;
  std::string text;  // lower case; empty where there are addresses
};

// `10.65.64.37`, `10.65.64.0/24`, `[2001:db8::1]:443/tcp` and other endpoints, `443`, `8000-8100`,
// `443/tcp`, `icmp/8`, `tcp`, `52:54:00:21:01:37`; anything else is text. Errors: an empty pattern,
// one of more than 256 bytes, and what begins as a prefix or an endpoint and is none.
[[nodiscard]] policy::Parsed<Pattern> parse_pattern(std::string_view text);

struct Reason {
  Relation relation{};
  std::string key;   // of the policy's language: "prefixes", "from", "id"
  std::string what;  // as the policy says it: "10.65.64.32/27", "unit:czj-360121"
};

struct Match {
  policy::Place place;
  std::string_view kind;  // "unit"
  std::string id;         // of rules the full name; of terminals their first address
  std::string name;
  std::vector<Reason> reasons;  // one at least
};

// Every object of the policy that the pattern hits, by file, line and column. Text hits names, ids,
// labels, the notes of rules, and selectors wherever they are written, case of ASCII letters aside.
[[nodiscard]] std::vector<Match> search(const policy::CheckedPolicy& policy,
                                        const Pattern& pattern);

}  // namespace meiguan::analysis
