#pragma once

// What a policy says once every name is resolved and every check has passed.
//
//   files -> source.h (read, parse, places) -> resolve/check -> CheckedPolicy -> compile.h -> image
//
// Objects refer to one another by index into the vectors of CheckedPolicy; indices are those of
// one parse and mean nothing across parses (the catalog keeps the ids that last).

#include <array>
#include <compare>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dataplane/base/strong_id.h"
#include "dataplane/image/format.h"
#include "dataplane/image/isolation.h"
#include "dataplane/net/address.h"

namespace meiguan::policy {

using GroupId = StrongId<struct GroupTag>;
using ScheduleId = StrongId<struct ScheduleTag>;

// Where an object stands: the line of its `[[header]]`. `file` indexes CheckedPolicy::files.
struct Place {
  std::uint32_t file{0};
  std::uint32_t line{0};    // 1-based
  std::uint32_t column{0};  // 1-based, in characters
};

enum class Tier : std::uint8_t { kProvince, kPrefecture, kCounty, kTownship, kVillage };
using ZoneKind = image::ZoneKind;
enum class Admission : std::uint8_t { kOpen, kBound };
enum class Phase : std::uint8_t { kMandatory, kLocal, kBaseline };
enum class Action : std::uint8_t { kAllow, kDeny, kAudit };

struct Node {
  std::string code;
  std::string name;
  Tier tier{};
  NodeId parent;           // none for the root
  std::uint32_t depth{0};  // 0 for the root
  Place place;
};

struct Zone {
  std::string id;
  std::string name;
  ZoneKind kind{};
  SpaceId space{kSharedSpace};  // its own for a private zone
  bool drop_unregistered{false};
  Place place;
};

// Of a unit (as a source), a service or a rule; 0: no limit.
struct Limits {
  std::uint32_t flows{0};
  std::uint32_t new_per_second{0};
  std::uint32_t half_open{0};
  std::uint64_t bandwidth{0};  // bits of a second
  auto operator<=>(const Limits&) const = default;
};

// Seconds, in the order of image::TimeoutRecord; 0: not given, the default holds.
inline constexpr std::size_t kTimeouts = 7;
using Timeouts = std::array<std::uint32_t, kTimeouts>;
inline constexpr std::array<std::string_view, kTimeouts> kTimeoutKeys{
    "tcp", "tcp_transitory", "tcp_half_open", "udp", "udp_answered", "icmp", "other"};

using Helper = image::Helper;

struct Unit {
  std::string id;
  std::string name;
  NodeId node;
  ZoneId zone;
  std::vector<net::Prefix> prefixes;
  std::vector<std::string> labels;
  Admission admission{Admission::kOpen};
  Limits limits;
  Place place;
};

struct Terminal {
  UnitId unit;
  std::vector<net::Address> addresses;
  std::optional<net::MacAddress> mac;
  std::string name;
  Place place;
};

// A protocol with, where it has them, the values of its destination port (tcp, udp, sctp) or of
// its type (icmp, icmp6). `whole` says that no ports or type were written: it then also matches
// packets that have none.
struct PortMatch {
  bool any_protocol{false};
  std::uint8_t protocol{0};
  bool whole{true};
  std::uint16_t first{0};
  std::uint16_t last{65535};
  bool operator==(const PortMatch&) const = default;
};

enum class SelectorKind : std::uint8_t {
  kAny,
  kUnit,      // unit
  kNode,      // node: every unit at that node and below
  kTier,      // tier: every unit at nodes of that tier
  kLabel,     // text: units so labelled
  kGroup,     // group
  kZone,      // zone: by the port
  kNet,       // prefix in space
  kService,   // service
  kServices,  // text: services so labelled
};

struct Selector {
  SelectorKind kind{SelectorKind::kAny};
  UnitId unit;
  NodeId node;
  Tier tier{};
  std::string text;
  GroupId group;
  ZoneId zone;
  net::Prefix prefix;
  SpaceId space{kSharedSpace};
  ServiceId service;
  Place place;
};

struct Endpoint {
  net::Prefix prefix;
  PortMatch match;
};

struct Service {
  std::string id;
  std::string name;
  NodeId node;
  ZoneId zone;
  UnitId owner;  // information only; none where not given
  std::vector<Endpoint> endpoints;
  std::vector<std::string> labels;
  bool publish{false};
  std::vector<Selector> offered_to;  // units of nodes below that may be granted it; empty: none
  Limits limits;
  Timeouts timeouts{};
  Helper helper{Helper::kOff};
  Place place;
};

struct Group {
  std::string id;
  std::string name;
  NodeId node;
  std::vector<Selector> members;
  std::vector<Selector> except;
  Place place;
};

// Spans of wall-clock time in the policy's time zone; see image::ScheduleRecord.
struct Schedule {
  std::string id;
  std::string name;
  NodeId node;
  std::uint8_t weekdays{0};         // bit 0 is Monday; 0 where `dates` are given
  std::vector<std::int32_t> dates;  // days since 1970-01-01, ascending, unique
  std::uint32_t start{0};           // seconds of the day
  std::uint32_t end{86'400};        // not later than `start`: of the day after
  Place place;
};

struct Rule {
  std::string id;
  std::string name;
  NodeId node;
  Phase phase{Phase::kLocal};
  Action action{};
  std::vector<Selector> from;
  std::vector<Selector> except_from;
  std::vector<Selector> to;
  std::vector<Selector> except_to;
  std::vector<PortMatch> ports;  // empty: no narrowing
  ScheduleId schedule;           // none: always
  // Seconds since 1970-01-01T00:00Z: the rule is there from not_before until before expires.
  std::optional<std::int64_t> not_before;
  std::optional<std::int64_t> expires;
  Limits limits;
  bool log{false};
  std::string ticket;
  std::string owner;
  std::string comment;
  Place place;
};

// A statement about the whole policy: no first packet that matches is allowed, or every one is.
struct Assertion {
  std::string id;
  std::string name;
  NodeId node;
  bool always{false};  // else never
  std::vector<Selector> from;
  std::vector<Selector> except_from;
  std::vector<Selector> to;
  std::vector<Selector> except_to;
  std::vector<PortMatch> ports;  // empty: no narrowing
  Place place;
};

// A public address and where it leads: policy.md section 6.
struct Publish {
  NodeId node;
  ServiceId service;
  Endpoint address;  // a single public address, with what stands behind its colon and slash
  struct Target {
    net::Address address;
    std::uint16_t port{0};  // 0: the port that the packet came with
    auto operator<=>(const Target&) const = default;
  };
  std::vector<Target> targets;  // endpoints of the service; a flow keeps one
  Place place;
};

using Filtering = image::Filtering;

// The way to the internet by a pool of addresses.
struct Egress {
  std::string id;
  std::string name;
  NodeId node;
  std::vector<Selector> from;
  std::vector<net::Prefix> pool;
  Filtering filtering{Filtering::kAddressAndPortDependent};
  std::uint16_t first_port{1024};
  std::uint16_t last_port{65535};
  std::uint16_t block_ports{512};
  std::uint16_t blocks_per_address{8};
  // IPv6: which prefixes of its sources become which of the pool (RFC 6296).
  struct Npt {
    net::Prefix inside;
    net::Prefix outside;
  };
  std::vector<Npt> npt;
  Place place;
};

// A private zone's addresses as the shared address space sees them, one to one.
struct Translate {
  NodeId node;
  ZoneId zone;
  net::Prefix inside;
  net::Prefix outside;
  Place place;
};

// A whole policy without error. Only `check()` makes one.
class CheckedPolicy {
 public:
  std::string timezone{"Asia/Shanghai"};
  // The wall clock of `timezone`: ascending, the first from the earliest instant on.
  std::vector<image::UtcOffset> utc_offsets;
  std::vector<std::string> files;  // paths relative to the policy's directory
  std::vector<Node> nodes;         // parents before children; nodes[0] is the root
  std::vector<Zone> zones;         // in the order written; ZoneId indexes it
  std::vector<Unit> units;
  std::vector<Terminal> terminals;
  std::vector<Service> services;
  std::vector<Group> groups;
  std::vector<Schedule> schedules;
  std::vector<Assertion> assertions;  // as rules: by node, in the order of the files and lines
  std::vector<Rule> rules;            // by node, within a node in the order in which they are tried
  std::vector<Publish> publishes;     // by node, in the order of the files and lines
  std::vector<Egress> egresses;       // likewise
  std::vector<Translate> translates;  // likewise
  std::size_t space_count{1};         // the shared one and one for each private zone

