#pragma once

// The parent's side: takes from each child what belongs to its subtree, gives it to the store in
// groups, and knows how the nodes below are. HTTP is the caller's.

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "controlplane/store/store.h"
#include "controlplane/uplink/batch_record.h"
#include "controlplane/uplink/node_state.h"

namespace meiguan::uplink {

struct ReceiverCounts {
  std::uint64_t requests{0};
  std::uint64_t batches{0};  // that were new
  std::uint64_t repeats{0};
  std::uint64_t gaps{0};
  std::uint64_t refused{0};      // batches: of another's subtree, of no possible time, not readable
  std::uint64_t malformed{0};    // requests
  std::uint64_t turned_away{0};  // requests, unread: too many malformed ones, or no room
};

class Receiver {
 public:
  struct Settings {
    // Whether `node` is `child` or below it, and `child` one of ours.
    std::function<bool(const std::string& child, const std::string& node)> belongs;
    // As store::Store::append(); the records are those of the batches, to be passed on.
    std::function<Result<std::vector<store::Applied>>(std::span<const store::Batch> batches,
                                                      std::span<const std::string> records)>
        append;
    std::function<Result<std::optional<store::Watermark>>(const std::string& source)> watermark;
    std::function<std::int64_t()> now_ms;
    std::function<void(const Text&)> log;
    // Where states are kept over a restart; empty: nowhere.
    std::filesystem::path states_file;
  };
  struct Answer {
    unsigned status{200};
    std::string body;  // JSON
  };
  using Reply = std::function<void(Answer)>;

  explicit Receiver(Settings settings);
  ~Receiver();
  Receiver(const Receiver&) = delete;
  Receiver& operator=(const Receiver&) = delete;

  // Safe from any thread, and does not block: `reply` is called by a thread of the receiver's. What
  // was not answered when it goes is dropped.
  void take(std::string child, std::string target, std::string body, Reply reply);

  [[nodiscard]] std::vector<NodeState> states() const;
  [[nodiscard]] ReceiverCounts counts() const;

 private:
  struct Request {
    std::string child;
    std::string target;
    std::string body;
    Reply reply;
    std::int64_t received_ms{0};
  };
  struct Piece;
  struct Group;
  struct Bad {
    std::int64_t since_ms{0};
    unsigned count{0};
  };
  void run();
  void keep_states();
  void serve(std::deque<Request> requests);
  [[nodiscard]] Answer take_state(const Request& request);
  [[nodiscard]] bool read_batches(Request& request, Group& group);
  void append(Group& group);
  void answer(Group& group);
  void note_bad(const std::string& child);
  [[nodiscard]] bool is_shut_out(const std::string& child, std::int64_t now);

  Settings settings_;
  mutable std::mutex mutex_;  // of what follows
  std::condition_variable wake_;
  bool stopping_{false};
  std::deque<Request> requests_;
  std::size_t waiting_bytes_{0};
  NodeStates states_;
  std::map<std::string, Bad> bad_;
  ReceiverCounts counts_;
  NodeStates kept_;  // the thread's: as they stand in the file
  std::chrono::steady_clock::time_point kept_at_;
  std::thread thread_;
};

}  // namespace meiguan::uplink
