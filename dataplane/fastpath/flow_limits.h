#pragma once

// How much each sender, unit, service and rule may take of a worker's flow table and of its time:
// concurrent flows, new flows a second, half-open connections, bytes a second; and what is left to
// whom when the table is nearly full.
//
// The counts are exact for units, services and rules: each is the number of live flows whose record
// names it, whatever becomes of the flow, so that every change of a record's owners goes through
// `move`, of its standing through `set_half_open`, and its end through `end`. Those of sources and
// destinations are kept in a table that no flood can fill (two_rows.h) and are never too small.
//
// A limit holds for the gateway as a whole: each of several workers takes an equal share of it, as
// flows are spread over them by their hash.

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

#include "dataplane/base/strong_id.h"
#include "dataplane/fastpath/allowance.h"
#include "dataplane/fastpath/counters.h"
#include "dataplane/fastpath/flow_key.h"
#include "dataplane/fastpath/rate.h"
#include "dataplane/fastpath/reason.h"
#include "dataplane/fastpath/two_rows.h"
#include "dataplane/image/reader.h"

namespace meiguan::fastpath {

// Whom a flow is counted to.
struct Owners {
  UnitId unit;  // of the initiator
  ServiceId service;
  RuleId rule;
  PortId in;  // of the initiator: those without a unit are one party for each port

  bool operator==(const Owners&) const = default;
};

struct LimitsOptions {
  std::uint32_t flow_capacity{1U << 20};
  std::uint32_t workers{1};
  std::uint64_t seed{1};  // chooses who shares cells
};

class Limits {
 public:
  // Takes all memory here; `capacity` bounds the ids of units, services and rules.
  Limits(const LimitsOptions& options, const CounterCapacity& capacity);

  // Takes on the gateway's own limits of an image; for every new generation, before its first
  // burst. Those of units, services and rules follow at their next flow.
  void begin(const image::Image& image, std::uint32_t generation) noexcept;
  [[nodiscard]] std::uint32_t generation() const noexcept { return generation_; }

  // Where a flow's two addresses are counted; fetches these lines.
  struct Claim {
    Places source;
    Places destination;
  };
  [[nodiscard]] Claim claim(const FlowKey& key) const noexcept;

  // Whether a flow that the rules allow may open: kAllowed, or the first limit that it would
  // exceed; kSynCookie where only its destination's is, and its source may show that it is real.
  // Takes nothing. `live` is how full the table is; `tcp` that it begins half-open. The owners are
  // of `image`.
  [[nodiscard]] Reason admit(const image::Image& image, const Claim& claim, const Owners& owners,
                             bool tcp, std::uint32_t live, RateTime now) noexcept;
  // As many again for sources that have.
  [[nodiscard]] bool has_room_for_verified(const Claim& claim) const noexcept {
    return half_open_towards(claim) / 2 < half_open_;
  }
  // A flow that was admitted has been opened.
  void open(const Claim& claim, const Owners& owners, bool half_open, RateTime now) noexcept;
  // A live flow's connection has become half-open or is so no more; its owners have changed; it has
  // ended.
  void set_half_open(const FlowKey& key, const Owners& owners, bool half_open) noexcept;
  void move(const Owners& from, const Owners& to, bool half_open) noexcept;
  void end(const FlowKey& key, const Owners& owners, bool half_open) noexcept;

  // Whether anything in force limits bytes; where not, `police` need not be asked.
  [[nodiscard]] bool polices() const noexcept { return polices_; }
  // Whether a packet of a flow may pass by all of its owners' bandwidths; where it may, it is
  // charged to each. The owners are of `image`.
  [[nodiscard]] bool police(const image::Image& image, const Owners& owners, std::uint32_t bytes,
                            RateTime now) noexcept;

  // What is counted, for tests: exact by owner, for addresses never too small.
  [[nodiscard]] const Allowance& of(UnitId id) const noexcept { return units_[id.index()]; }
  [[nodiscard]] const Allowance& of(ServiceId id) const noexcept { return services_[id.index()]; }
  [[nodiscard]] const Allowance& of(RuleId id) const noexcept { return rules_[id.index()]; }
  [[nodiscard]] std::uint32_t flows_from(const FlowKey& key) const noexcept;
  [[nodiscard]] std::uint32_t flows_from(const Claim& claim) const noexcept {
    return std::min(sources_[claim.source[0]].flows, sources_[claim.source[1]].flows);
  }
  [[nodiscard]] std::uint32_t half_open_towards(const FlowKey& key) const noexcept {
    return half_open_towards(Claim{{}, destinations_.places(key.destination, key.space)});
  }
  [[nodiscard]] std::uint32_t half_open_towards(const Claim& claim) const noexcept {
    return std::min(destinations_[claim.destination[0]], destinations_[claim.destination[1]]);
  }
  [[nodiscard]] std::uint32_t parties() const noexcept { return parties_; }

 private:
  struct SourceCell {
    RateTime next{0};
    std::uint32_t flows{0};
    std::uint32_t reserved{0};
  };
  static_assert(sizeof(SourceCell) == 16);
  using DestinationCell = std::uint32_t;  // half-open connections

  // The allowances of a flow's owners, up to date with the image; null where there is no such
  // owner.
  using Purses = std::array<Allowance*, 3>;
  [[nodiscard]] Purses purses(const image::Image& image, const Owners& owners) noexcept;
  // The flows of the unit, or of the port's senders without one.
  [[nodiscard]] std::uint32_t& party(const Owners& owners) noexcept {
    return owners.unit.is_some() ? units_[owners.unit.index()].flows
                                 : strangers_[owners.in.index()];
  }
  [[nodiscard]] bool beyond_share(const Claim& claim, const Owners& owners,
                                  std::uint32_t live) noexcept;
  [[nodiscard]] Reason admit_source(const Claim& claim, RateTime now) const noexcept;
  void add(const Owners& owners, bool half_open) noexcept;
  void remove(const Owners& owners, bool half_open) noexcept;
  template <typename Each>
  void for_each(const Owners& owners, Each&& each) noexcept;

  LimitsOptions options_;
  TwoRows<SourceCell> sources_;
  TwoRows<DestinationCell> destinations_;
  std::vector<Allowance> units_;
  std::vector<Allowance> services_;
  std::vector<Allowance> rules_;
  std::array<std::uint32_t, image::kMaxPorts> strangers_{};  // flows of no unit, by in-port
  std::uint32_t parties_{0};  // units and ports' strangers that have flows

  // Of the image in force.
  std::uint32_t generation_{0};
  bool polices_{false};
  std::uint32_t source_flows_{Allowance::kUnlimited};
  std::uint32_t half_open_{Allowance::kUnlimited};  // towards one destination
  bool syn_cookies_{false};
  FlowRate source_rate_;
  FlowRate total_rate_;
  RateTime total_next_{0};
  std::uint32_t share_{0};    // flows that a party may have whatever the number of parties
  std::uint32_t share_from_;  // live flows from which on shares hold
  std::uint32_t share_all_;   // and those from which on they hold for small senders, too
};

}  // namespace meiguan::fastpath
