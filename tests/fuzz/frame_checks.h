#pragma once

// What must hold of every frame that goes through a pipeline: it ends once and with one reason;
// what is sent is well-formed, with one hop less, and with right checksums where it came with such.

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <memory>
#include <span>

#include "dataplane/fastpath/parse.h"
#include "dataplane/fastpath/pipeline_fixture.h"
#include "dataplane/fastpath/test_checksums.h"

namespace meiguan::fastpath::fuzz {

inline void require(bool holds) {
  if (!holds) __builtin_trap();
}

inline std::uint8_t ttl_of(std::span<const std::uint8_t> frame) {
  PacketInfo info;
  parse(frame, info);
  require(info.well_formed() && info.is_ip());
  return info.ttl;
}

// Computed anew, by the tests' own way: translation changes checksums by differences.
inline bool checksums_right(std::span<const std::uint8_t> frame, const PacketInfo& info) {
  return info.well_formed() && info.is_ip() &&
         test::wrong_checksum(frame.subspan(info.l3_offset, info.ip_bytes)).empty();
}

// A frame that was sent in, in exactly as much memory as may be touched: nothing behind, as no
// service of these worlds has a helper.
struct Input {
  Input(const std::uint8_t* data, std::size_t size)
      : length{size}, memory{new std::uint8_t[Frame::kHeadroom + size]} {
    std::memcpy(memory.get() + Frame::kHeadroom, data, size);
    parse({memory.get() + Frame::kHeadroom, size}, before);
    right = checksums_right({memory.get() + Frame::kHeadroom, size}, before);
    may_hold = Pipeline::may_hold({memory.get() + Frame::kHeadroom, size});
  }
  std::size_t length;
  std::unique_ptr<std::uint8_t[]> memory;
  PacketInfo before;
  bool right{false};  // every checksum of it
  bool may_hold{false};
};

inline void check_end(const Input& input, const Frame& frame, const Fate& fate) {
  require(find_reason(fate.reason) != nullptr);
  require((verdict_of(fate.reason) == Verdict::kForward) == (fate.step == NextStep::kSend));
  require((verdict_of(fate.reason) == Verdict::kLocal) ==
          (fate.step == NextStep::kConsume || fate.reason == Reason::kSynCookie));
  if (fate.step == NextStep::kSend) {
    require(input.before.well_formed() && input.before.is_ip() && input.before.ttl > 1);
    require(frame.data >= input.memory.get());
    require(frame.data + frame.length <= input.memory.get() + Frame::kHeadroom + input.length);
    require(ttl_of({frame.data, frame.length}) == input.before.ttl - 1);
    if (input.right) {
      PacketInfo after;
      parse({frame.data, frame.length}, after);
      require(checksums_right({frame.data, frame.length}, after));
    }
    require(fate.out.is_some());
    require(fate.rule.is_some());
  } else if (fate.step == NextStep::kAnswer) {
    require(frame.data == input.memory.get() + Frame::kHeadroom && frame.length <= input.length);
  } else {
    require(frame.data == input.memory.get() + Frame::kHeadroom && frame.length == input.length);
  }
  if (!input.before.well_formed()) require(verdict_of(fate.reason) == Verdict::kDrop);
}

using Held = std::map<void*, std::unique_ptr<Input>>;

// Takes back what was held; `ended(input, frame, fate)` for each.
template <typename Ended>
void take_released(test::Gate& gate, Held& held, Ended&& ended) {
  std::array<Frame, 5> frames;
  std::array<Fate, 5> fates;
  while (const std::size_t count = gate.pipeline->released(frames, fates)) {
    for (std::size_t i = 0; i < count; ++i) {
      const auto input = held.find(frames[i].handle);
      require(input != held.end());
      check_end(*input->second, frames[i], fates[i]);
      ended(*input->second, frames[i], fates[i]);
      held.erase(input);
    }
  }
}

// When all is over nothing is left, and each of `frames` was counted once.
inline void check_all_ended(test::Gate& gate, Held& held, std::uint64_t frames) {
  gate.pipeline->end_all(gate.now, FlowEnd::kShutdown);
  take_released(gate, held, [](const Input&, const Frame&, const Fate&) {});
  require(held.empty());
  std::uint64_t sum = 0;
  for (const ReasonInfo& info : kReasons) {
    sum += gate.counters.reason(info.reason).traffic.packets.value();
  }
  require(sum == frames && gate.counters.totals().packets.value() == frames);
  require(gate.counters.totals().flows_created.value() ==
          gate.counters.totals().flows_ended.value());
  require(gate.pipeline->live_flows() == 0);
}

}  // namespace meiguan::fastpath::fuzz
