#pragma once

// The policy image: one flat, position-independent file that holds everything a gateway needs to
// judge packets, and nothing else (no names, no text of rules: those are in the catalog).
//
//   FileHeader | section 0 | section 1 | ...      each section an array of one of the types below,
//                                                 64-byte aligned, in the byte order of the machine
//
// How an answer is found in it (reader.h has the functions, fastpath/decide.h puts them together):
//
//   address --object trie of the space--> Atom: unit, source group, port map, first target
//   source group x ingress zone   --source_classes-->  source class (a row of the matrix)
//   atom's port map (protocol, port) --> target;  target x egress zone --target_classes--> column
//   row x column --rows, stripes, cells--> Outcome: what the rules say, in the two ways in which
//                                       isolation may let them be asked; or, where rules have
//                                       schedules or dates, a Branch that asks a condition
//
// So the cost of an answer does not depend on the number of rules. Columns are grouped in blocks
// of kBlockColumns and blocks in stripes of kStripeBlocks; equal blocks and equal stripes are
// stored once.

#include <array>
#include <cstddef>
#include <cstdint>

#include "dataplane/base/strong_id.h"
#include "dataplane/image/format_limits.h"
#include "dataplane/image/format_nat.h"
#include "dataplane/image/isolation.h"
#include "dataplane/net/address.h"

