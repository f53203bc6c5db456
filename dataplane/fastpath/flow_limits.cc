#include "dataplane/fastpath/flow_limits.h"

#include <algorithm>
#include <bit>

#include "dataplane/fastpath/limit_values.h"

namespace meiguan::fastpath {
namespace {

// A sender without a unit that has no more flows than this is let on for longer when its port's
// share is used up: what fills the table is many flows of a few senders, or one of many.
constexpr std::uint32_t kSmallSender = 8;

std::size_t cells_for(std::uint32_t flow_capacity, unsigned flows_per_cell, std::size_t least,
                      std::size_t most) {
  return std::bit_ceil(std::clamp<std::size_t>(flow_capacity / flows_per_cell, least, most));
}

}  // namespace

Limits::Limits(const LimitsOptions& options, const CounterCapacity& capacity)
    : options_{options},
      sources_{cells_for(options.flow_capacity, 8, 1024, 1U << 18), HashSeed::from(options.seed)},
      destinations_{cells_for(options.flow_capacity, 16, 1024, 1U << 17),
                    HashSeed::from(options.seed + 1)},
      units_(capacity.units),
      services_(capacity.services),
      rules_(capacity.rules),
      share_from_{options.flow_capacity},
      share_all_{options.flow_capacity} {
  options_.workers = std::max(options_.workers, 1U);
}

void Limits::begin(const image::Image& image, std::uint32_t generation) noexcept {
  generation_ = generation;
  const image::GatewayLimits& values = image.gateway_limits();
  const std::uint32_t workers = options_.workers;
  polices_ = any_bandwidth(image);
  source_flows_ = Allowance::share(values.source_flows, workers);
  source_rate_ = FlowRate::of(values.source_new_per_second, workers);
  half_open_ = Allowance::share(values.half_open_per_destination, workers);
  syn_cookies_ = values.syn_cookies != 0;
  total_rate_ = FlowRate::of(values.new_per_second, workers);
  const std::uint64_t capacity = options_.flow_capacity;
  share_ = static_cast<std::uint32_t>(capacity * values.share_percent / 100);
  share_from_ = static_cast<std::uint32_t>(capacity * values.share_from_percent / 100);
  // Half of what is then left.
  share_all_ = static_cast<std::uint32_t>((capacity + share_from_) / 2);
}

Limits::Claim Limits::claim(const FlowKey& key) const noexcept {
  const Claim claim{sources_.places(key.source, key.space),
                    destinations_.places(key.destination, key.space)};
  sources_.prefetch(claim.source);
  destinations_.prefetch(claim.destination);
  return claim;
}

Limits::Purses Limits::purses(const image::Image& image, const Owners& owners) noexcept {
  Purses found{};
  const auto look = [&](auto id, std::vector<Allowance>& all) -> Allowance* {
    if (id.is_none()) return nullptr;
    Allowance& allowance = all[id.index()];
    if (allowance.generation != generation_) [[unlikely]] {
      allowance.set(limit_values(image, id), options_.workers, generation_);
    }
    return &allowance;
  };
  found[0] = look(owners.unit, units_);
  found[1] = look(owners.service, services_);
  found[2] = look(owners.rule, rules_);
  return found;
}

Reason Limits::admit_source(const Claim& claim, RateTime now) const noexcept {
  const SourceCell& a = sources_[claim.source[0]];
  const SourceCell& b = sources_[claim.source[1]];
  if (std::min(a.flows, b.flows) >= source_flows_) return Reason::kSourceFlows;
  if (source_rate_.limited() && !source_rate_.has_room(a.next, now) &&
      !source_rate_.has_room(b.next, now)) {
    return Reason::kSourceRate;
  }
  return Reason::kAllowed;
}

bool Limits::beyond_share(const Claim& claim, const Owners& owners, std::uint32_t live) noexcept {
  const std::uint64_t flows = party(owners);
  // An equal part of the table, with one for a party that may still come; by a product and not a
  // quotient.
  if (flows < share_ || flows * (parties_ + std::uint64_t{1}) < options_.flow_capacity)
    return false;
  if (owners.unit.is_some() || live >= share_all_) return true;
  return std::min(sources_[claim.source[0]].flows, sources_[claim.source[1]].flows) >= kSmallSender;
}

Reason Limits::admit(const image::Image& image, const Claim& claim, const Owners& owners, bool tcp,
                     std::uint32_t live, RateTime now) noexcept {
  if (const Reason reason = admit_source(claim, now); reason != Reason::kAllowed) return reason;
  for (const Allowance* purse : purses(image, owners)) {
    if (purse == nullptr) continue;
    if (purse->flows >= purse->most_flows) return Reason::kFlowLimit;
    if (tcp && purse->half_open >= purse->most_half_open) return Reason::kHalfOpen;
    if (purse->flow_rate.limited() && !purse->flow_rate.has_room(purse->flow_next, now)) {
      return Reason::kRateLimit;
    }
  }
  if (total_rate_.limited() && !total_rate_.has_room(total_next_, now)) return Reason::kTotalRate;
  if (live >= share_from_ && live < options_.flow_capacity && beyond_share(claim, owners, live)) {
    return Reason::kFlowShare;
  }
  if (tcp && half_open_towards(claim) >= half_open_) {
    return syn_cookies_ ? Reason::kSynCookie : Reason::kHalfOpen;
  }
  return Reason::kAllowed;
}

void Limits::open(const Claim& claim, const Owners& owners, bool half_open, RateTime now) noexcept {
  for (const std::uint32_t place : claim.source) {
    SourceCell& cell = sources_[place];
    ++cell.flows;
    if (source_rate_.limited()) cell.next = source_rate_.after_one(cell.next, now);
  }
  if (half_open) {
    for (const std::uint32_t place : claim.destination) ++destinations_[place];
  }
  if (total_rate_.limited()) total_next_ = total_rate_.after_one(total_next_, now);
  for_each(owners, [now](Allowance& purse) {
    if (purse.flow_rate.limited())
      purse.flow_next = purse.flow_rate.after_one(purse.flow_next, now);
  });
  add(owners, half_open);
}

void Limits::set_half_open(const FlowKey& key, const Owners& owners, bool half_open) noexcept {
  const std::uint32_t change = half_open ? 1 : ~std::uint32_t{0};  // one more, or one less
  for (const std::uint32_t place : destinations_.places(key.destination, key.space)) {
    destinations_[place] += change;
  }
  for_each(owners, [change](Allowance& purse) { purse.half_open += change; });
}

void Limits::move(const Owners& from, const Owners& to, bool half_open) noexcept {
  if (from == to) return;
  remove(from, half_open);
  add(to, half_open);
}

void Limits::end(const FlowKey& key, const Owners& owners, bool half_open) noexcept {
  for (const std::uint32_t place : sources_.places(key.source, key.space)) --sources_[place].flows;
  if (half_open) {
    for (const std::uint32_t place : destinations_.places(key.destination, key.space)) {
      --destinations_[place];
    }
  }
  remove(owners, half_open);
}

template <typename Each>
void Limits::for_each(const Owners& owners, Each&& each) noexcept {
  if (owners.unit.is_some()) each(units_[owners.unit.index()]);
  if (owners.service.is_some()) each(services_[owners.service.index()]);
  if (owners.rule.is_some()) each(rules_[owners.rule.index()]);
}

void Limits::add(const Owners& owners, bool half_open) noexcept {
  if (party(owners) == 0) ++parties_;
  if (owners.unit.is_none()) ++strangers_[owners.in.index()];
  for_each(owners, [half_open](Allowance& purse) {
    ++purse.flows;
    if (half_open) ++purse.half_open;
  });
}

void Limits::remove(const Owners& owners, bool half_open) noexcept {
  if (owners.unit.is_none()) --strangers_[owners.in.index()];
  for_each(owners, [half_open](Allowance& purse) {
    --purse.flows;
    if (half_open) --purse.half_open;
  });
  if (party(owners) == 0) --parties_;
}

bool Limits::police(const image::Image& image, const Owners& owners, std::uint32_t bytes,
                    RateTime now) noexcept {
  const Purses found = purses(image, owners);
  for (const Allowance* purse : found) {
    if (purse != nullptr && purse->byte_rate.limited() &&
        !conforms(purse->byte_next, now, purse->byte_rate.burst)) {
      return false;
    }
  }
  for (Allowance* purse : found) {
    if (purse == nullptr || !purse->byte_rate.limited()) continue;
    purse->byte_next = charged(purse->byte_next, now, purse->byte_rate.cost_of(bytes),
                               purse->byte_rate.burst);
  }
  return true;
}

std::uint32_t Limits::flows_from(const FlowKey& key) const noexcept {
  return flows_from(Claim{sources_.places(key.source, key.space), {}});
}

}  // namespace meiguan::fastpath
