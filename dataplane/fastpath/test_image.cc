#include "dataplane/fastpath/test_image.h"

#include <cstdio>
#include <cstdlib>
#include <limits>
#include <string_view>
#include <vector>

#include "dataplane/fastpath/test_frames.h"
#include "dataplane/image/trie_builder.h"
#include "dataplane/image/writer.h"

namespace meiguan::fastpath::test {
namespace {

using namespace image;

net::Prefix prefix(std::string_view text) {
  const std::size_t slash = text.find('/');
  unsigned length = 0;
  for (const char digit : text.substr(slash + 1))
    length = length * 10 + static_cast<unsigned>(digit - '0');
  return net::Prefix::around(address(text.substr(0, slash)), static_cast<std::uint8_t>(length));
}

struct Build {
  std::vector<Atom> atoms;
  std::vector<TargetRecord> targets;
  std::vector<std::uint32_t> target_classes;
  std::vector<RouteRecord> routes;
  std::vector<PrefixValue> objects[2][2];  // [space][family is v6]
  std::vector<PrefixValue> paths[2][2];
  std::vector<PortRecord> ports;
  std::vector<PortAddress> port_addresses;
  std::size_t last_dmz{0};  // the atom of 59.205.17.11
};

constexpr std::uint16_t kZones = 5;  // extranet, internet, dmz, private, exchange
constexpr std::uint32_t kColumns = kZones + 1;
constexpr std::uint32_t kNoUnit = image::kNone;
// Columns of the matrix, which has one row.
enum Class : std::uint32_t { kNothing, kAllowedHere, kDeniedHere, kAuditedHere, kAllowedService };
constexpr std::uint32_t kSlotClasses[] = {kNothing, kAllowedHere, kDeniedHere, kAuditedHere};
constexpr std::uint16_t kSlots = 4;

bool is_v6(const net::Prefix& p) { return p.family() == net::Family::kIpv6; }

void object(Build& b, std::size_t space, std::string_view where, std::uint32_t unit,
            std::uint16_t zone_set, std::uint32_t service = image::kNone) {
  const net::Prefix at = prefix(where);
  b.objects[space][is_v6(at)].push_back({at, static_cast<std::uint32_t>(b.atoms.size())});
  b.atoms.push_back(
      {unit, 0, 0, static_cast<std::uint32_t>(b.targets.size()) & image::kMaxFirstTarget, 0});
  for (std::uint16_t slot = 0; slot < kSlots; ++slot) {
    // Slot 1 holds all that rule 0 allows; the service is there for each of them.
    const bool served = slot == 1 && service != image::kNone;
    b.targets.push_back({served ? service : image::kNone, zone_set, kSlots, 0});
    const std::uint32_t column = served ? std::uint32_t{kAllowedService} : kSlotClasses[slot];
    for (std::uint32_t zone = 0; zone < kColumns; ++zone) b.target_classes.push_back(column);
  }
}

void route(Build& b, std::size_t space, std::string_view to, RouteKind kind, PortId port,
           std::string_view via = {}) {
  const net::Prefix at = prefix(to);
  b.paths[space][is_v6(at)].push_back({at, static_cast<std::uint32_t>(b.routes.size())});
  b.routes.push_back({via.empty() ? net::Address{} : address(via), port.value(), kind,
                      static_cast<std::uint8_t>(at.length()), 0});
}

void port(Build& b, std::uint16_t zone, std::uint16_t vlan, AntiSpoof anti_spoof,
          std::initializer_list<std::string_view> addresses) {
  const PortId id{static_cast<std::uint16_t>(b.ports.size())};
  PortRecord record{};
  record.name[0] = static_cast<char>('a' + id.value());
  record.device_kind = vlan != 0 ? DeviceKind::kSubPort : DeviceKind::kTap;
  record.anti_spoof = anti_spoof;
  record.has_mac = 1;
  record.mac = kOwnMac;
  record.mac[4] = vlan != 0 ? 0 : static_cast<std::uint8_t>(id.value());
  record.parent = vlan != 0 ? 0 : id.value();
  record.vlan = vlan;
  record.zone = zone;
  record.space = zone == 3 ? 1 : 0;
  record.mtu = 1500;
  record.first_address = static_cast<std::uint32_t>(b.port_addresses.size());
  record.addresses = static_cast<std::uint32_t>(addresses.size());
  b.ports.push_back(record);
  for (const std::string_view text : addresses) {
    const net::Prefix subnet = prefix(text);
    const net::Address own = address(text.substr(0, text.find('/')));
    b.port_addresses.push_back({own, subnet.length(), {}});
    const std::string subnet_text = to_string(subnet);
    route(b, record.space, subnet_text, RouteKind::kOnLink, id);
    const bool v6 = is_v6(subnet);
    if (v6) {
      route(b, record.space, to_string(subnet.address()) + "/128", RouteKind::kLocal, id);
    } else if (subnet.length() <= 30) {
      route(b, record.space, to_string(subnet.last()) + "/32", RouteKind::kBroadcast, id);
    }
    route(b, record.space, to_string(own) + (v6 ? "/128" : "/32"), RouteKind::kLocal, id);
  }
}

std::vector<TerminalSlot> terminals(const WorldOptions& options) {
  std::vector<TerminalSlot> slots(8);
  for (TerminalSlot& slot : slots) slot.unit = image::kNone;
  for (const std::uint8_t host : {std::uint8_t{5}, std::uint8_t{6}}) {
    TerminalSlot terminal{};
    terminal.address = net::Address::v4(0x0a402600U + host);
    terminal.unit = 1;
    terminal.has_mac = host == 5;
    terminal.mac = options.bound_mac;
    std::size_t i = terminal_hash(kSharedSpace, terminal.address) & 7;
    while (slots[i].unit != image::kNone) i = (i + 1) & 7;
    slots[i] = terminal;
  }
  return slots;
}

void nat_route(Build& b, std::string_view to, std::uint32_t number) {
  route(b, 0, to, RouteKind::kNat, kWan);
  b.routes.back().nat = number;
}

void put_nat(Writer& writer, Build& b, const WorldOptions& options) {
  const auto npt = NptRecord{address("2001:db8:1::"), address("2001:db8:ffff:1::"), 64, {}, 0};
  const net::Prefix pool = prefix(options.pool);
  const PublishEndpoint first{address("59.205.17.10"), 443, {}};
  const PublishEndpoint second{address("59.205.17.11"), 443, {}};
  const std::uint32_t calls = options.helper == Helper::kSip ? 1 : 0;
  const std::uint32_t ends = options.second_endpoint ? 2 : 1;
  const std::vector<NatPrefix> prefixes{{NatKind::kPool, {}, 0, 1},
                                        {NatKind::kPublish, {}, 0, 1 + calls},
                                        {NatKind::kPublish, {}, 1 + calls, 1},
                                        {NatKind::kTranslate, {}, 0, 1},
                                        {NatKind::kNpt, {}, 0, 1}};
  writer.put(Section::kNatPrefixes, prefixes);
  const net::Address portal = address("203.0.113.10");
  const net::Address range = address("203.0.113.11");
  std::vector<PublishRecord> publishes{{portal, 0, 6, 0, 443, 443, 0, 0, 1, 0},
                                       {portal, 0, 17, 0, 53, 53, 0, 3, 1, 0},
                                       {range, 0, 6, 0, 8000, 8001, 0, 1, ends, 0}};
  if (calls == 0) publishes.erase(publishes.begin() + 1);
  writer.put(Section::kPublishes, publishes);
  writer.put(Section::kPublishEndpoints,
             std::vector<PublishEndpoint>{first, first, second, {first.address, 53, {}}});
  writer.put(Section::kEgresses, std::vector<EgressRecord>{options.egress});
  writer.put(Section::kPools, std::vector<PoolRecord>{{pool.address(), pool.length(), {}, 0}});
  writer.put(Section::kNptPrefixes, std::vector<NptRecord>{npt});
  std::vector<SourceEgress> by_source(kColumns, {kNoEgress, kNoEgress});
  by_source[0] = by_source[2] = {0, 0};
  writer.put(Section::kSourceEgress, by_source);
  writer.put(Section::kTranslates,
             std::vector<TranslateRecord>{{address("10.1.1.0"), address("10.200.1.0"), 1, 24, {}}});
  for (std::size_t i = 0; i < b.atoms.size(); ++i) {
    // The atom of 10.1.1.0/24 is the only one of unit 3.
    if (b.atoms[i].unit == 3) b.atoms[i].translated = 1;
    // Those of unit 4 with the service are published; the last one may be left out.
    if (b.atoms[i].unit == 4 && (options.dmz_by_publish || i != b.last_dmz) &&
        b.targets[b.atoms[i].first_target + 1].service == 0) {
      b.targets[b.atoms[i].first_target + 1].by_publish = 1;
    }
  }
}

// None, and the limits that hold by default.
void put_no_nat(Writer& writer) {
  writer.put(Section::kNatPrefixes, std::vector<NatPrefix>{});
  writer.put(Section::kPublishes, std::vector<PublishRecord>{});
  writer.put(Section::kPublishEndpoints, std::vector<PublishEndpoint>{});
  writer.put(Section::kEgresses, std::vector<EgressRecord>{});
  writer.put(Section::kPools, std::vector<PoolRecord>{});
  writer.put(Section::kNptPrefixes, std::vector<NptRecord>{});
  writer.put(Section::kSourceEgress, std::vector<SourceEgress>{});
  writer.put(Section::kTranslates, std::vector<TranslateRecord>{});
}

void put_limits(Writer& writer, const WorldOptions& options,
                const std::vector<LimitRecord>& limits) {
  writer.put(Section::kLimits, limits);
  std::vector<TimeoutRecord> timeouts{TimeoutRecord{}};
  if (options.service_timeouts) timeouts.push_back(*options.service_timeouts);
  writer.put(Section::kTimeouts, timeouts);
  writer.put(Section::kGatewayLimits, std::vector<GatewayLimits>{options.gateway_limits});
}

AlignedBytes build(const WorldOptions& options) {
  std::vector<LimitRecord> limits;
  const auto limits_of = [&limits](const std::optional<LimitRecord>& wanted) {
    if (!wanted) return kNoLimits;
    limits.push_back(*wanted);
    return static_cast<std::uint16_t>(limits.size() - 1);
  };
  const std::uint16_t unit_limits = limits_of(options.unit_limits);
  const std::uint16_t service_limits = limits_of(options.service_limits);
  const std::uint16_t rule_limits = limits_of(options.rule_limits);
  Build b;
  object(b, 0, "0.0.0.0/0", kNoUnit, kNoZoneSet);
  object(b, 0, "::/0", kNoUnit, kNoZoneSet);
  object(b, 1, "0.0.0.0/0", kNoUnit, kNoZoneSet);
  object(b, 1, "::/0", kNoUnit, kNoZoneSet);
  object(b, 0, "10.64.37.0/24", 0, 0);
  object(b, 0, "10.64.40.0/24", 0, 0);
  object(b, 0, "2001:db8:1::/64", 0, 0);
  object(b, 0, "10.64.38.0/24", 1, 0);
  object(b, 0, "59.205.16.0/24", 2, 0);
  object(b, 0, "59.205.16.10/32", 2, 0, 0);
  object(b, 0, "2001:db8:2::/64", 2, 0);
  object(b, 0, "2001:db8:2::10/128", 2, 0, 0);
  object(b, 1, "10.1.1.0/24", 3, 3);
  object(b, 0, "59.205.17.0/24", 4, 2);
  object(b, 0, "59.205.17.10/32", 4, 2, 0);

  route(b, 0, "0.0.0.0/0", RouteKind::kVia, kWan, "203.0.113.254");
  route(b, 0, "2000::/3", RouteKind::kVia, kWan, "2001:db8:ffff::fe");
  if (options.core_routes) {
    route(b, 0, "59.205.16.0/24", RouteKind::kVia, kCore, "10.0.0.2");
    route(b, 0, "172.20.0.0/16", RouteKind::kVia, kCore, "10.0.0.2");
    route(b, 0, "2001:db8:2::/64", RouteKind::kVia, kCore, "2001:db8:f::2");
  } else {
    // Nothing at all leads there, so that it is no-route and not the default one.
    b.paths[0][0].push_back({prefix("59.205.16.0/24"), kNoRoute});
  }
  port(b, 0, 0, options.lan_anti_spoof, {"10.64.37.1/24", "10.64.38.1/24", "2001:db8:1::1/64"});
  port(b, 0, 0, AntiSpoof::kStrict, {"10.0.0.1/30", "2001:db8:f::1/64"});
  port(b, 1, 0, options.wan_anti_spoof, {"203.0.113.1/24", "2001:db8:ffff::1/64"});
  port(b, 2, 0, AntiSpoof::kStrict, {"59.205.17.1/24"});
  port(b, 3, 100, AntiSpoof::kStrict, {"10.1.1.1/24"});
  port(b, 0, 200, AntiSpoof::kStrict, {"10.64.40.1/24"});
  route(b, 1, "10.9.0.0/16", RouteKind::kOnLink, kCore);

  if (options.nat) {
    b.last_dmz = b.atoms.size();
    object(b, 0, "59.205.17.11/32", 4, 2, 0);
    object(b, 0, "10.70.0.10/32", kNoUnit, 4, 0);
    for (const auto* at : {"198.51.100.21/32", "2001:db8:77::21/128"}) {
      if (options.helper != Helper::kOff) object(b, 0, at, kNoUnit, 1, 0);
    }
    port(b, 4, 0, AntiSpoof::kStrict, {"10.70.0.1/24"});
    route(b, 1, "10.70.0.0/24", RouteKind::kOnLink, kExchange);
    nat_route(b, options.pool, 0);
    nat_route(b, "203.0.113.10/32", 1);
    nat_route(b, "203.0.113.11/32", 2);
    nat_route(b, "10.200.1.0/24", 3);
    nat_route(b, "2001:db8:ffff:1::/64", 4);
  }

  const auto admission = [](Admission how, std::uint16_t zone) {
    return UnitRecord{1, how, zone, kNoLimits, 0};
  };
  std::vector<UnitRecord> units{admission(Admission::kOpen, 0), admission(Admission::kBound, 0),
                                admission(Admission::kOpen, 0), admission(Admission::kOpen, 3),
                                admission(Admission::kOpen, 2)};
  units[0].limits = units[1].limits = unit_limits;
  for (unsigned i = 0; i < options.extra_units; ++i) {
    const std::string where = "20." + std::to_string(i >> 8) + "." + std::to_string(i & 255) +
                              ".0/24";
    object(b, 0, where, static_cast<std::uint32_t>(units.size()), 0);
    units.push_back(admission(Admission::kOpen, 0));
  }
  if (options.extra_units != 0) route(b, 0, "20.0.0.0/8", RouteKind::kVia, kLan, "10.64.37.254");

  const auto space_zone = [](ZoneKind kind, std::uint8_t drop, std::uint16_t space) {
    return ZoneRecord{kind, drop, space};
  };
  const std::vector<ZoneRecord> zones{space_zone(ZoneKind::kExtranet, 1, 0),
                                      space_zone(ZoneKind::kInternet, 0, 0),
                                      space_zone(ZoneKind::kDmz, 0, 0),
                                      space_zone(ZoneKind::kPrivate, 1, 1),
                                      space_zone(ZoneKind::kExchange, 0, 0)};
  std::vector<ZoneSet> zone_sets(kZones);
  std::vector<std::uint8_t> table;
  for (std::uint16_t from = 0; from < kZones; ++from) {
    zone_sets[from].zones[0] = std::uint64_t{1} << from;
    for (std::uint16_t to = 0; to < kZones; ++to) {
      table.push_back(isolation(zones[from].kind, zones[to].kind, from == to,
                                zones[from].space == zones[to].space)
                          .bits);
    }
  }

  TrieBuilder tries;
  std::vector<SpaceRecord> spaces;
  for (std::size_t s = 0; s < 2; ++s) {
    SpaceRecord space{};
    space.objects_v4 = tries.add(b.objects[s][0], 0);
    space.objects_v6 = tries.add(b.objects[s][1], 0);
    space.routes_v4 = tries.add(b.paths[s][0], kNoRoute);
    space.routes_v6 = tries.add(b.paths[s][1], kNoRoute);
    spaces.push_back(space);
  }

  const auto key = [](unsigned protocol, unsigned value) { return protocol << 16 | value; };
  const std::vector<PortBreak> breaks{{0, 0},
                                      {key(1, 8), 1},
                                      {key(1, 9), 0},
                                      {key(6, 443), 1},
                                      {key(6, 444), 0},
                                      {key(6, 8080), 3},
                                      {key(6, 8081), 0},
                                      {key(17, 53), 1},
                                      {key(17, 54), 2},
                                      {key(17, 55), 0},
                                      {key(47, 0), 1},
                                      {key(48, 0), 0},
                                      {key(58, 128), 1},
                                      {key(58, 129), 0},
                                      {key(132, 3868), 1},
                                      {key(132, 3869), 0}};
  const std::vector<PortMap> maps{{0, static_cast<std::uint32_t>(breaks.size())}};

  const auto deny = static_cast<std::uint8_t>(RuleAction::kDeny);
  const std::uint8_t rule0 = options.allow ? static_cast<std::uint8_t>(RuleAction::kAllow) : deny;
  const auto allow = static_cast<std::uint8_t>(RuleAction::kAllow);
  const std::uint8_t published = options.publish || options.nat ? 1 : 0;
  const std::uint32_t none = image::kNone;
  const std::uint8_t rule0_by_service = options.allow ? std::uint8_t{0} : deny;
  const std::vector<OutcomeRecord> outcomes{
      {{none, none}, {0, 0}, {0, 0}, {0, 0}, 0, 0},
      {{0, options.allow ? none : 0}, {0, 0}, {0, 0}, {rule0, rule0_by_service}, 0, 0},
      {{1, 1}, {0, 0}, {0, 0}, {deny, deny}, 0, 0},
      {{3, none}, {0, 0}, {1, 1}, {allow, 0}, 0, 0},
      {{0, 0}, {0, 0}, {0, 0}, {rule0, rule0}, published, 0}};
  std::vector<std::uint32_t> cells(kBlockColumns, 0);
  for (std::uint32_t c = 0; c < outcomes.size(); ++c) cells[c] = c;
  std::vector<ConditionRecord> conditions;
  std::vector<Branch> branches;
  if (options.when) {
    conditions.push_back(*options.when);
    for (const std::uint32_t column : {kAllowedHere, kAllowedService}) {
      cells[column] = kBranchBit | static_cast<std::uint32_t>(branches.size());
      branches.push_back({0, column, kNothing, 0});
    }
  }

  Meta meta{};
  meta.zone_columns = kColumns;
  meta.source_classes = 1;
  meta.target_classes = static_cast<std::uint32_t>(outcomes.size());
  meta.stripes_per_row = 1;
  meta.has_gateway = 1;
  meta.workers = 1;

  Writer writer;
  writer.put(Section::kMeta, std::span<const Meta>{&meta, 1});
  writer.put(Section::kZones, zones);
  writer.put(Section::kSpaces, spaces);
  writer.put(Section::kSpaceKeys, std::vector<std::uint64_t>{0, 1});
  writer.put(Section::kZoneSets, zone_sets);
  writer.put(Section::kObjectIsolation, table);
  writer.put(Section::kPortIsolation, table);
  writer.put(Section::kTrieNodes, tries.nodes());
  writer.put(Section::kTrieEntries, tries.entries());
  options.nat ? put_nat(writer, b, options) : put_no_nat(writer);
  writer.put(Section::kAtoms, b.atoms);
  writer.put(Section::kUnits, units);
  writer.put(Section::kServices,
             std::vector<ServiceRecord>{
                 {1, published, 0, service_limits,
                  options.service_timeouts ? std::uint8_t{1} : std::uint8_t{0}, options.helper}});
  std::vector<RuleRecord> rules(4, RuleRecord{1, 0, 0, 0, kNoLimits, 0});
  rules[0].limits = rule_limits;
  writer.put(Section::kRules, rules);
  writer.put(Section::kTerminals, terminals(options));
  writer.put(Section::kSourceClasses, std::vector<std::uint32_t>(kColumns, 0));
  writer.put(Section::kPortMaps, maps);
  writer.put(Section::kPortBreaks, breaks);
  writer.put(Section::kTargets, b.targets);
  writer.put(Section::kTargetClasses, b.target_classes);
  writer.put(Section::kRows, std::vector<std::uint32_t>{0});
  writer.put(Section::kStripes, std::vector<std::uint32_t>(kStripeBlocks, 0));
  writer.put(Section::kCells, cells);
  writer.put(Section::kOutcomes, outcomes);
  writer.put(Section::kAuditRules, std::vector<AuditRecord>{{2, options.when ? 0 : none}});
  writer.put(Section::kBranches, branches);
  writer.put(Section::kSchedules, std::vector<ScheduleRecord>{});
  writer.put(Section::kScheduleDates, std::vector<std::int32_t>{});
  writer.put(Section::kConditions, conditions);
  writer.put(Section::kUtcOffsets,
             std::vector<UtcOffset>{{std::numeric_limits<std::int64_t>::min(), 28'800, 0}});
  writer.put(Section::kPorts, b.ports);
  writer.put(Section::kPortAddresses, b.port_addresses);
  writer.put(Section::kRoutes, b.routes);
  writer.put(Section::kNeighbours, std::vector<NeighbourRecord>{});
  writer.put(Section::kLocalServices, options.local_services);
  put_limits(writer, options, limits);
  return writer.finish();
}

Image open(const AlignedBytes& bytes) {
  const auto opened = Image::open(bytes.span());
  if (!opened) {
    std::fputs(opened.error().message.english.c_str(), stderr);
    std::abort();
  }
  return *opened;
}

}  // namespace

World::World(const WorldOptions& options) : bytes_{build(options)}, image_{open(bytes_)} {}

}  // namespace meiguan::fastpath::test
