#pragma once

// The audit log, and at a limited rate what happens to traffic, to one syslog server.
//
// The log itself is the queue: what was sent is remembered by the number of a record, on disk. As
// neither TCP nor UDP tells what the server has kept, a record counts as received only when it was
// sent a while ago and the connection still stands; what is younger is sent again after a loss or a
// restart. So each record arrives at least once, in order, and its number `n` tells repetitions.

#include <array>
#include <boost/json/object.hpp>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "controlplane/syslog/event_queue.h"
#include "controlplane/syslog/link.h"
#include "controlplane/syslog/log_reader.h"
#include "controlplane/syslog/message.h"

namespace meiguan::syslog {

struct Timing {
  std::chrono::milliseconds settled{5'000};  // sent so long ago: received
  std::chrono::milliseconds look{200};       // for new records
  std::chrono::milliseconds first_retry{1'000};
  std::chrono::milliseconds last_retry{30'000};
  std::chrono::milliseconds answer{10'000};         // to connect, to take a message
  std::chrono::milliseconds note_every{60'000};     // that it is up, and that it is down
  std::chrono::milliseconds summary_every{10'000};  // of what was suppressed
};

// Where things lie: the log, and what was sent of it to this server.
struct Places {
  std::filesystem::path log;
  std::filesystem::path position;
};

class Forwarder {
 public:
  // Something for the audit log: `syslog-up`, `syslog-down`, `syslog-lost`. Called by the
  // forwarder's thread.
  using Note = std::function<void(const std::string& event, boost::json::object detail)>;

  Forwarder(Settings settings, Places places, Sender sender, std::unique_ptr<Link> link, Note note,
            Timing timing = {});
  ~Forwarder();
  Forwarder(const Forwarder&) = delete;
  Forwarder& operator=(const Forwarder&) = delete;

  // Never waits; what is too much is counted and told of.
  [[nodiscard]] EventQueue& events() noexcept { return events_; }

  struct State {
    std::string name;
    bool is_up{false};
    Text why;                     // it is not; empty before the first attempt
    std::uint64_t waiting{0};     // records that were not sent
    std::uint64_t lost{0};        // records that were gone before they could be sent
    std::uint64_t suppressed{0};  // denials and attacks that were not told of one by one
  };
  [[nodiscard]] State state() const;

 private:
  using Clock = std::chrono::steady_clock;
  struct Sent {
    Clock::time_point at;
    std::uint64_t number;
  };

  void run();
  void serve();
  [[nodiscard]] Result<bool> send_records();
  [[nodiscard]] Result<bool> send_events();
  [[nodiscard]] Result<bool> send_summary();
  [[nodiscard]] Result<void> send(const Message& message);
  void confirm();
  void keep_position();
  void note_state(bool is_up, const Text& why);
  void note_if_due();
  // False where it is to stop.
  [[nodiscard]] bool pause(std::chrono::milliseconds time);

  const Settings settings_;
  const Places places_;
  const Sender sender_;
  const Note note_;
  const Timing timing_;
  std::unique_ptr<Link> link_;
  EventQueue events_;
  LogReader reader_;

  // The thread's own.
  std::uint64_t confirmed_{0};
  std::uint64_t kept_{0};
  std::uint64_t gap_counted_{0};  // up to this record
  Clock::time_point kept_at_;
  std::deque<Sent> unconfirmed_;
  std::optional<bool> noted_up_;
  std::array<std::optional<Clock::time_point>, 2> noted_at_;  // down, up
  std::uint64_t changes_{0};                                  // of state that were not noted
  Clock::time_point summed_at_;

  mutable std::mutex mutex_;  // of what follows
  std::condition_variable wake_;
  bool stopping_{false};
  State state_;
  std::thread thread_;
};

// The number that a position file holds; 0 where it holds none.
[[nodiscard]] std::uint64_t read_position(const std::filesystem::path& file);

}  // namespace meiguan::syslog