  // "360000/budget-for-finance"
  [[nodiscard]] std::string full_name(const Rule& rule) const {
    return nodes[rule.node.index()].code + "/" + rule.id;
  }
  // "rules.toml:12"
  [[nodiscard]] std::string where(const Place& place) const {
    return files[place.file] + ":" + std::to_string(place.line);
  }
  // Whether `node` is `top` or below it.
  [[nodiscard]] bool is_within(NodeId node, NodeId top) const {
    for (; node.is_some(); node = nodes[node.index()].parent) {
      if (node == top) return true;
    }
    return false;
  }

 private:
  CheckedPolicy() = default;
  friend struct PolicyChecker;
};

enum class AntiSpoof : std::uint8_t { kStrict, kLoose, kOff };
enum class DeviceKind : std::uint8_t { kAfXdp, kAfPacket, kTap, kPci, kVdev };

struct InterfaceAddress {
  net::Address address;
  std::uint8_t length{0};  // of the connected subnet
  bool operator==(const InterfaceAddress&) const = default;
};

struct GatewayPort {
  std::string name;
  // A main port has a device, a sub-port a parent and a VLAN id (1..4094).
  std::optional<DeviceKind> device_kind;
  std::string device;  // what follows the kind's colon
  PortId parent;
  std::uint16_t vlan{0};
  ZoneId zone;
  std::vector<InterfaceAddress> addresses;
  std::optional<net::MacAddress> mac;
  std::uint16_t mtu{1500};
  AntiSpoof anti_spoof{AntiSpoof::kStrict};
  std::string tap;  // the kernel's interface for what is for the machine itself; empty: none
  Place place;
};

// What of the machine itself may be reached by a port with a TAP, and from where.
struct GatewayLocal {
  PortId port;  // resolved: never none
  std::vector<net::Prefix> from;
  std::vector<PortMatch> services;
  Place place;
};

// Where both are given `via` is reached by `port`; with `port` alone the prefix is on-link.
struct GatewayRoute {
  net::Prefix prefix;
  std::optional<net::Address> via;
  PortId port;                  // resolved: never none
  SpaceId space{kSharedSpace};  // the space whose table holds the route
  Place place;
};

struct GatewayNeighbour {
  net::Address address;
  net::MacAddress mac{};
  PortId port;  // resolved: never none
  Place place;
};

// A gateway file checked against a policy. Only `check_gateway()` makes one.
class CheckedGateway {
 public:
  std::string file;
  std::string node_code;
  NodeId node;
  std::uint16_t workers{1};
  std::vector<GatewayPort> ports;
  std::vector<GatewayRoute> routes;  // as written; the connected ones follow from the ports
  std::vector<GatewayNeighbour> neighbours;
  std::vector<GatewayLocal> locals;
  image::GatewayLimits limits;
  Place kernel_routes;  // where `routes = "kernel"` is written; line 0: nowhere

 private:
  CheckedGateway() = default;
  friend struct GatewayChecker;
};

}  // namespace meiguan::policy
