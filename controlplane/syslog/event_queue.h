#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <vector>

#include "controlplane/syslog/message.h"

namespace meiguan::syslog {

enum class EventKind : std::uint8_t { kDenial, kAttack };
inline constexpr std::size_t kEventKinds = 2;

// Denials and attacks on their way out: at a limited rate for each kind, as many as a second may
// see at once, and the others counted. Safe from several threads.
class EventQueue {
 public:
  using Instant = std::chrono::steady_clock::time_point;
  static constexpr std::size_t kMost = 256;  // that wait; more are counted as suppressed

  explicit EventQueue(std::uint32_t per_second);

  // `packets` is what the event stands for; `make` is called only where it is let through.
  void offer(EventKind kind, std::uint64_t packets, Instant now,
             const std::function<Message()>& make);
  [[nodiscard]] std::vector<Message> take();
  // Goes back to the front: it could not be sent.
  void put_back(std::vector<Message> messages);

  struct Suppressed {
    std::uint64_t events{0};
    std::uint64_t packets{0};
  };
  using AllSuppressed = std::array<Suppressed, kEventKinds>;
  // What was suppressed since the last call.
  [[nodiscard]] AllSuppressed take_suppressed();
  void put_back(const AllSuppressed& suppressed);

 private:
  struct Bucket {
    double tokens{0};
    Instant filled;
  };
  const double per_second_;
  std::mutex mutex_;
  std::array<Bucket, kEventKinds> buckets_;
  AllSuppressed suppressed_{};
  std::deque<Message> waiting_;
};

}  // namespace meiguan::syslog
