#include "dataplane/runtime/capture.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <ctime>
#include <new>
#include <utility>

namespace meiguan::runtime {
namespace {

using channel::CapturedStep;
using channel::CaptureEnd;
using channel::CapturePoint;
using fastpath::NextStep;

// 10 ms of a full 10 Gbit/s; the reader comes by several times in a tenth of a second.
constexpr std::uint64_t kRingBytes = std::uint64_t{16} << 20;
constexpr std::size_t kRingStride = channel::kCapturePage + kRingBytes;
static_assert(sizeof(bpf_insn) == sizeof(channel::CaptureInstruction));

std::uint64_t wall_ns() noexcept {
  timespec t{};
  ::clock_gettime(CLOCK_REALTIME, &t);
  return static_cast<std::uint64_t>(t.tv_sec) * 1'000'000'000 +
         static_cast<std::uint64_t>(t.tv_nsec);
}

bool is_dropped(const fastpath::Fate& fate) noexcept {
  return fate.step == NextStep::kDrop || fate.step == NextStep::kReport;
}

bool is_sent(const fastpath::Fate& fate) noexcept {
  return fate.step == NextStep::kSend || fate.step == NextStep::kAnswer;
}

// What bpf_filter() knows. bpf_validate() lets others of a class pass, and bpf_filter() ends the
// process where it meets one.
bool is_known(std::uint16_t code) noexcept {
  switch (code) {
    case BPF_RET | BPF_K:
    case BPF_RET | BPF_A:
    case BPF_LD | BPF_W | BPF_ABS:
    case BPF_LD | BPF_H | BPF_ABS:
    case BPF_LD | BPF_B | BPF_ABS:
    case BPF_LD | BPF_W | BPF_IND:
    case BPF_LD | BPF_H | BPF_IND:
    case BPF_LD | BPF_B | BPF_IND:
    case BPF_LD | BPF_W | BPF_LEN:
    case BPF_LDX | BPF_W | BPF_LEN:
    case BPF_LDX | BPF_MSH | BPF_B:
    case BPF_LD | BPF_IMM:
    case BPF_LDX | BPF_IMM:
    case BPF_LD | BPF_MEM:
    case BPF_LDX | BPF_MEM:
    case BPF_ST:
    case BPF_STX:
    case BPF_JMP | BPF_JA:
    case BPF_ALU | BPF_NEG:
    case BPF_MISC | BPF_TAX:
    case BPF_MISC | BPF_TXA: return true;
    default: break;
  }
  if ((code & ~(BPF_X | 0xf0U)) == BPF_JMP) {
    const auto op = BPF_OP(code);
    return op == BPF_JEQ || op == BPF_JGT || op == BPF_JGE || op == BPF_JSET;
  }
  if ((code & ~(BPF_X | 0xf0U)) == BPF_ALU) {
    const auto op = BPF_OP(code);
    return op <= BPF_RSH || op == BPF_MOD || op == BPF_XOR;
  }
  return false;
}

}  // namespace

Result<CaptureFilter> CaptureFilter::make(std::span<const channel::CaptureInstruction> program) {
  CaptureFilter filter;
  if (program.empty()) return filter;
  if (program.size() > channel::kMaxCaptureInstructions) {
    return fail(fmt::format("the filter has {} instructions, at most {} are run for a packet",
                            program.size(), channel::kMaxCaptureInstructions),
                fmt::format("过滤器有 {} 条指令，每个报文至多执行 {} 条", program.size(),
                            channel::kMaxCaptureInstructions));
  }
  filter.program_.resize(program.size());
  std::memcpy(filter.program_.data(), program.data(), program.size_bytes());
  const bool known = std::ranges::all_of(filter.program_, is_known, &bpf_insn::code);
  if (!known || ::bpf_validate(filter.program_.data(), static_cast<int>(program.size())) == 0) {
    return fail("the filter is not a valid program", "过滤器不是有效的程序");
  }
  // libpcap lets a jump go back, and makes such for `protochain`; without one every program ends.
  for (std::size_t i = 0; i < filter.program_.size(); ++i) {
    if (filter.program_[i].code == (BPF_JMP | BPF_JA) &&
        filter.program_[i].k >= filter.program_.size() - i) {
      return fail("the filter has a loop, as `protochain` makes one: a worker runs none",
                  "过滤器含有循环（如 protochain）：转发线程不执行循环");
    }
  }
  return filter;
}

bool CaptureFilter::takes(std::span<const std::uint8_t> frame) const noexcept {
  if (program_.empty()) return true;
  const auto bytes = static_cast<u_int>(frame.size());
  return ::bpf_filter(program_.data(), frame.data(), bytes, bytes) != 0;
}

CaptureTap::CaptureTap(const CaptureWish& wish, channel::CaptureRing ring)
    : wish_{&wish}, ring_{ring} {
  if (wish.point == CapturePoint::kReceived) {
    kept_bytes_.resize(std::size_t{wish.snap_bytes} * kept_.size());
  }
}

bool CaptureTap::wants(const fastpath::Fate& fate) const noexcept {
  return (wish_->reason == channel::kAnything ||
          wish_->reason == static_cast<std::uint32_t>(fate.reason)) &&
         (wish_->unit.is_none() || wish_->unit == fate.unit || wish_->unit == fate.to_unit);
}

void CaptureTap::push(const fastpath::Fate& fate, CapturedStep step, const std::uint8_t* bytes,
                      std::uint32_t frame_bytes) noexcept {
  channel::CapturedPacket head;
  head.time = time_;
  head.captured_bytes = std::min(frame_bytes, wish_->snap_bytes);
  head.frame_bytes = frame_bytes;
  head.reason = fate.reason;
  head.step = step;
  head.in = fate.in;
  head.out = fate.step == NextStep::kAnswer ? fate.in : fate.out;
  head.rule = fate.rule;
  head.unit = fate.unit;
  head.to_unit = fate.to_unit;
  head.service = fate.service;
  ring_.push(head, bytes);
}

void CaptureTap::offer(std::span<const std::uint8_t> frame, const fastpath::Fate& fate,
                       CapturedStep step) noexcept {
  if (!wants(fate) || !wish_->filter.takes(frame)) return;
  push(fate, step, frame.data(), static_cast<std::uint32_t>(frame.size()));
}

void CaptureTap::before(std::span<const fastpath::Frame> frames) noexcept {
  time_ = wall_ns();
  if (wish_->point != CapturePoint::kReceived) return;
  for (std::size_t i = 0; i < frames.size(); ++i) {
    const fastpath::Frame& frame = frames[i];
    kept_[i] = {frame.length, wish_->filter.takes({frame.data, frame.length})};
    if (!kept_[i].wanted) continue;
    std::memcpy(kept_bytes_.data() + i * wish_->snap_bytes, frame.data,
                std::min(frame.length, wish_->snap_bytes));
  }
}

void CaptureTap::after(std::span<const fastpath::Frame> frames,
                       std::span<const fastpath::Fate> fates) noexcept {
  for (std::size_t i = 0; i < frames.size(); ++i) {
    const fastpath::Fate& fate = fates[i];
    const std::span<const std::uint8_t> frame{frames[i].data, frames[i].length};
    switch (wish_->point) {
      case CapturePoint::kReceived: {
        // The worker that it is handed to will see it.
        if (!kept_[i].wanted || fate.step == NextStep::kHandOver) break;
        const bool held = fate.step == NextStep::kHold;
        if (!held && !wants(fate)) break;
        // Nothing is known of one that is held.
        if (held && (wish_->reason != channel::kAnything || wish_->unit.is_some())) break;
        push(fate, held ? CapturedStep::kHeld : CapturedStep::kJudged,
             kept_bytes_.data() + i * wish_->snap_bytes, kept_[i].bytes);
        break;
      }
      case CapturePoint::kSent:
        if (is_sent(fate)) offer(frame, fate, CapturedStep::kJudged);
        break;
      case CapturePoint::kDropped:
        if (is_dropped(fate)) offer(frame, fate, CapturedStep::kJudged);
        break;
    }
  }
}

void CaptureTap::released(std::span<const fastpath::Frame> frames,
                          std::span<const fastpath::Fate> fates) noexcept {
  if (wish_->point == CapturePoint::kReceived) return;
  time_ = wall_ns();
  after(frames, fates);
}

void CaptureTap::dropped(std::span<const std::uint8_t> frame, const fastpath::Fate& fate,
                         bool judged) noexcept {
  // What was judged was seen as received when it was.
  if (wish_->point == CapturePoint::kSent || (judged && wish_->point == CapturePoint::kReceived)) {
    return;
  }
  time_ = wall_ns();
  offer(frame, fate, CapturedStep::kJudged);
}

void CaptureTap::sent(std::span<const std::uint8_t> frame, const fastpath::Fate& fate) noexcept {
  if (wish_->point != CapturePoint::kSent) return;
  time_ = wall_ns();
  if (fate.in.is_some()) return offer(frame, fate, CapturedStep::kJudged);
  // Nothing judged the gateway's own, and they are of no unit.
  if (wish_->reason == channel::kAnything && wish_->unit.is_none() && wish_->filter.takes(frame)) {
    push(fate, CapturedStep::kOwn, frame.data(), static_cast<std::uint32_t>(frame.size()));
  }
}

Result<std::unique_ptr<Capture>> Capture::begin(
    const channel::CaptureRequest& request, std::span<const channel::CaptureInstruction> program,
    std::uint32_t workers, fastpath::Tick now) {
  const bool known = request.point == CapturePoint::kReceived ||
                     request.point == CapturePoint::kSent ||
                     request.point == CapturePoint::kDropped;
  if (!known || request.snap_bytes < channel::kLeastSnapBytes ||
      request.snap_bytes > channel::kMaxSnapBytes || request.seconds == 0 ||
      request.seconds > channel::kMaxCaptureSeconds) {
    return fail(fmt::format("a capture takes {} to {} bytes of a packet and lasts 1 to {} s",
                            channel::kLeastSnapBytes, channel::kMaxSnapBytes,
                            channel::kMaxCaptureSeconds),
                fmt::format("抓包每个报文取 {} 至 {} 字节，持续 1 至 {} 秒",
                            channel::kLeastSnapBytes, channel::kMaxSnapBytes,
                            channel::kMaxCaptureSeconds));
  }
  auto filter = CaptureFilter::make(program);
  if (!filter) return std::unexpected{filter.error()};
  const std::size_t rings = workers + 1;
  auto memory = SharedMemory::make("meiguan-capture", channel::kCapturePage + rings * kRingStride,
                                   SharedMemory::Pages::kAtOnce);
  if (!memory) return std::unexpected{Error{memory.error().message}};

  std::unique_ptr<Capture> capture{new Capture};
  capture->memory_ = std::move(*memory);
  capture->wish_ = {request.point, request.reason, UnitId{request.unit}, request.snap_bytes,
                    std::move(*filter)};
  static_assert(channel::kAnything == UnitId::kNoneValue);
  auto* state = ::new (capture->memory_.data()) channel::CaptureState{};
  state->alive.store(now, std::memory_order_relaxed);
  for (std::size_t i = 0; i < rings; ++i) {
    std::byte* at = capture->memory_.data() + channel::kCapturePage + i * kRingStride;
    capture->taps_.emplace_back(capture->wish_, channel::CaptureRing{at, kRingBytes, true});
  }
  capture->until_ = now + fastpath::Tick{request.seconds} * 1000;
  capture->heard_at_ = now;
  return capture;
}

channel::CaptureState& Capture::state() const noexcept {
  return *std::launder(reinterpret_cast<channel::CaptureState*>(memory_.data()));
}

channel::CaptureAnswer Capture::answer() const noexcept {
  return {memory_.bytes(), kRingBytes, static_cast<std::uint32_t>(taps_.size()), 0};
}

CaptureEnd Capture::look(fastpath::Tick now) noexcept {
  state().alive.store(now, std::memory_order_relaxed);
  if (const std::uint64_t heard = state().heard.load(std::memory_order_relaxed); heard != heard_) {
    heard_ = heard;
    heard_at_ = now;
  }
  if (now >= until_) return CaptureEnd::kTime;
  return now - heard_at_ >= channel::kCaptureSilenceMs ? CaptureEnd::kSilence : CaptureEnd::kGoesOn;
}

void Capture::end(CaptureEnd why) noexcept {
  if (memory_.data() == nullptr) return;
  auto goes_on = CaptureEnd::kGoesOn;
  state().ended.compare_exchange_strong(goes_on, why, std::memory_order_release);
}

}  // namespace meiguan::runtime
