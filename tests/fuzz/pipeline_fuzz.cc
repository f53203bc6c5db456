// Any bytes as a sequence of frames through one pipeline with the hand-made image of the tests.
// The pipeline does not look at a frame's destination MAC, so that these bytes say what the frame
// does not: the first the port, the second the time that passes and whether the policy changes, the
// next two how long the frame is; a length below a header or above the rest means the rest, so that
// a plain frame is a sequence of one. What must hold: every frame ends once and with one reason,
// those that were held with their datagram or when its time is out; what is sent is a well-formed
// frame with one hop less, and with right checksums where it came with such, translated or not; and
// the counters add up.

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <memory>
#include <span>
#include <vector>

#include "dataplane/fastpath/parse.h"
#include "dataplane/fastpath/pipeline_fixture.h"
#include "dataplane/fastpath/test_checksums.h"

namespace {

using namespace meiguan;
using namespace meiguan::fastpath;

void require(bool holds) {
  if (!holds) __builtin_trap();
}

std::uint8_t ttl_of(std::span<const std::uint8_t> frame) {
  PacketInfo info;
  parse(frame, info);
  require(info.well_formed() && info.is_ip());
  return info.ttl;
}

struct Harness {
  const test::World worlds[4] = {
      test::World{},
      test::World{
          {.allow = false, .lan_anti_spoof = image::AntiSpoof::kLoose, .core_routes = false}},
      test::World{{.lan_anti_spoof = image::AntiSpoof::kOff, .publish = true}},
      test::World{{.lan_anti_spoof = image::AntiSpoof::kOff, .nat = true}}};
};

// Computed anew, by the tests' own way: translation changes checksums by differences.
bool checksums_right(std::span<const std::uint8_t> frame, const PacketInfo& info) {
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

void check_end(const Input& input, const Frame& frame, const Fate& fate) {
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

void take_released(test::Gate& gate, Held& held) {
  std::array<Frame, 5> frames;
  std::array<Fate, 5> fates;
  while (const std::size_t count = gate.pipeline->released(frames, fates)) {
    for (std::size_t i = 0; i < count; ++i) {
      const auto input = held.find(frames[i].handle);
      require(input != held.end());
      check_end(*input->second, frames[i], fates[i]);
      held.erase(input);
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Harness harness;
  test::Gate gate{{.flow_capacity = 32,
                   .assume_resolved = true,
                   .hash_seed = 1,
                   .fragments = {.fragments = 8,
                                 .datagrams = 4,
                                 .per_datagram = 4,
                                 .source_fragments = 6,
                                 .source_datagrams = 3}},
                  nullptr,
                  16};
  Held held;
  std::uint64_t frames = 0;
  std::size_t world = 0;
  std::size_t at = 0;
  while (size - at >= 4) {
    const std::uint8_t where = data[at];
    const std::uint8_t how = data[at + 1];
    std::size_t length = static_cast<std::size_t>(data[at + 2] << 8 | data[at + 3]);
    if (length < sizeof(net::EthernetHeader) || length > size - at) length = size - at;
    auto input = std::make_unique<Input>(data + at, length);
    at += length;
    if ((how & 0x80) != 0) {
      world = how & 3;
      ++gate.generation;
    }
    gate.now += Tick{how & 0x7fU} * (how & 0x7fU) * 100;

    Frame frame{input->memory.get() + Frame::kHeadroom, static_cast<std::uint32_t>(length),
                PortId{static_cast<std::uint16_t>(where & 7)}, input.get()};
    Fate fate;
    gate.pipeline->process(harness.worlds[world].image(), {}, gate.generation, gate.now,
                           {&frame, 1}, {&fate, 1});
    ++frames;
    if (fate.step == NextStep::kHold) {
      require(input->may_hold);
      void* const handle = input.get();
      held.emplace(handle, std::move(input));
    } else {
      check_end(*input, frame, fate);
    }
    take_released(gate, held);
    gate.pipeline->expire(gate.now);
    take_released(gate, held);
    require(held.size() <= 8);
  }
  gate.pipeline->end_all(gate.now, FlowEnd::kShutdown);
  take_released(gate, held);
  require(held.empty());
  std::uint64_t sum = 0;
  for (const ReasonInfo& info : kReasons) {
    sum += gate.counters.reason(info.reason).traffic.packets.value();
  }
  require(sum == frames && gate.counters.totals().packets.value() == frames);
  require(gate.counters.totals().flows_created.value() ==
          gate.counters.totals().flows_ended.value());
  require(gate.pipeline->live_flows() == 0);
  return 0;
}