namespace meiguan::image {

inline constexpr std::array<char, 8> kMagic{'M', 'E', 'I', 'G', 'U', 'A', 'N', '\n'};
inline constexpr std::uint32_t kFormatVersion = 5;
inline constexpr std::size_t kSectionAlignment = 64;
inline constexpr std::size_t kMaxImageBytes = std::size_t{1} << 30;
inline constexpr std::uint32_t kBlockColumns = 64;
inline constexpr std::uint32_t kStripeBlocks = 16;
inline constexpr std::uint32_t kNone = 0xffff'ffff;

// Limits that make every index of an image fit the fast path's fields.
inline constexpr std::uint32_t kMaxZones = 255;
inline constexpr std::uint32_t kMaxSpaces = 255;
inline constexpr std::uint32_t kMaxPorts = 256;
inline constexpr std::uint32_t kMaxUnits = 0xffff;  // numbers, with those that are no more
inline constexpr std::uint32_t kMaxServices = 0xffff;
inline constexpr std::uint32_t kMaxConditions = 4096;
inline constexpr std::uint32_t kMaxSlots = 0x7fff;
inline constexpr std::uint32_t kMaxFirstTarget = 0x7fff'ffff;
inline constexpr std::uint32_t kMaxEgresses = 0xfffe;
inline constexpr std::uint32_t kMaxLimits = 0xffff;
inline constexpr std::uint32_t kMaxTimeouts = 256;

enum class Section : std::uint32_t {
  kMeta,             // Meta, exactly one
  kZones,            // ZoneRecord by ZoneId
  kSpaces,           // SpaceRecord by SpaceId
  kSpaceKeys,        // std::uint64_t by SpaceId: space_key() of block_list.h
  kZoneSets,         // ZoneSet; the first are the single zones, in order of ZoneId
  kObjectIsolation,  // std::uint8_t bits, [from zone][zone set]
  kPortIsolation,    // std::uint8_t bits, [from zone][to zone]
  kTrieNodes,        // TrieNode
  kTrieEntries,      // TrieEntry, 256 for each node
  kAtoms,            // Atom
  kUnits,            // UnitRecord by UnitId (ids last over reloads, so there may be holes)
  kServices,         // ServiceRecord by ServiceId
  kRules,            // RuleRecord by RuleId
  kTerminals,        // TerminalSlot, open addressing, a power of two (or none)
  kSourceClasses,    // std::uint32_t, [source group][zone column]
  kPortMaps,         // PortMap
  kPortBreaks,       // PortBreak
  kTargets,          // TargetRecord
  kTargetClasses,    // std::uint32_t, [target][zone column]
  kRows,             // std::uint32_t stripe number, [source class][column / columns of a stripe]
  kStripes,          // std::uint32_t block number, [stripe][kStripeBlocks]
  kCells,            // Cell, [block][kBlockColumns]
  kBranches,         // Branch
  kOutcomes,         // OutcomeRecord
  kAuditRules,       // AuditRecord
  kUtcOffsets,  // UtcOffset: the policy's wall clock, ascending; the first is of all times before
  kSchedules,   // ScheduleRecord
  kScheduleDates,  // std::int32_t days since 1970-01-01, ascending within a schedule
  kConditions,     // ConditionRecord
  kPorts,          // PortRecord by PortId
  kPortAddresses,  // PortAddress
  kRoutes,         // RouteRecord
  kNeighbours,     // NeighbourRecord: the static ones
  kLocalServices,  // LocalService
  // format_nat.h
  kNatPrefixes,       // NatPrefix: what a route of kind kNat leads to
  kPublishes,         // PublishRecord by (address, protocol, first port); spans never overlap
  kPublishEndpoints,  // PublishEndpoint
  kEgresses,          // EgressRecord, in the order in which they are tried
  kPools,             // PoolRecord
  kNptPrefixes,       // NptRecord
  kSourceEgress,      // SourceEgress, [source group][zone column]; none at all without an egress
  kTranslates,        // TranslateRecord
  // format_limits.h
  kLimits,         // LimitRecord
  kTimeouts,       // TimeoutRecord; the first holds where no service says otherwise
  kGatewayLimits,  // GatewayLimits, exactly one
  kCount,
};
inline constexpr std::size_t kSections = static_cast<std::size_t>(Section::kCount);

struct SectionRef {
  std::uint64_t offset;  // bytes from the start of the file
  std::uint64_t count;   // elements
  std::uint64_t size;    // bytes of one element
};
static_assert(sizeof(SectionRef) == 24);

struct FileHeader {
  std::array<char, 8> magic;
  std::uint32_t version;
  std::uint32_t section_count;
  std::uint64_t bytes;     // of the whole file
  std::uint64_t checksum;  // XXH3-64 over the file with this field zero
  std::array<SectionRef, kSections> sections;
};

struct Meta {
  std::uint32_t zone_columns;    // zones + 1: the last column is "by the objects", for no gateway
  std::uint32_t source_classes;  // rows of the matrix
  std::uint32_t target_classes;  // columns of the matrix
  std::uint32_t stripes_per_row;
  std::uint32_t has_gateway;  // 0 or 1
  std::uint32_t workers;
  std::uint64_t policy_digest;  // of the policy's content, equal for equal policies
};
static_assert(sizeof(Meta) == 32);

struct ZoneRecord {
  ZoneKind kind;
  std::uint8_t drop_unregistered;  // 0 or 1
  std::uint16_t space;
};
static_assert(sizeof(ZoneRecord) == 4);

// Roots of the tries, as TrieEntry values.
struct SpaceRecord {
  std::uint32_t objects_v4;  // values: Atom numbers
  std::uint32_t objects_v6;
  std::uint32_t routes_v4;  // values: RouteRecord numbers, or kNoRoute
  std::uint32_t routes_v6;
};
static_assert(sizeof(SpaceRecord) == 16);

// The zones of the objects at a destination, as bits by ZoneId.
struct ZoneSet {
  std::array<std::uint64_t, 4> zones;
};

// A path-compressed trie over the bytes of an address (4 or 16). An entry is a leaf with a value
// of 31 bits or the number of a node. A node's children have higher numbers than itself and look
// at later bytes, so that every walk ends.
using TrieEntry = std::uint32_t;
inline constexpr TrieEntry kLeafBit = 0x8000'0000;
inline constexpr std::uint32_t kTrieFanout = 256;
inline constexpr std::uint32_t kNoRoute = 0x7fff'ffff;

struct TrieNode {
  std::array<std::uint8_t, 16> path;  // bytes [skip, depth) of the key must equal these
  std::uint8_t skip;
  std::uint8_t depth;  // the byte of the key that chooses the entry
  std::uint16_t reserved;
  TrieEntry miss;         // a leaf: the answer where the path differs
  std::uint32_t entries;  // number of the first of this node's kTrieFanout entries
  std::uint32_t reserved2;
};
static_assert(sizeof(TrieNode) == 32);

// A set of addresses that no selector, unit or endpoint tells apart.
struct Atom {
  std::uint32_t unit;  // UnitId or kNone
  std::uint32_t source_group;
  std::uint32_t port_map;
  std::uint32_t first_target : 31;  // target = first_target + slot of the port map
  std::uint32_t translated : 1;     // a [[translate]] covers it: others see it by another address
};
static_assert(sizeof(Atom) == 16);

enum class Admission : std::uint8_t { kOpen, kBound };

// Of a unit, service or rule: the number of its LimitRecord, or this.
inline constexpr std::uint16_t kNoLimits = 0xffff;
// The protocol of a service that opens further flows by what it says.
enum class Helper : std::uint8_t { kOff, kFtp, kSip };

struct UnitRecord {
  std::uint8_t in_use{0};  // 0: a hole
  Admission admission;
  std::uint16_t zone;
  std::uint16_t limits{kNoLimits};
  std::uint16_t reserved{0};
};
static_assert(sizeof(UnitRecord) == 8);

struct ServiceRecord {
  std::uint8_t in_use;
  std::uint8_t publish;
  std::uint16_t zone;
  std::uint16_t limits{kNoLimits};
  std::uint8_t timeouts{0};
  Helper helper{Helper::kOff};
};
static_assert(sizeof(ServiceRecord) == 8);

struct RuleRecord {
  std::uint8_t in_use;
  std::uint8_t action;  // policy::Action
  std::uint8_t phase;   // policy::Phase
  std::uint8_t log;
  std::uint16_t limits{kNoLimits};
  std::uint16_t reserved{0};
};
static_assert(sizeof(RuleRecord) == 8);

struct TerminalSlot {
  net::Address address;
  std::uint32_t unit;  // kNone: an empty slot
  std::uint16_t space;
  std::uint16_t has_mac;  // 0 or 1
  net::MacAddress mac;
  std::uint16_t reserved;
};
static_assert(sizeof(TerminalSlot) == 32);

// The spans of one map partition all of (protocol << 16 | value), value being the destination port
// or the ICMP type, 0 for protocols without either. The first break has key 0.
struct PortMap {
  std::uint32_t first_break;
  std::uint32_t breaks;
};
static_assert(sizeof(PortMap) == 8);

struct PortBreak {
  std::uint32_t key;  // first key of the span, ascending
  std::uint32_t slot;
};
static_assert(sizeof(PortBreak) == 8);

struct TargetRecord {
  std::uint32_t service;  // the most specific, or kNone
  std::uint16_t
      zone_set;  // zones of the services and the unit here; kNoZoneSet where there are none
  std::uint16_t slots : 15;  // how many targets the atom has from its first on (same in each)
  // A service here has a [[publish]]: from the internet it is reached by the public address only.
  std::uint16_t by_publish : 1;
};
static_assert(sizeof(TargetRecord) == 8);
inline constexpr std::uint16_t kNoZoneSet = 0xffff;

// The number of an OutcomeRecord; with kBranchBit that of a Branch.
using Cell = std::uint32_t;
inline constexpr Cell kBranchBit = 0x8000'0000;

// Where the answer hangs on whether a condition holds. A branch leads to outcomes and to branches
// of lower numbers only, so that every walk ends.
struct Branch {
  std::uint32_t condition;
  Cell when_holds;
  Cell otherwise;
  std::uint32_t reserved;
};
static_assert(sizeof(Branch) == 16);

// An audit rule that the search comes past while its condition holds.
struct AuditRecord {
  std::uint32_t rule;
  std::uint32_t condition;  // or kNone: always
};
static_assert(sizeof(AuditRecord) == 8);

// From `at` (seconds since 1970-01-01T00:00Z) on, the wall clock is UTC + `seconds`.
struct UtcOffset {
  std::int64_t at;
  std::int32_t seconds;
  std::int32_t reserved;
};
static_assert(sizeof(UtcOffset) == 16);
inline constexpr std::int32_t kMostUtcOffset = 86'400;
inline constexpr std::uint32_t kSecondsOfDay = 86'400;

// Spans of wall-clock time: on each of its days from `start` until before `end`; where `end` is not
// later than `start`, until `end` of the day after.
struct ScheduleRecord {
  std::uint32_t first_date;  // into kScheduleDates
  std::uint32_t dates;       // 0: it goes by weekdays
  std::uint32_t start;       // seconds of the day, below 86400
  std::uint32_t end;         // at most 86400
  std::uint8_t weekdays;     // bit 0 is Monday
  std::array<std::uint8_t, 7> reserved;
};
static_assert(sizeof(ScheduleRecord) == 24);

// When a rule is there: not_before <= time < expires, and the schedule holds.
struct ConditionRecord {
  std::int64_t not_before;  // seconds since 1970-01-01T00:00Z; the smallest number: always
  std::int64_t expires;     // the largest number: never
  std::uint32_t schedule;   // or kNone
  std::uint32_t reserved;
};
static_assert(sizeof(ConditionRecord) == 24);

// What the rules say of a cell: [0] where isolation lets the rules decide, [1] where it passes over
// every allow that does not name the destination by service.
struct OutcomeRecord {
  std::array<std::uint32_t, 2> rule;         // deciding RuleId, or kNone for default-deny
  std::array<std::uint32_t, 2> first_audit;  // into kAuditRules
  std::array<std::uint16_t, 2> audits;
  std::array<std::uint8_t, 2> action;  // RuleAction
  std::uint8_t published;              // every service that rule[1] names here has publish = true
  std::uint8_t reserved;
};
static_assert(sizeof(OutcomeRecord) == 24);

enum class RuleAction : std::uint8_t { kDefaultDeny, kDeny, kAllow };

enum class DeviceKind : std::uint8_t { kSubPort, kAfXdp, kAfPacket, kTap, kPci, kVdev };
enum class AntiSpoof : std::uint8_t { kStrict, kLoose, kOff };

struct PortRecord {
  std::array<char, 32> name;     // zero-terminated
  std::array<char, 220> device;  // zero-terminated; empty for a sub-port
  DeviceKind device_kind;        // kSubPort for a sub-port
  AntiSpoof anti_spoof;
  std::uint8_t has_mac;
  std::uint8_t kernel_routes;  // 1: the kernel's routes by `tap` are taken; 0
  std::uint16_t parent;        // PortId of a sub-port's parent, else its own
  std::uint16_t vlan;          // 0 for a main port
  std::uint16_t zone;
  std::uint16_t space;
  std::uint16_t mtu;
  net::MacAddress mac;
  std::uint32_t first_address;  // into kPortAddresses
  std::uint32_t addresses;
  std::array<char, 16> tap;  // zero-terminated; the kernel's interface of this port, empty: none
};
static_assert(sizeof(PortRecord) == 296);

struct PortAddress {
  net::Address address;
  std::uint8_t length;
  std::array<std::uint8_t, 7> reserved;
};
static_assert(sizeof(PortAddress) == 24);

enum class RouteKind : std::uint8_t {
  kVia,        // to the next hop `via`
  kOnLink,     // the destination is its own next hop
  kLocal,      // one of the gateway's own addresses
  kBroadcast,  // the last address of a connected IPv4 subnet
  // A public address of the gateway's translations: never a way to anywhere by itself, and no
  // sender's own. `nat` says which; port and via have no meaning.
  kNat,
};

struct RouteRecord {
  net::Address via;
  std::uint16_t port;
  RouteKind kind;
  std::uint8_t length;  // of the prefix; 0 is no route in the sense of loose anti-spoof
  std::uint32_t nat;    // of kNat: the number of a NatPrefix, else 0
};
static_assert(sizeof(RouteRecord) == 24);

struct NeighbourRecord {
  net::Address address;
  std::uint16_t port;
  net::MacAddress mac;
};
static_assert(sizeof(NeighbourRecord) == 24);

// What senders in a prefix may reach of the machine itself by a port with a TAP. Nothing else of it
// is reachable there, but echo and the answers to what it has asked for.
struct LocalService {
  net::Address from;
  std::uint8_t length;    // of the prefix `from`, without host bits
  std::uint8_t protocol;  // 0: any
  std::uint8_t whole;     // 1: no ports were written, packets without ports match as well
  std::uint8_t reserved;
  std::uint16_t port;  // PortId
  std::uint16_t first;
  std::uint16_t last;
  std::array<std::uint8_t, 6> padding;
};
static_assert(sizeof(LocalService) == 32);

}  // namespace meiguan::image
