#pragma once

// What the worker tells of flows and packets. An event that finds the ring full is counted
// (BlockTotals::events_lost); denials are told at a limited rate, each with how many it stands for.

#include <array>
#include <cstdint>

#include "dataplane/fastpath/counters.h"
#include "dataplane/fastpath/event.h"
#include "dataplane/fastpath/flow_record.h"
#include "dataplane/fastpath/packet_info.h"
#include "dataplane/fastpath/pipeline.h"
#include "dataplane/fastpath/port_blocks.h"
#include "dataplane/fastpath/translation.h"

namespace meiguan::fastpath {

// The fields of an event that a flow's record gives; `now` is the event's time.
// `translation` is the flow's, or null.
[[nodiscard]] Event event_of_flow(EventKind kind, const FlowRecord& flow,
                                  const Translation* translation, Tick now, FlowEnd end) noexcept;

class EventLog {
 public:
  EventLog(const CounterBlock& counters, EventRing* ring, std::uint32_t denials_per_second) noexcept
      : counters_{counters}, ring_{ring}, denials_per_second_{denials_per_second} {}

  void flow(EventKind kind, const FlowRecord& flow, const Translation* translation, Tick now,
            FlowEnd end = FlowEnd::kNone) noexcept {
    if (ring_ != nullptr) push(event_of_flow(kind, flow, translation, now, end));
  }
  void block(EventKind kind, const PortBlock& block, Tick now) noexcept;
  void audit(const PacketInfo& info, const Fate& fate, SpaceId space, RuleId rule,
             Tick now) noexcept;
  void denial(const PacketInfo& info, const Fate& fate, SpaceId space, Tick now) noexcept;
  // Of one attack the detector tells once a second; of very many, no more than the ring can bear.
  void attack(Event event, Tick now) noexcept;
  void packet(const PacketInfo& info, const Fate& fate, SpaceId space, std::uint64_t sequence,
              Tick now) noexcept;

  // Tells, once a second has passed, of the denials that were passed over in it.
  void flush_denials(Tick now) noexcept {
    if (now >= second_end_ && any_suppressed_) [[unlikely]]
      tell_suppressed(now);
  }
  // The same at once: at shutdown.
  void flush_all(Tick now) noexcept {
    if (any_suppressed_) tell_suppressed(now);
  }

 private:
  // The denials of one reason that no event has told of yet.
  struct Suppressed {
    std::uint64_t packets{0};
    Event first;
  };

  void push(const Event& event) noexcept {
    if (!ring_->push(event)) counters_.totals().events_lost.add(1);
  }
  void tell_suppressed(Tick now) noexcept;

  CounterBlock counters_;
  EventRing* ring_;
  std::uint32_t denials_per_second_;
  std::uint32_t told_{0};  // denials in this second
  Tick second_end_{0};
  static constexpr std::uint32_t kAttacksPerSecond = 256;
  std::uint32_t attacks_{0};  // told of in the second that ends at attack_second_end_
  Tick attack_second_end_{0};
  bool any_suppressed_{false};
  std::array<Suppressed, kReasonCodes> suppressed_{};
};

}  // namespace meiguan::fastpath
