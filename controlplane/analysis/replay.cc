#include "controlplane/analysis/replay.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

#include "dataplane/fastpath/limit_values.h"

namespace meiguan::analysis {
namespace {

constexpr std::size_t kArenaBytes = std::size_t{1} << 20;
constexpr std::size_t kFrameAlignment = 64;
// Between two looks at idle flows: as many packets, or as many milliseconds of the capture.
constexpr std::size_t kPacketsPerExpiry = 64;
constexpr fastpath::Tick kTicksPerExpiry = 100;
constexpr fastpath::Tick kTicksPerSecond = 1000;
constexpr std::uint64_t kRingEvents = 8192;  // more than one look at packets and flows can tell
constexpr std::uint64_t kNanosecondsPerTick = 1'000'000;

fastpath::CounterCapacity capacity_for(const image::Image& image) {
  const auto at_least_one = [](std::size_t n) {
    return static_cast<std::uint32_t>(std::max<std::size_t>(n, 1));
  };
  return {.ports = at_least_one(image.ports().size()),
          .units = at_least_one(image.units().size()),
          .services = at_least_one(image.services().size()),
          .rules = at_least_one(image.rules().size())};
}

constexpr std::size_t round_up(std::size_t n) {
  return (n + kFrameAlignment - 1) / kFrameAlignment * kFrameAlignment;
}

// The longest frame with the room around it fits an empty arena.
static_assert(round_up(kMaxFrameBytes + fastpath::Frame::kHeadroom + fastpath::Frame::kTailroom) +
                  kFrameAlignment <=
              kArenaBytes);

}  // namespace

Judge::Judge(const image::Image& image, std::uint32_t flow_capacity, ReplayEvents events)
    : image_{image},
      moment_{image, 0},
      counter_memory_{fastpath::CounterBlock::block_bytes(capacity_for(image))},
      counters_{counter_memory_.span().data(), capacity_for(image)},
      events_{std::move(events)},
      ring_memory_{events_ ? fastpath::EventRing::ring_bytes(kRingEvents) : 0},
      ring_{events_ ? fastpath::EventRing{ring_memory_.span().data(), kRingEvents, true}
                    : fastpath::EventRing{}},
      neighbours_{
          static_cast<std::uint32_t>(std::max<std::size_t>(16, 2 * image.neighbours().size()))},
      pipeline_{fastpath::PipelineOptions{.flow_capacity = flow_capacity,
                                          .assume_resolved = true,
                                          .fragments = fastpath::fragment_room(image)},
                counters_, events_ ? &ring_ : nullptr, &neighbours_},
      arena_{kArenaBytes} {
  for (const auto& neighbour : image.neighbours()) {
    neighbours_.set(PortId{neighbour.port}, neighbour.address, neighbour.mac);
  }
}

void Judge::make_ring(std::uint64_t capacity) {
  ring_memory_ = image::AlignedBytes{fastpath::EventRing::ring_bytes(capacity)};
  ring_ = fastpath::EventRing{ring_memory_.span().data(), capacity, true};
}

void Judge::drain_events(fastpath::Tick now) {
  if (!events_) return;
  std::array<fastpath::Event, fastpath::kMaxBurst> events;
  while (const std::size_t count = ring_.pop(events)) {
    for (std::size_t i = 0; i < count; ++i) events_(events[i], now);
  }
}

void Judge::set_blocks(const image::BlockList& list) noexcept {
  block_list_ = &list;
  block_span_ = {0, 0};  // covers nothing: made at the first burst
  pipeline_.set_blocks(&blocks_, {}, 1);
}

void Judge::clear() noexcept {
  for (std::size_t i = 0; i < count_; ++i) {
    if (frames_[i].handle != nullptr && fates_[i].step != fastpath::NextStep::kHold) {
      free_.push_back(static_cast<Kept*>(frames_[i].handle));
    }
  }
  used_ = 0;
  count_ = 0;
}

bool Judge::add(std::span<const std::uint8_t> frame, PortId port, std::uint64_t number) {
  const std::size_t room = round_up(kFrameAlignment + frame.size() + fastpath::Frame::kTailroom);
  if (count_ == fastpath::kMaxBurst || used_ + room > arena_.size()) return false;
  Kept* kept = nullptr;
  std::uint8_t* data = nullptr;
  if (fastpath::Pipeline::may_hold(frame)) {
    if (free_.empty()) {
      free_.reserve(kept_.size() + 1);  // so that clear() need not allocate
      free_.push_back(kept_.emplace_back(std::make_unique<Kept>()).get());
    }
    kept = free_.back();
    free_.pop_back();
    kept->number = number;
    kept->bytes.resize(room);
    data = kept->bytes.data() + kFrameAlignment;
  } else {
    // reinterpret_cast: bytes as bytes.
    data = reinterpret_cast<std::uint8_t*>(arena_.span().data()) + used_ + kFrameAlignment;
    used_ += room;
  }
  if (!frame.empty()) std::memcpy(data, frame.data(), frame.size());
  frames_[count_++] = {.data = data,
                       .length = static_cast<std::uint32_t>(frame.size()),
                       .port = port,
                       .handle = kept};
  return true;
}

std::span<const fastpath::Fate> Judge::process(fastpath::Tick now) {
  const std::span<fastpath::Frame> frames{frames_.data(), count_};
  const std::span<fastpath::Fate> fates{fates_.data(), count_};
  since_expiry_ += count_;
  if (since_expiry_ >= kPacketsPerExpiry || now >= last_expiry_ + kTicksPerExpiry) {
    pipeline_.expire(now);
    collect_released();
    since_expiry_ = 0;
    last_expiry_ = now;
  }
  const auto seconds = static_cast<std::int64_t>(now / kTicksPerSecond);
  if (!moment_.covers(seconds)) {
    const image::Moment next{image_, seconds};
    if (!next.same_conditions(moment_)) ++generation_;
    moment_ = next;
  }
  if (block_list_ != nullptr && !block_span_.covers(seconds)) {
    // Packets come in order of time: what has ended does not begin again.
    blocks_ = image::Blocks{*block_list_, image_, seconds};
    block_span_ = image::span_at(*block_list_, seconds);
  }
  pipeline_.process(image_, moment_, generation_, now, frames, fates);
  collect_released();
  drain_events(now);
  return fates;
}

void Judge::end(fastpath::Tick now) {
  // All that live end at once, and each tells of it; then of what is still held.
  if (events_) make_ring(std::bit_ceil(std::uint64_t{2} * pipeline_.live_flows() + kRingEvents));
  pipeline_.end_all(now, fastpath::FlowEnd::kShutdown);
  collect_released();
  drain_events(now);
}

void Judge::collect_released() {
  std::array<fastpath::Frame, fastpath::kMaxBurst> frames;
  std::array<fastpath::Fate, fastpath::kMaxBurst> fates;
  while (const std::size_t count = pipeline_.released(frames, fates)) {
    for (std::size_t i = 0; i < count; ++i) {
      auto* const kept = static_cast<Kept*>(frames[i].handle);
      released_.push_back(
          {kept->number, fates[i], {frames[i].data, frames[i].data + frames[i].length}});
      free_.push_back(kept);
    }
  }
}

Replay::Replay(const image::Image& image, const image::Image* baseline,
               std::vector<ReplayInput> inputs, ReplayEvents events)
    : inputs_{std::move(inputs)}, judge_{image, 1U << 20, std::move(events)} {
  if (baseline != nullptr) baseline_ = std::make_unique<Judge>(*baseline);
  for (auto& input : inputs_) heads_.push_back(input.file.next());
}

// A handful of files: a scan is faster than a heap, and stable.
std::size_t Replay::earliest() const noexcept {
  std::size_t best = heads_.size();
  for (std::size_t i = 0; i < heads_.size(); ++i) {
    if (!heads_[i]) continue;
    if (best == heads_.size() || heads_[i]->time < heads_[best]->time) best = i;
  }
  return best;
}

void Replay::run(const ReplaySink& sink) {
  burst_.reserve(fastpath::kMaxBurst);
  fastpath::Tick now = 0;
  for (;;) {
    const std::size_t i = earliest();
    if (i == heads_.size()) break;
    ReplayInput& input = inputs_[i];
    const CapturedFrame frame = *heads_[i];
    const fastpath::Tick tick = frame.time / kNanosecondsPerTick;
    if (tick != now && !burst_.empty()) judge(sink, now);
    now = tick;
    PortId port = input.port;
    if (port.is_none()) {
      const InferredPort inferred = infer_port(judge_.image(), frame.bytes);
      port = inferred.port;
      if (inferred.guessed) ++input.guessed;
    }
    if (!judge_.add(frame.bytes, port, next_)) {
      judge(sink, now);
      static_cast<void>(judge_.add(frame.bytes, port, next_));  // fits: the burst is empty now
    }
    // In step with judge_.
    if (baseline_) static_cast<void>(baseline_->add(frame.bytes, port, next_));
    ++next_;
    ReplayedPacket& packet = burst_.emplace_back();
    packet.input = i;
    packet.index = frame.index;
    packet.time = frame.time;
    packet.time_digits = frame.time_digits;
    packet.in = port;
    packet.original = frame.bytes;
    heads_[i] = input.file.next();
  }
  if (!burst_.empty()) judge(sink, now);
  judge_.end(now);
  if (baseline_) baseline_->end(now);
  hear_released();
  pass_on(sink);
}

void Replay::judge(const ReplaySink& sink, fastpath::Tick now) {
  const auto fates = judge_.process(now);
  const auto frames = judge_.frames();
  std::span<const fastpath::Fate> others;
  if (baseline_) others = baseline_->process(now);
  const auto held = [](const fastpath::Fate& fate) {
    return fate.step == fastpath::NextStep::kHold;
  };
  const bool wait = !line_.empty() || std::ranges::any_of(fates, held) ||
                    std::ranges::any_of(others, held);
  for (std::size_t i = 0; i < burst_.size(); ++i) {
    burst_[i].fate = fates[i];
    burst_[i].frame = {frames[i].data, frames[i].length};
    if (baseline_) burst_[i].baseline = &others[i];
  }
  if (wait) {
    put_in_line();
    hear_released();
    pass_on(sink);
  } else {
    sink(burst_);
  }
  burst_.clear();
  judge_.clear();
  if (baseline_) baseline_->clear();
}

void Replay::put_in_line() {
  const auto unknown = [](const fastpath::Fate& fate) {
    return fate.step == fastpath::NextStep::kHold ? 1U : 0U;
  };
  for (const ReplayedPacket& packet : burst_) {
    Waiting& waiting = line_.emplace_back();
    waiting.packet = packet;
    waiting.unknown = unknown(packet.fate);
    if (packet.baseline != nullptr) {
      waiting.baseline = *packet.baseline;
      waiting.unknown += unknown(waiting.baseline);
    }
    if (frames_wanted_) waiting.frame.assign(packet.frame.begin(), packet.frame.end());
  }
}

void Replay::hear_released() {
  const std::uint64_t first = next_ - line_.size();
  // A frame of the burst in hand has its number before `next_`, and so has every one in line.
  for (ReleasedFrame& released : judge_.take_released()) {
    Waiting& waiting = line_[released.number - first];
    waiting.packet.fate = released.fate;
    if (frames_wanted_) waiting.frame = std::move(released.frame);
    --waiting.unknown;
  }
  if (!baseline_) return;
  for (const ReleasedFrame& released : baseline_->take_released()) {
    Waiting& waiting = line_[released.number - first];
    waiting.baseline = released.fate;
    --waiting.unknown;
  }
}

void Replay::pass_on(const ReplaySink& sink) {
  std::vector<ReplayedPacket> packets;
  while (!line_.empty() && line_.front().unknown == 0) {
    packets.clear();
    std::size_t count = 0;
    for (; count < std::min(line_.size(), fastpath::kMaxBurst) && line_[count].unknown == 0;
         ++count) {
      Waiting& waiting = line_[count];
      waiting.packet.frame = waiting.frame;
      if (waiting.packet.baseline != nullptr) waiting.packet.baseline = &waiting.baseline;
      packets.push_back(waiting.packet);
    }
    sink(packets);
    line_.erase(line_.begin(), line_.begin() + static_cast<std::ptrdiff_t>(count));
  }
}

}  // namespace meiguan::analysis
