#include "controlplane/analysis/replay.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace meiguan::analysis {
namespace {

constexpr std::size_t kArenaBytes = std::size_t{1} << 20;
constexpr std::size_t kFrameAlignment = 64;
// Between two looks at idle flows: as many packets, or as many milliseconds of the capture.
constexpr std::size_t kPacketsPerExpiry = 64;
constexpr fastpath::Tick kTicksPerExpiry = 100;
constexpr fastpath::Tick kTicksPerSecond = 1000;
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

// The longest frame with its headroom fits an empty arena.
static_assert(round_up(kMaxFrameBytes + fastpath::Frame::kHeadroom) + kFrameAlignment <=
              kArenaBytes);

}  // namespace

Judge::Judge(const image::Image& image, std::uint32_t flow_capacity)
    : image_{image},
      moment_{image, 0},
      counter_memory_{fastpath::CounterBlock::block_bytes(capacity_for(image))},
      neighbours_{
          static_cast<std::uint32_t>(std::max<std::size_t>(16, 2 * image.neighbours().size()))},
      pipeline_{fastpath::PipelineOptions{.flow_capacity = flow_capacity, .assume_resolved = true},
                fastpath::CounterBlock{counter_memory_.span().data(), capacity_for(image)}, nullptr,
                &neighbours_},
      arena_{kArenaBytes} {
  for (const auto& neighbour : image.neighbours()) {
    neighbours_.set(PortId{neighbour.port}, neighbour.address, neighbour.mac);
  }
}

void Judge::clear() noexcept {
  used_ = 0;
  count_ = 0;
}

bool Judge::add(std::span<const std::uint8_t> frame, PortId port) noexcept {
  const std::size_t room = round_up(kFrameAlignment + frame.size());
  if (count_ == fastpath::kMaxBurst || used_ + room > arena_.size()) return false;
  // reinterpret_cast: bytes as bytes.
  auto* const data = reinterpret_cast<std::uint8_t*>(arena_.span().data()) + used_ +
                     kFrameAlignment;
  if (!frame.empty()) std::memcpy(data, frame.data(), frame.size());
  frames_[count_++] = {.data = data,
                       .length = static_cast<std::uint32_t>(frame.size()),
                       .port = port};
  used_ += room;
  return true;
}

std::span<const fastpath::Fate> Judge::process(fastpath::Tick now) noexcept {
  const std::span<fastpath::Frame> frames{frames_.data(), count_};
  const std::span<fastpath::Fate> fates{fates_.data(), count_};
  since_expiry_ += count_;
  if (since_expiry_ >= kPacketsPerExpiry || now >= last_expiry_ + kTicksPerExpiry) {
    pipeline_.expire(now);
    since_expiry_ = 0;
    last_expiry_ = now;
  }
  const auto seconds = static_cast<std::int64_t>(now / kTicksPerSecond);
  if (!moment_.covers(seconds)) {
    const image::Moment next{image_, seconds};
    if (!next.same_conditions(moment_)) ++generation_;
    moment_ = next;
  }
  pipeline_.process(image_, moment_, generation_, now, frames, fates);
  return fates;
}

Replay::Replay(const image::Image& image, const image::Image* baseline,
               std::vector<ReplayInput> inputs)
    : inputs_{std::move(inputs)}, judge_{image} {
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
  std::vector<ReplayedPacket> burst;
  burst.reserve(fastpath::kMaxBurst);
  fastpath::Tick now = 0;
  for (;;) {
    const std::size_t i = earliest();
    if (i == heads_.size()) break;
    ReplayInput& input = inputs_[i];
    const CapturedFrame frame = *heads_[i];
    const fastpath::Tick tick = frame.time / kNanosecondsPerTick;
    if (tick != now && !burst.empty()) judge(sink, burst, now);
    now = tick;
    PortId port = input.port;
    if (port.is_none()) {
      const InferredPort inferred = infer_port(judge_.image(), frame.bytes);
      port = inferred.port;
      if (inferred.guessed) ++input.guessed;
    }
    if (!judge_.add(frame.bytes, port)) {
      judge(sink, burst, now);
      static_cast<void>(judge_.add(frame.bytes, port));  // fits: the burst is empty now
    }
    if (baseline_) static_cast<void>(baseline_->add(frame.bytes, port));  // in step with judge_
    ReplayedPacket& packet = burst.emplace_back();
    packet.input = i;
    packet.index = frame.index;
    packet.time = frame.time;
    packet.time_digits = frame.time_digits;
    packet.in = port;
    packet.original = frame.bytes;
    heads_[i] = input.file.next();
  }
  if (!burst.empty()) judge(sink, burst, now);
}

void Replay::judge(const ReplaySink& sink, std::vector<ReplayedPacket>& burst, fastpath::Tick now) {
  const auto fates = judge_.process(now);
  const auto frames = judge_.frames();
  std::span<const fastpath::Fate> others;
  if (baseline_) others = baseline_->process(now);
  for (std::size_t i = 0; i < burst.size(); ++i) {
    burst[i].fate = fates[i];
    burst[i].frame = {frames[i].data, frames[i].length};
    if (baseline_) burst[i].baseline = &others[i];
  }
  sink(burst);
  burst.clear();
  judge_.clear();
  if (baseline_) baseline_->clear();
}

}  // namespace meiguan::analysis
