// Any bytes as a sequence of frames through one pipeline with the hand-made image of the tests.
// The pipeline does not look at a frame's destination MAC, so that these bytes say what the frame
// does not: the first the port, the second the time that passes and whether the policy changes, the
// next two how long the frame is; a length below a header or above the rest means the rest, so that
// a plain frame is a sequence of one. What must hold: every frame ends once and with one reason,
// those that were held with their datagram or when its time is out; what is sent is a well-formed
// frame with one hop less, and with right checksums where it came with such, translated or not; and
// the counters add up.

#include <cstddef>
#include <cstdint>
#include <memory>

#include "tests/fuzz/frame_checks.h"

namespace {

using namespace meiguan;
using namespace meiguan::fastpath;
using namespace meiguan::fastpath::fuzz;

struct Harness {
  const test::World worlds[4] = {
      test::World{},
      test::World{
          {.allow = false, .lan_anti_spoof = image::AntiSpoof::kLoose, .core_routes = false}},
      test::World{{.lan_anti_spoof = image::AntiSpoof::kOff, .publish = true}},
      test::World{{.lan_anti_spoof = image::AntiSpoof::kOff, .nat = true}}};
};

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
  const auto ignore = [](const Input&, const Frame&, const Fate&) {};
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
    take_released(gate, held, ignore);
    gate.pipeline->expire(gate.now);
    take_released(gate, held, ignore);
    require(held.size() <= 8);
  }
  check_all_ended(gate, held, frames);
  return 0;
}
