#pragma once

// A pipeline with its counters, its event ring and frames, for tests.

#include <memory>
#include <string>
#include <vector>

#include "dataplane/fastpath/pipeline.h"
#include "dataplane/fastpath/test_frames.h"
#include "dataplane/fastpath/test_image.h"
#include "dataplane/image/bytes.h"

namespace meiguan::fastpath::test {

struct Gate {
  static constexpr std::uint64_t kRing = 1024;

  explicit Gate(PipelineOptions options = {.flow_capacity = 1024,
                                           .assume_resolved = true,
                                           .hash_seed = 1},
                const NeighbourTable* neighbours = nullptr, std::uint64_t ring_events = kRing)
      : counter_memory{CounterBlock::block_bytes(kCapacity)},
        ring_memory{EventRing::ring_bytes(ring_events)},
        counters{counter_memory.span().data(), kCapacity},
        ring{ring_memory.span().data(), ring_events, true},
        pipeline{std::make_unique<Pipeline>(options, counters, &ring, neighbours)} {}

  struct Out {
    Fate fate;
    Bytes frame;  // as it would be sent
    [[nodiscard]] std::string reason() const {
      const ReasonInfo* info = find_reason(fate.reason);
      return info != nullptr ? std::string{info->name} : "?";
    }
  };

  // Sends a burst in by one port.
  std::vector<Out> send(PortId port, const std::vector<Bytes>& wanted, const World& world) {
    return send(port, wanted, world.image());
  }
  std::vector<Out> send(PortId port, const std::vector<Bytes>& wanted, const image::Image& image) {
    std::vector<Bytes> memory;
    std::vector<Frame> frames;
    for (const Bytes& frame : wanted) {
      memory.push_back(Bytes(Frame::kHeadroom) + frame + Bytes(Frame::kTailroom));
    }
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      frames.push_back({memory[i].data() + Frame::kHeadroom,
                        static_cast<std::uint32_t>(wanted[i].size()), port});
    }
    std::vector<Fate> fates(frames.size());
    pipeline->process(image, moment, generation, now, frames, fates);
    std::vector<Out> out;
    for (std::size_t i = 0; i < frames.size(); ++i) {
      out.push_back({fates[i], Bytes(frames[i].data, frames[i].data + frames[i].length)});
    }
    return out;
  }
  Out send(PortId port, const Bytes& frame, const World& world) {
    return send(port, std::vector<Bytes>{frame}, world).front();
  }
  Out send(PortId port, const Bytes& frame, const image::Image& image) {
    return send(port, std::vector<Bytes>{frame}, image).front();
  }

  std::vector<Event> events() {
    std::vector<Event> all(kRing);
    all.resize(ring.pop(all));
    return all;
  }

  static constexpr CounterCapacity kCapacity{.ports = 16, .units = 64, .services = 8, .rules = 8};
  image::AlignedBytes counter_memory;
  image::AlignedBytes ring_memory;
  CounterBlock counters;
  EventRing ring;
  std::unique_ptr<Pipeline> pipeline;
  image::Moment moment;
  std::uint32_t generation{1};
  Tick now{1000};
};

}  // namespace meiguan::fastpath::test
