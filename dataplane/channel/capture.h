#pragma once

// Packets that somebody wants to see, from a live data plane: how they are asked for (a Request of
// the command channel), and the shared memory in which they come.
//
//   CaptureState | ring 0 | ring 1 | ...     a ring for each worker, and a last one for the main
//   (a page)                                 thread, which ends packets that waited for a next hop
//   ring: CaptureRingHeader (a page) | bytes
//
// There is one capture at a time. It is over when it was ended, when its time is, or when nobody
// has heard it for a while: a reader that is killed leaves nothing behind.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "dataplane/base/strong_id.h"
#include "dataplane/fastpath/reason.h"

namespace meiguan::channel {

enum class CapturePoint : std::uint32_t {
  kReceived = 1,  // as it came, with what became of it
  kSent,          // as it leaves
  kDropped,       // as it came
};

// One instruction of a classic BPF program, as pcap_compile() makes them.
struct CaptureInstruction {
  std::uint16_t code;
  std::uint8_t jump_true;
  std::uint8_t jump_false;
  std::uint32_t value;
};
static_assert(sizeof(CaptureInstruction) == 8);

// A worker runs no longer program for a packet: it has no loops, so this bounds its time.
inline constexpr std::size_t kMaxCaptureInstructions = 512;
inline constexpr std::uint32_t kMaxCaptureSeconds = 24 * 3600;
inline constexpr std::uint32_t kLeastSnapBytes = 64;
inline constexpr std::uint32_t kMaxSnapBytes = 65'535;
inline constexpr std::uint32_t kAnything = ~std::uint32_t{0};
// A capture that nobody has heard for so long is over.
inline constexpr std::uint32_t kCaptureSilenceMs = 5000;

// Payload of Request::kCapture: this, then `instructions` CaptureInstructions; none: all packets.
struct CaptureRequest {
  CapturePoint point{CapturePoint::kReceived};
  std::uint32_t reason{kAnything};  // a reason's code
  std::uint32_t unit{kAnything};    // a UnitId, of either end
  std::uint32_t snap_bytes{kMaxSnapBytes};
  std::uint32_t seconds{0};  // until it is over
  std::uint32_t instructions{0};
};

// The answer; its descriptor is the memory.
struct CaptureAnswer {
  std::uint64_t bytes;       // of all of it
  std::uint64_t ring_bytes;  // of one ring, without its header
  std::uint32_t rings;
  std::uint32_t reserved;
};

enum class CaptureEnd : std::uint32_t {
  kGoesOn,
  kAsked,
  kTime,
  kSilence,
  kReopened,  // the data plane stopped, or opened its ports anew
};

struct CaptureState {
  alignas(64) std::atomic<std::uint64_t> heard{0};  // by the reader: grows while it is there
  alignas(64) std::atomic<std::uint64_t> alive{0};  // by the data plane: milliseconds, monotonic
  std::atomic<CaptureEnd> ended{CaptureEnd::kGoesOn};
};
inline constexpr std::size_t kCapturePage = 4096;
static_assert(sizeof(CaptureState) <= kCapturePage);

// How far the judgement of a packet was when it was captured.
enum class CapturedStep : std::uint8_t {
  kJudged,
  kHeld,  // a fragment: it waits for the others of its datagram
  kOwn,   // the gateway's own; nothing judged it
};

struct CapturedPacket {
  std::uint64_t time{0};  // nanoseconds since 1970-01-01 UTC
  std::uint32_t captured_bytes{0};
  std::uint32_t frame_bytes{0};  // on the wire
  fastpath::Reason reason{fastpath::Reason::kNoImage};
  CapturedStep step{CapturedStep::kJudged};
  PortId in;
  PortId out;
  RuleId rule;
  UnitId unit;
  UnitId to_unit;
  ServiceId service;
};

struct CaptureRingHeader {
  alignas(64) std::atomic<std::uint64_t> written{0};  // bytes ever, by the producer
  std::atomic<std::uint64_t> lost{0};                 // packets that there was no room for
  alignas(64) std::atomic<std::uint64_t> read{0};     // bytes ever, by the consumer
};
static_assert(sizeof(CaptureRingHeader) <= kCapturePage);

// A view of one ring: one producer, one consumer, records of any length. It owns nothing, and what
// the other side wrote is never trusted: a header that does not fit together reads as a ring that
// is full, or empty.
class CaptureRing {
 public:
  CaptureRing() = default;
  // `memory` has kCapturePage + `bytes` bytes, `bytes` a power of two; `initialise` on the
  // producer's side only.
  CaptureRing(std::byte* memory, std::uint64_t bytes, bool initialise) noexcept;

  // The producer's: `head.captured_bytes` bytes are copied from `frame`. False where there is no
  // room: the packet is counted as lost.
  bool push(const CapturedPacket& head, const std::uint8_t* frame) noexcept;
  // The consumer's: the next packet and its bytes; false: there is none.
  [[nodiscard]] bool pop(CapturedPacket& head, std::vector<std::uint8_t>& frame);
  [[nodiscard]] std::uint64_t lost() const noexcept {
    return header_->lost.load(std::memory_order_relaxed);
  }

 private:
  CaptureRingHeader* header_{};
  std::byte* bytes_{};
  std::uint64_t size_{0};
  std::uint64_t written_{0};  // the producer's own copies
  std::uint64_t lost_{0};
};

}  // namespace meiguan::channel
