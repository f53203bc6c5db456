#include "controlplane/report/rollup.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "controlplane/report/rollup_names.h"

namespace meiguan::report {
namespace {

constexpr WallMs kSlotMs = 10'000;
constexpr WallMs kMinuteMs = 60'000;
constexpr std::uint8_t kRequest = 1;
constexpr std::uint8_t kReply = 2;

WallMs floor_to(WallMs time, WallMs step) {
  const WallMs rest = time % step;
  return time - (rest < 0 ? rest + step : rest);
}

std::uint8_t family_of(const net::Address& address) {
  if (address == net::Address{}) return 0;  // no IP packet
  return static_cast<std::uint8_t>(address.family());
}

std::int64_t number(std::uint64_t n) { return static_cast<std::int64_t>(n); }

}  // namespace

std::size_t Rollup::IdHash::operator()(const Id& id) const noexcept {
  std::uint64_t hash = std::uint64_t{id.reason} << 16 | std::uint64_t{id.family} << 8 |
                       id.direction;
  for (const auto name : id.names) hash = std::rotl(hash ^ name, 23) * 0x9e37'79b9'7f4a'7c15U;
  return static_cast<std::size_t>(hash ^ hash >> 29);
}

Rollup::Rollup(RollupOptions options)
    : options_{std::move(options)},
      names_{std::make_unique<Names>(std::max<std::size_t>(options_.names, 3))},
      progress_{options_.flows} {}
Rollup::~Rollup() = default;
Rollup::Rollup(Rollup&&) noexcept = default;
Rollup& Rollup::operator=(Rollup&&) noexcept = default;

void Rollup::set_node(const std::string& node) { options_.node = node; }

void Rollup::set_catalog(const policy::Catalog& catalog) {
  Names& names = *names_;
  const auto take = [&](const auto& from, auto& to, const auto& name_of) {
    to.clear();
    for (const auto& entry : from) to.push_back(names.intern(name_of(entry)));
  };
  take(catalog.units, names.units, [](const auto& unit) { return unit.id; });
  take(catalog.services, names.services, [](const auto& service) { return service.id; });
  take(catalog.rules, names.rules, [](const auto& rule) { return rule.full_name; });
  take(catalog.ports, names.zones, [](const auto& port) { return port.zone; });
  store::RuleList list;
  for (const auto& rule : catalog.rules) {
    if (rule.in_use) list.push_back(rule.full_name);
  }
  std::ranges::sort(list);
  list.erase(std::ranges::unique(list).begin(), list.end());
  names.list_fingerprint = store::fingerprint_of(list);
  names.list = std::make_shared<const store::RuleList>(std::move(list));
}

void Rollup::attach(const Sums& counters) {
  fresh_ = counters.packets == 0 && counters.flows_created == 0;
  progress_.attach(!fresh_);
  for (std::size_t i = 0; i < balances_.size(); ++i) {
    balances_[i].begin(i < counters.reasons.size() ? counters.reasons[i][0] : 0);
  }
  started_.begin(counters.flows_created);
  ended_.begin(counters.flows_ended);
  last_ = counters;
  attached_ = true;
}

void Rollup::detach(WallMs now) {
  if (!attached_) return;
  // Whatever was on its way has come, or never will.
  for (auto& balance : balances_) balance.least = balance.open();
  started_.least = started_.open();
  ended_.least = ended_.open();
  correct(now);
  attached_ = false;
}

Rollup::Minute& Rollup::minute_at(WallMs at) {
  return minutes_[floor_to(at, kMinuteMs) / kMinuteMs];
}

Rollup::Id Rollup::id_of(const fastpath::Event& event) const {
  const Names& names = *names_;
  Id id;
  id.names = {Names::at(names.units, event.unit),       Names::at(names.units, event.to_unit),
              Names::at(names.services, event.service), Names::at(names.zones, event.in_port),
              Names::at(names.zones, event.out_port),   Names::at(names.rules, event.rule)};
  id.reason = static_cast<std::uint8_t>(event.reason);
  id.family = family_of(event.source);
  return id;
}

void Rollup::add(const Id& id, WallMs at, const store::Sums& sums) {
  Minute& minute = minute_at(at);
  const auto index = static_cast<std::size_t>((at - floor_to(at, kMinuteMs)) / kSlotMs);
  Slot& slot = minute.slots[index];
  const auto found = slot.rows.find(id);
  if (found != slot.rows.end()) {
    found->second.add(sums);
    return;
  }
  if (minute.keys >= options_.keys) {
    Id other;
    other.names[0] = Names::kOther;
    other.reason = id.reason;
    slot.rows[other].add(sums);
    ++slot.folded;
    return;
  }
  ++minute.keys;
  slot.rows.emplace(id, sums);
}

void Rollup::spread(const Id& id, WallMs from, WallMs to, std::int64_t packets,
                    std::int64_t bytes) {
  if (packets == 0 && bytes == 0) return;
  // What is handed out already stays as it is: the oldest open minute takes what is of before.
  const WallMs oldest = std::max(closed_until_ * kMinuteMs,
                                 floor_to(to, kMinuteMs) - options_.open_seconds * 1000);
  from = std::max(from, oldest);
  if (from >= to) {
    add(id, to, {.packets = packets, .bytes = bytes});
    return;
  }
  // Of a whole number the part up to an instant: rounded parts that add up to the whole.
  const auto span = static_cast<double>(to - from);
  const auto up_to = [&](std::int64_t whole, WallMs at) {
    return at >= to
               ? whole
               : std::min(whole, static_cast<std::int64_t>(static_cast<double>(whole) *
                                                           static_cast<double>(at - from) / span));
  };
  std::int64_t packets_done = 0;
  std::int64_t bytes_done = 0;
  for (WallMs slot = floor_to(from, kSlotMs); slot < to; slot += kSlotMs) {
    const std::int64_t p = up_to(packets, slot + kSlotMs);
    const std::int64_t b = up_to(bytes, slot + kSlotMs);
    if (p != packets_done || b != bytes_done) {
      add(id, std::max(slot, from), {.packets = p - packets_done, .bytes = b - bytes_done});
    }
    packets_done = p;
    bytes_done = b;
  }
}

void Rollup::take_flow(const fastpath::Event& event, std::size_t ring, WallMs now) {
  // What passed was allowed, whatever ended the flow.
  Id id = id_of(event);
  id.reason = static_cast<std::uint8_t>(fastpath::Reason::kAllowed);
  id.direction = kRequest;
  if (event.kind == fastpath::EventKind::kFlowStart) {
    add(id, now, {.started = 1});
    ++started_.told;
    return;
  }
  const auto delta = progress_.take(event, ring);
  const WallMs from = now - number(std::min<std::uint64_t>(delta.over_ms, 1ULL << 40));
  const auto& more = delta.more;
  spread(id, from, now, number(more[0]), number(more[1]));
  if (event.kind == fastpath::EventKind::kFlowEnd) {
    add(id, now, {.ended = 1});
    ++ended_.told;
  }
  id.direction = kReply;
  spread(id, from, now, number(more[2]), number(more[3]));
  balances_[static_cast<std::size_t>(fastpath::Reason::kAllowed)].told += number(more[0] + more[2]);
}

void Rollup::take(const fastpath::Event& event, std::size_t ring, WallMs now) {
  progress_.see(event, ring);
  switch (event.kind) {
    case fastpath::EventKind::kFlowStart:
    case fastpath::EventKind::kFlowPeriodic:
    case fastpath::EventKind::kFlowEnd: take_flow(event, ring, now); return;
    case fastpath::EventKind::kDenial: break;
    case fastpath::EventKind::kPacket:
    case fastpath::EventKind::kAudit:
    case fastpath::EventKind::kAttack:
    case fastpath::EventKind::kBlockTaken:
    case fastpath::EventKind::kBlockReturned: return;
    default: return;  // of a newer data plane
  }
  const Id id = id_of(event);
  const std::int64_t packets = std::max<std::int64_t>(number(event.packets), 1);
  const std::int64_t bytes = number(event.bytes);
  add(id, now, {.packets = 1, .bytes = bytes / packets});
  if (packets > 1) {
    // It stands for others too, of which nothing is known but why they were dropped.
    Id others;
    others.names[0] = Names::kUntold;
    others.reason = id.reason;
    add(others, now, {.packets = packets - 1, .bytes = bytes - bytes / packets});
  }
  balances_[id.reason % balances_.size()].told += packets;
}

void Rollup::count_hits(const Sums& counters, WallMs now) {
  Minute& minute = minute_at(now);
  const Names& names = *names_;
  const std::size_t rules = std::min(counters.rules.size(), names.rules.size());
  for (std::size_t i = 0; i < rules; ++i) {
    const auto& after = counters.rules[i];
    // Rules that were not read before: what they have is this watch's, or that of one before.
    const auto before = i < last_.rules.size() ? last_.rules[i] : fresh_ ? Numbers<4>{} : after;
    if (after[2] == before[2] && after[3] == before[3]) continue;
    auto& hits = minute.hits[names.rules[i]];
    hits[0] += number(after[2] - before[2]);
    hits[1] += number(after[3] - before[3]);
  }
}

void Rollup::count(const Sums& counters, WallMs now, std::int64_t elapsed_ms) {
  if (!attached_) return;
  Minute& minute = minute_at(now);
  minute.watch.watched_ms += std::max<std::int64_t>(elapsed_ms, 0);
  minute.watch.events_lost += number(counters.events_lost - last_.events_lost);
  events_lost_ = counters.events_lost;
  const bool quiet = counters.flows_created == counters.flows_ended;
  for (std::size_t i = 0; i < std::min(balances_.size(), counters.reasons.size()); ++i) {
    auto& balance = balances_[i];
    const auto reason = static_cast<fastpath::Reason>(i);
    const std::uint64_t packets = counters.reasons[i][0];
    if (fastpath::verdict_of(reason) == fastpath::Verdict::kLocal) {
      balance.counted = packets;
      const std::int64_t more = balance.open();
      if (more == 0) continue;
      Id id;
      id.reason = static_cast<std::uint8_t>(i);
      add(id, now,
          {.packets = more,
           .bytes = number(counters.reasons[i][1] -
                           (i < last_.reasons.size() ? last_.reasons[i][1] : 0))});
      balance.told += more;
    } else if (fastpath::verdict_of(reason) == fastpath::Verdict::kDrop || quiet) {
      balance.look(packets);
    } else {
      balance.counted = packets;  // live flows have what they did not tell yet
    }
  }
  started_.look(counters.flows_created);
  ended_.look(counters.flows_ended);
  count_hits(counters, now);
  last_ = counters;
  // Once a minute, in the minute that it belongs to.
  const WallMs this_minute = floor_to(now, kMinuteMs) / kMinuteMs;
  if (std::exchange(corrected_minute_, this_minute) != this_minute) correct(now);
}

void Rollup::correct(WallMs now) {
  for (std::size_t i = 0; i < balances_.size(); ++i) {
    correct(balances_[i], &store::Sums::packets, static_cast<fastpath::Reason>(i), now);
  }
  correct(started_, &store::Sums::started, fastpath::Reason::kAllowed, now);
  correct(ended_, &store::Sums::ended, fastpath::Reason::kAllowed, now);
}

void Rollup::correct(Balance& balance, std::int64_t store::Sums::*part, fastpath::Reason reason,
                     WallMs now) {
  const std::int64_t more = std::exchange(balance.least, std::nullopt).value_or(0);
  if (more == 0) return;
  Id id;
  id.names[0] = Names::kUntold;
  id.reason = static_cast<std::uint8_t>(reason);
  store::Sums sums;
  sums.*part = more;
  add(id, now, sums);
  balance.told += more;
}

std::int64_t Rollup::untold_packets() const noexcept {
  return balances_[static_cast<std::size_t>(fastpath::Reason::kAllowed)].open();
}

}  // namespace meiguan::report
