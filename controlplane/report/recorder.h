#pragma once

// From what a data plane tells to the store: the roll-up, its finished minutes in line for the
// store, and the answers to questions from all of them. A store that cannot be written to (disk
// full) keeps its line waiting, up to a day of it; the collector never waits for the store.

#include <array>
#include <condition_variable>
#include <deque>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "controlplane/report/collector.h"
#include "controlplane/report/flow_ring.h"
#include "controlplane/report/rollup.h"
#include "controlplane/store/store.h"

namespace meiguan::report {

// Is given each batch before the store is, numbered, and again where the store could not take it;
// denials, alarms and flow records as batches of their own streams. Errors: it waits, and the
// store with it.
using Forward = std::function<Result<void>(std::span<const store::Batch>)>;
// Gives what was taken to be passed on and the store may not have to `take`, until that fails.
using Take = std::function<Result<void>(const store::Batch&)>;
using Recover = std::function<Result<void>(const Take& take)>;
// What a recorder does beside at a node of a tree; at one that is in none all is empty.
struct InTree {
  Forward forward;
  Recover recover;  // when the store is opened, and it is known which node this is
  bool forwards_flows{false};
  std::unique_ptr<FlowRing> flows_below;  // records of flows of other nodes; may be null
};

class Recorder : public CollectorSink {
 public:
  using Log = std::function<void(const Text&)>;
  using Clock = std::function<WallTime()>;
  using OpenStore = std::function<Result<std::unique_ptr<store::Store>>()>;

  // `flows` may be null. The store is opened by a thread of the recorder's, again and again until
  // it can be.
  Recorder(OpenStore open, std::unique_ptr<FlowRing> flows, Clock clock, Log log, InTree tree = {});
  ~Recorder() override;
  Recorder(const Recorder&) = delete;
  Recorder& operator=(const Recorder&) = delete;

  // The policy in force: names, and the node whose gateway this is.
  void set_policy(const policy::Catalog& catalog, const std::string& node,
                  const std::string& revision);

  void attached(const Sums& counters) override;
  void detached() override;
  void heard(const fastpath::Event& event, std::size_t ring, WallTime at) override;
  void counted(const Sums& counters, WallTime at, std::chrono::milliseconds elapsed) override;

  // All alarms that stand at this node since the last call; seconds since 1970.
  void report_alarms(std::vector<store::Alarm> alarms, std::int64_t now);

  // From the store, what waits for it, and the minutes that are still open.
  [[nodiscard]] Result<store::Answer> query(const store::Query& query);
  // Rows of ten seconds, from memory: of the last minutes.
  [[nodiscard]] Result<store::Answer> ten_seconds(const store::Query& query);
  [[nodiscard]] Result<std::vector<store::HitsRow>> hits(const std::string& node);
  // As store::Store.
  [[nodiscard]] Result<std::vector<store::AlarmRow>> alarms(std::int64_t since);
  // What stands at other nodes; from memory, so that it can be asked while the store cannot.
  [[nodiscard]] std::vector<store::AlarmRow> alarms_below() const;
  // Batches of other nodes, numbered by them; as store::Store. `before` is called with nothing else
  // of the store going on; where it fails, nothing is appended.
  [[nodiscard]] Result<std::vector<store::Applied>> append(
      std::span<const store::Batch> batches, const std::function<Result<void>()>& before);
  [[nodiscard]] Result<std::optional<store::Watermark>> watermark(const std::string& source);
  [[nodiscard]] Result<std::vector<store::Source>> sources();
  [[nodiscard]] FlowRing* flows() noexcept { return flows_.get(); }
  // Of other nodes; null where none are kept.
  [[nodiscard]] FlowRing* flows_below() noexcept { return tree_.flows_below.get(); }
  [[nodiscard]] std::string node() const;

  struct Status {
    std::size_t waiting{0};          // batches in line
    std::uint64_t dropped{0};        // batches that were too many to wait
    std::uint64_t dropped_flows{0};  // batches of flow records, likewise
    std::int64_t untold_packets{0};  // see Rollup
    std::uint64_t unfollowed{0};
    bool open{false};        // the store can be asked
    std::string trouble_en;  // why the line waits; empty: it does not
    std::string trouble_zh;
  };
  [[nodiscard]] Status status() const;

  // One round of the thread's work; for tests, which have no time to wait.
  void work();

 private:
  void run();
  void put_in_line(std::vector<store::Batch> batches);
  void put_flows_in_line();
  // What is to be stored or passed on next; null: nothing.
  [[nodiscard]] std::deque<store::Batch>* next_line();
  // Records of flows of other nodes into their ring, then all into the store.
  [[nodiscard]] Result<std::vector<store::Applied>> apply(store::Store& store,
                                                          std::span<const store::Batch> batches);
  void store_line();
  [[nodiscard]] Result<void> open_store();
  // Numbers of the next batches; asks the store where it may know more of this node.
  [[nodiscard]] Result<void> begin_epoch(const std::string& node);
  // The batch as it is numbered next: as one, or denials and the rest where it is passed on.
  [[nodiscard]] std::vector<store::Batch> numbered(store::Batch batch) const;
  void complain(const Text& text);

  OpenStore open_;
  std::unique_ptr<FlowRing> flows_;
  Clock clock_;
  Log log_;

  mutable std::mutex mutex_;  // of the roll-up, the line and the status
  std::condition_variable wake_;
  bool stopping_{false};
  Rollup rollup_;
  std::string node_;
  std::string revision_;
  policy::Catalog catalog_;
  std::deque<store::Batch> urgent_;  // goes before line_: alarms
  std::deque<store::Batch> line_;
  std::deque<store::Batch> flow_line_;                         // goes behind it: flow records
  store::FlowLines fresh_flows_;                               // not in line yet
  WallMs flows_since_{0};                                      // when the first of them was heard
  std::map<std::string, std::vector<store::Alarm>> standing_;  // at each node
  Status status_;
  std::uint64_t epoch_{0};
  std::array<std::uint64_t, store::kStreams> sequences_{};
  std::string numbered_node_;  // whose epoch and sequences these are
  // The rules in force as they were told last: again in another epoch, and after an hour, for a
  // batch may be lost on its way up.
  struct Listed {
    std::uint64_t epoch{0};
    std::uint64_t rules{0};
    std::int64_t minute{0};
  };
  Listed listed_;
  InTree tree_;

  std::mutex storing_;  // of the store, and of taking a batch out of the line; before mutex_
  std::unique_ptr<store::Store> store_;
  WallTime dropped_at_{};
  std::chrono::steady_clock::time_point dropped_at_steady_{};
  std::thread thread_;
};

}  // namespace meiguan::report
