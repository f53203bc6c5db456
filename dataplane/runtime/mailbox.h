#pragma once

// A question to a worker that only it can answer, put between two bursts: its live flows. One
// question at a time; whoever asks waits, the worker never does.

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "dataplane/channel/channel.h"
#include "dataplane/fastpath/event.h"
#include "dataplane/fastpath/pipeline.h"

namespace meiguan::runtime {

class FlowMailbox {
 public:
  static constexpr std::size_t kMost = (channel::kMaxMessageBytes - sizeof(channel::MessageHeader) -
                                        sizeof(channel::FlowsAnswer)) /
                                       sizeof(fastpath::Event);

  // The asker's side. False while an earlier question is still open.
  [[nodiscard]] bool ask(std::uint32_t cursor) noexcept {
    if (state_.load(std::memory_order_acquire) == State::kAsked) return false;
    cursor_ = cursor;
    state_.store(State::kAsked, std::memory_order_release);
    return true;
  }
  [[nodiscard]] bool answered() const noexcept {
    return state_.load(std::memory_order_acquire) == State::kAnswered;
  }
  [[nodiscard]] std::uint32_t next_cursor() const noexcept { return next_; }
  [[nodiscard]] std::span<const fastpath::Event> events() const noexcept {
    return {events_.data(), count_};
  }

  // The worker's side.
  void serve(const fastpath::Pipeline& pipeline) noexcept {
    if (state_.load(std::memory_order_acquire) != State::kAsked) return;
    count_ = 0;
    next_ = pipeline.list_flows(cursor_, events_, count_);
    state_.store(State::kAnswered, std::memory_order_release);
  }

 private:
  enum class State : std::uint8_t { kIdle, kAsked, kAnswered };
  std::atomic<State> state_{State::kIdle};
  std::uint32_t cursor_{0};
  std::uint32_t next_{0};
  std::size_t count_{0};
  std::array<fastpath::Event, kMost> events_{};
};

}  // namespace meiguan::runtime
