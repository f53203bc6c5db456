#include "controlplane/report/live_capture.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <iterator>
#include <new>
#include <utility>

namespace meiguan::report {
namespace {

constexpr std::uint64_t kMaxRingBytes = std::uint64_t{1} << 30;
constexpr std::uint32_t kMaxRings = 256;
constexpr std::uint64_t kGoneMs = 3000;  // a data plane that has not said for so long that it lives

std::unexpected<Error> unfit() {
  return fail("the data plane's answer to a capture does not fit together",
              "数据面对抓包请求的应答自相矛盾");
}

}  // namespace

Result<LiveCapture> LiveCapture::open(const channel::Message& answer) {
  channel::CaptureAnswer says{};
  if (answer.payload.size() != sizeof says || answer.descriptors.size() != 1) return unfit();
  std::memcpy(&says, answer.payload.data(), sizeof says);
  if (says.rings == 0 || says.rings > kMaxRings || !std::has_single_bit(says.ring_bytes) ||
      says.ring_bytes > kMaxRingBytes ||
      says.bytes !=
          channel::kCapturePage + says.rings * (channel::kCapturePage + says.ring_bytes)) {
    return unfit();
  }
  auto mapping = Mapping::map(answer.descriptors[0], says.bytes, true);
  if (!mapping) return std::unexpected{mapping.error()};
  LiveCapture capture;
  capture.mapping_ = std::move(*mapping);
  for (std::uint32_t i = 0; i < says.rings; ++i) {
    capture.rings_.emplace_back(capture.mapping_.data() + channel::kCapturePage +
                                    i * (channel::kCapturePage + says.ring_bytes),
                                says.ring_bytes, false);
  }
  return capture;
}

channel::CaptureState& LiveCapture::state() const noexcept {
  return *std::launder(reinterpret_cast<channel::CaptureState*>(mapping_.data()));
}

std::uint64_t LiveCapture::lost() const noexcept {
  std::uint64_t sum = 0;
  for (const auto& ring : rings_) sum += ring.lost();
  return sum;
}

channel::CaptureEnd LiveCapture::end(std::uint64_t monotonic_ms) const noexcept {
  const auto ended = state().ended.load(std::memory_order_acquire);
  if (ended != channel::CaptureEnd::kGoesOn) return ended;
  const std::uint64_t alive = state().alive.load(std::memory_order_relaxed);
  return monotonic_ms > alive && monotonic_ms - alive > kGoneMs ? channel::CaptureEnd::kReopened
                                                                : channel::CaptureEnd::kGoesOn;
}

void LiveCapture::drain(bool over) {
  std::uint64_t certain = 0;
  for (const auto& packet : waiting_) certain = std::max(certain, packet.head.time);
  for (auto& ring : rings_) {
    LivePacket packet;
    while (ring.pop(packet.head, packet.frame)) waiting_.push_back(std::move(packet));
  }
  std::ranges::stable_sort(waiting_, {}, [](const LivePacket& one) { return one.head.time; });
  const auto first_that_waits = std::ranges::find_if(waiting_, [&](const LivePacket& one) {
    return !over && one.head.time > certain;
  });
  std::move(waiting_.begin(), first_that_waits, std::back_inserter(ready_));
  waiting_.erase(waiting_.begin(), first_that_waits);
}

std::vector<LivePacket> LiveCapture::read(std::size_t most_bytes, std::uint64_t monotonic_ms) {
  state().heard.fetch_add(1, std::memory_order_relaxed);
  // Asked before the rings are looked at: what is there then is all.
  const bool over = end(monotonic_ms) != channel::CaptureEnd::kGoesOn;
  drained_ = false;
  std::vector<LivePacket> packets;
  std::size_t bytes = 0;
  while (bytes < most_bytes) {
    if (ready_.empty()) {
      if (drained_) break;
      drain(over);
      drained_ = true;
      continue;
    }
    bytes += sizeof(LivePacket) + ready_.front().frame.size();
    packets.push_back(std::move(ready_.front()));
    ready_.pop_front();
  }
  return packets;
}

}  // namespace meiguan::report
