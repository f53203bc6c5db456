#pragma once

// Captures through the workers' own pipeline, in the captures' own time.
//
//   CaptureFile... --merge by time--> burst of one tick --copy--> Pipeline --> sink
//
// A burst holds frames of one millisecond only, so that what is said of a packet does not depend
// on which others happen to stand in its burst.
//
// A fragment's fate is known when its datagram is whole or given up. Until then it and all packets
// behind it wait in line, so that the sink sees them in order; what waits is bounded by the
// time-out of a datagram, in the captures' own time.

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "controlplane/analysis/capture_file.h"
#include "dataplane/fastpath/pipeline.h"
#include "dataplane/image/block_list.h"
#include "dataplane/image/bytes.h"
#include "dataplane/image/reader.h"

namespace meiguan::analysis {

struct ReplayInput {
  std::string name;  // the file's base name
  CaptureFile file;
  PortId port;               // none: a tap, the port is inferred for each frame (infer_port)
  std::uint64_t guessed{0};  // frames of a tap whose port no route told
};

// One input packet and how it ended. The spans are valid during the call of the sink only.
struct ReplayedPacket {
  std::size_t input{0};    // index of its ReplayInput
  std::uint64_t index{0};  // within its file, from 0
  std::uint64_t time{0};   // nanoseconds since 1970
  std::uint8_t time_digits{6};
  PortId in;                               // the main port it came in by
  std::span<const std::uint8_t> original;  // as captured
  std::span<const std::uint8_t> frame;     // as rewritten, where it is forwarded
  fastpath::Fate fate;
  const fastpath::Fate* baseline{nullptr};  // its fate under the other policy, if there is one
};

// What the pipeline tells of flows and denials, and when by the captures' clock.
using ReplayEvents = std::function<void(const fastpath::Event&, fastpath::Tick now)>;

using ReplaySink = std::function<void(std::span<const ReplayedPacket>)>;

// A frame that the pipeline held, and what became of it. `number` is that of Judge::add.
struct ReleasedFrame {
  std::uint64_t number{0};
  fastpath::Fate fate;
  std::vector<std::uint8_t> frame;  // as rewritten
};

// The pipeline of one policy with all that it needs, and room for one burst of frames. Its ticks
// are milliseconds since 1970: schedules and dates are asked by them.
class Judge {
 public:
  // `events` hears what the pipeline tells; nothing: it is not told.
  explicit Judge(const image::Image& image, std::uint32_t flow_capacity = 1U << 20,
                 ReplayEvents events = {});

  [[nodiscard]] const image::Image& image() const noexcept { return image_; }
  // The block list of the gateway, before the first burst; `list` outlives the judge. Its entries
  // end as the captures' time passes.
  void set_blocks(const image::BlockList& list) noexcept;
  // Forgets the frames of the burst before.
  void clear() noexcept;
  // Copies a frame in; false when the burst is full. `number` is the caller's own.
  [[nodiscard]] bool add(std::span<const std::uint8_t> frame, PortId port,
                         std::uint64_t number = 0);
  [[nodiscard]] std::span<const fastpath::Fate> process(fastpath::Tick now);
  [[nodiscard]] const fastpath::CounterBlock& counters() const noexcept { return counters_; }
  // Gives up what is still held.
  void end(fastpath::Tick now);
  // Frames of this burst or of an earlier one that were held and are not any more, each once.
  [[nodiscard]] std::vector<ReleasedFrame> take_released() { return std::move(released_); }
  [[nodiscard]] std::span<const fastpath::Frame> frames() const noexcept {
    return {frames_.data(), count_};
  }

 private:
  // Memory of a frame that may be held, which outlives its burst.
  struct Kept {
    std::uint64_t number{0};
    std::vector<std::uint8_t> bytes;
  };
  void collect_released();
  void make_ring(std::uint64_t capacity);
  void drain_events(fastpath::Tick now);

  image::Image image_;
  image::Moment moment_;
  std::uint32_t generation_{1};
  const image::BlockList* block_list_{nullptr};
  image::Blocks blocks_;
  image::BlockSpan block_span_;
  image::AlignedBytes counter_memory_;
  fastpath::CounterBlock counters_;
  ReplayEvents events_;
  image::AlignedBytes ring_memory_;
  fastpath::EventRing ring_;  // absent where nobody hears
  fastpath::NeighbourTable neighbours_;
  fastpath::Pipeline pipeline_;
  image::AlignedBytes arena_;
  std::vector<std::unique_ptr<Kept>> kept_;
  std::vector<Kept*> free_;
  std::vector<ReleasedFrame> released_;
  std::size_t used_{0};
  std::size_t count_{0};
  std::size_t since_expiry_{0};
  fastpath::Tick last_expiry_{0};
  std::array<fastpath::Frame, fastpath::kMaxBurst> frames_{};
  std::array<fastpath::Fate, fastpath::kMaxBurst> fates_{};
};

class Replay {
 public:
  // `baseline` may be null. Both images come from the same gateway file. `events` hears what the
  // pipeline of the first one tells.
  Replay(const image::Image& image, const image::Image* baseline, std::vector<ReplayInput> inputs,
         ReplayEvents events = {});

  // Judges every packet, in order of time; equal times in the order of the inputs, and each file
  // in its own order. The sink sees every packet once.
  void run(const ReplaySink& sink);

  [[nodiscard]] const std::vector<ReplayInput>& inputs() const noexcept { return inputs_; }

  // Of the first policy's pipeline.
  [[nodiscard]] const fastpath::CounterBlock& counters() const noexcept {
    return judge_.counters();
  }

  // The block list of the gateway, under both policies; `list` outlives the replay.
  void set_blocks(const image::BlockList& list) noexcept {
    judge_.set_blocks(list);
    if (baseline_) baseline_->set_blocks(list);
  }

  // The sink does not look at ReplayedPacket::frame: packets in line need not keep it.
  void without_frames() noexcept { frames_wanted_ = false; }

 private:
  // A packet in line, whose fate is not known yet or that waits for one before it.
  struct Waiting {
    ReplayedPacket packet;
    fastpath::Fate baseline;
    unsigned unknown{0};  // fates that are to come
    std::vector<std::uint8_t> frame;
  };

  [[nodiscard]] std::size_t earliest() const noexcept;
  void judge(const ReplaySink& sink, fastpath::Tick now);
  void put_in_line();
  void hear_released();
  void pass_on(const ReplaySink& sink);

  std::vector<ReplayInput> inputs_;
  std::vector<std::optional<CapturedFrame>> heads_;  // the next frame of each input
  Judge judge_;
  std::unique_ptr<Judge> baseline_;
  bool frames_wanted_{true};
  std::vector<ReplayedPacket> burst_;
  std::deque<Waiting> line_;
  std::uint64_t next_{0};  // number of the next packet
};

struct InferredPort {
  PortId port;          // a main port
  bool guessed{false};  // no route back to the source told it
};

// The port that a frame of a tap came in by: the main port of the route back to its source (of ARP,
// to the sender) in the address space of the frame's VLAN. Where none tells, or those of several
// address spaces differ: the port whose MAC the frame is addressed to, then that of a subnet that
// it names, of the static neighbour that sent it, and at last the first port.
[[nodiscard]] InferredPort infer_port(const image::Image& image,
                                      std::span<const std::uint8_t> frame) noexcept;

}  // namespace meiguan::analysis
