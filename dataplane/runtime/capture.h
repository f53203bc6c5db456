#pragma once

// What the threads of the data plane do for somebody who wants to see packets, free of DPDK.
//
//   main thread: Capture::begin, memory and all   Capture::tap(i)   workers: CaptureTap, a burst
//                Capture::look, now and then                                 at a time
//
// A tap runs a loop-free program of bounded length for each packet and copies what it wants into
// its own ring; it takes no memory, waits for nobody, and what finds no room is counted. The
// program runs here and not behind the ring, so that on a busy gateway the ring carries only what
// is wanted.

#include <pcap/pcap.h>

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "dataplane/base/result.h"
#include "dataplane/channel/capture.h"
#include "dataplane/fastpath/pipeline.h"
#include "dataplane/runtime/shared_memory.h"

namespace meiguan::runtime {

// A classic BPF program that is known to end. Without instructions it takes everything.
class CaptureFilter {
 public:
  CaptureFilter() = default;
  // Errors: it is too long, not valid, or jumps back.
  [[nodiscard]] static Result<CaptureFilter> make(
      std::span<const channel::CaptureInstruction> program);
  [[nodiscard]] bool takes(std::span<const std::uint8_t> frame) const noexcept;

 private:
  std::vector<bpf_insn> program_;
};

// What all threads look for; never changes.
struct CaptureWish {
  channel::CapturePoint point{};
  std::uint32_t reason{channel::kAnything};
  UnitId unit;  // of either end; none: any
  std::uint32_t snap_bytes{0};
  CaptureFilter filter;
};

// One thread's end of a capture.
class CaptureTap {
 public:
  // `wish` outlives it.
  CaptureTap(const CaptureWish& wish, channel::CaptureRing ring);

  // Around the judgement of a burst: before() keeps what will be rewritten, after() knows what
  // became of it.
  void before(std::span<const fastpath::Frame> frames) noexcept;
  void after(std::span<const fastpath::Frame> frames,
             std::span<const fastpath::Fate> fates) noexcept;
  // Held fragments whose fate is known; as received they were seen when they came.
  void released(std::span<const fastpath::Frame> frames,
                std::span<const fastpath::Fate> fates) noexcept;
  // A packet that nothing has judged, or not to its end, and that is dropped.
  void dropped(std::span<const std::uint8_t> frame, const fastpath::Fate& fate,
               bool judged) noexcept;
  // What the main thread had sent: the gateway's own, or one that had waited for its next hop.
  void sent(std::span<const std::uint8_t> frame, const fastpath::Fate& fate) noexcept;

 private:
  struct Kept {
    std::uint32_t bytes{0};  // of the frame; what was kept of it lies in kept_bytes_
    bool wanted{false};
  };
  [[nodiscard]] bool wants(const fastpath::Fate& fate) const noexcept;
  void push(const fastpath::Fate& fate, channel::CapturedStep step, const std::uint8_t* bytes,
            std::uint32_t frame_bytes) noexcept;
  // Where its fate is wanted and the filter takes it.
  void offer(std::span<const std::uint8_t> frame, const fastpath::Fate& fate,
             channel::CapturedStep step) noexcept;

  const CaptureWish* wish_;
  channel::CaptureRing ring_;
  std::uint64_t time_{0};
  std::array<Kept, fastpath::kMaxBurst> kept_{};
  std::vector<std::uint8_t> kept_bytes_;  // a snap length for each frame of a burst
};

// The capture that goes on; the main thread's.
class Capture {
 public:
  // Taps for `workers` workers and the main thread. Errors: a wish that nobody can have, no memory.
  [[nodiscard]] static Result<std::unique_ptr<Capture>> begin(
      const channel::CaptureRequest& request, std::span<const channel::CaptureInstruction> program,
      std::uint32_t workers, fastpath::Tick now);
  ~Capture() { end(channel::CaptureEnd::kReopened); }
  Capture(const Capture&) = delete;
  Capture& operator=(const Capture&) = delete;

  // Of a worker's number; the main thread's has the number behind the last worker's.
  [[nodiscard]] CaptureTap& tap(std::uint32_t thread) noexcept { return taps_[thread]; }
  [[nodiscard]] CaptureTap& main_tap() noexcept { return taps_.back(); }
  [[nodiscard]] channel::CaptureAnswer answer() const noexcept;
  [[nodiscard]] int descriptor() const noexcept { return memory_.descriptor(); }

  // Says that the data plane is alive, and looks why the capture should be over: its time, or
  // nobody hears it. To be asked a few times a second.
  [[nodiscard]] channel::CaptureEnd look(fastpath::Tick now) noexcept;
  // Tells the reader why no more will come; the first reason stays. No thread uses a tap any more.
  void end(channel::CaptureEnd why) noexcept;

 private:
  Capture() = default;
  [[nodiscard]] channel::CaptureState& state() const noexcept;

  CaptureWish wish_;
  SharedMemory memory_;
  std::vector<CaptureTap> taps_;
  fastpath::Tick until_{0};
  fastpath::Tick heard_at_{0};
  std::uint64_t heard_{0};
};

}  // namespace meiguan::runtime
