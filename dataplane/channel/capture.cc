#include "dataplane/channel/capture.h"

#include <cstring>
#include <new>
#include <type_traits>

namespace meiguan::channel {
namespace {

constexpr std::uint64_t kAlign = 8;
// In front of every record. `bytes` is of the whole record, and so of what is skipped at the end.
struct RecordHead {
  std::uint32_t bytes;
  std::uint32_t is_packet;  // 0: nothing more up to the ring's end
};
static_assert(sizeof(RecordHead) == kAlign);
static_assert(std::is_trivially_copyable_v<CapturedPacket> && sizeof(CapturedPacket) % kAlign == 0);
constexpr std::uint64_t kHeadBytes = sizeof(RecordHead) + sizeof(CapturedPacket);

}  // namespace

CaptureRing::CaptureRing(std::byte* memory, std::uint64_t bytes, bool initialise) noexcept
    : header_{initialise ? new (memory) CaptureRingHeader{}
                         : reinterpret_cast<CaptureRingHeader*>(memory)},
      bytes_{memory + kCapturePage},
      size_{bytes} {}

bool CaptureRing::push(const CapturedPacket& head, const std::uint8_t* frame) noexcept {
  const std::uint64_t record = (kHeadBytes + head.captured_bytes + kAlign - 1) / kAlign * kAlign;
  const std::uint64_t at = written_ & (size_ - 1);
  // A record lies in one piece: where it does not fit in front of the end, the rest is left.
  const std::uint64_t rest = size_ - at < record ? size_ - at : 0;
  // Acquire: the consumer has copied the bytes out before it moved `read` past them. A `read` that
  // is ahead of us makes a huge number.
  const std::uint64_t used = written_ - header_->read.load(std::memory_order_acquire);
  if (used > size_ || size_ - used < record + rest) {
    header_->lost.store(++lost_, std::memory_order_relaxed);
    return false;
  }
  std::byte* to = bytes_ + at;
  if (rest != 0) {
    const RecordHead skip{static_cast<std::uint32_t>(rest), 0};
    std::memcpy(to, &skip, sizeof skip);
    to = bytes_;
  }
  const RecordHead begin{static_cast<std::uint32_t>(record), 1};
  std::memcpy(to, &begin, sizeof begin);
  std::memcpy(to + sizeof begin, &head, sizeof head);
  if (head.captured_bytes != 0) std::memcpy(to + kHeadBytes, frame, head.captured_bytes);
  written_ += rest + record;
  // Release: the record is whole before it can be seen.
  header_->written.store(written_, std::memory_order_release);
  return true;
}

bool CaptureRing::pop(CapturedPacket& head, std::vector<std::uint8_t>& frame) {
  std::uint64_t read = header_->read.load(std::memory_order_relaxed);
  for (;;) {
    const std::uint64_t waiting = header_->written.load(std::memory_order_acquire) - read;
    if (waiting < sizeof(RecordHead) || waiting > size_ || read % kAlign != 0) return false;
    const std::uint64_t at = read & (size_ - 1);
    RecordHead begin;
    std::memcpy(&begin, bytes_ + at, sizeof begin);
    if (begin.bytes < sizeof begin || begin.bytes % kAlign != 0 || begin.bytes > waiting ||
        begin.bytes > size_ - at) {
      return false;
    }
    if (begin.is_packet != 0) {
      if (begin.bytes < kHeadBytes) return false;
      std::memcpy(&head, bytes_ + at + sizeof begin, sizeof head);
      if (head.captured_bytes > begin.bytes - kHeadBytes) return false;
      frame.resize(head.captured_bytes);
      if (!frame.empty()) std::memcpy(frame.data(), bytes_ + at + kHeadBytes, frame.size());
    }
    read += begin.bytes;
    header_->read.store(read, std::memory_order_release);
    if (begin.is_packet != 0) return true;
  }
}

}  // namespace meiguan::channel
