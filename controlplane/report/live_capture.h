#pragma once

#include <cstdint>
#include <deque>
#include <vector>

#include "controlplane/report/segment.h"
#include "dataplane/base/result.h"
#include "dataplane/channel/capture.h"
#include "dataplane/channel/channel.h"

namespace meiguan::report {

struct LivePacket {
  channel::CapturedPacket head;
  std::vector<std::uint8_t> frame;  // captured_bytes of it
};

// The reading end of a capture: packets of all workers in the order of their time stamps. What a
// worker stamped is in its ring within microseconds, so what an earlier read() saw last is a time
// up to which nothing more comes: a packet waits for the next read(), and needs no clock.
class LiveCapture {
 public:
  // `answer` to Request::kCapture, with its descriptor. Errors: what does not fit together.
  [[nodiscard]] static Result<LiveCapture> open(const channel::Message& answer);

  // What is ready, about `most_bytes` of frames; more() where that was not all. The data plane
  // hears by it that somebody is there.
  [[nodiscard]] std::vector<LivePacket> read(std::size_t most_bytes, std::uint64_t monotonic_ms);
  [[nodiscard]] bool more() const noexcept { return !ready_.empty() || !drained_; }
  // Packets that found a ring full.
  [[nodiscard]] std::uint64_t lost() const noexcept;
  // Why no more will come; kReopened also where the data plane is gone without a word.
  [[nodiscard]] channel::CaptureEnd end(std::uint64_t monotonic_ms) const noexcept;

 private:
  LiveCapture() = default;
  [[nodiscard]] channel::CaptureState& state() const noexcept;
  void drain(bool over);

  Mapping mapping_;
  std::vector<channel::CaptureRing> rings_;
  std::vector<LivePacket> waiting_;  // for what may still come before them
  std::deque<LivePacket> ready_;
  bool drained_{false};  // by the last read(): the rings had no more then
};

}  // namespace meiguan::report
