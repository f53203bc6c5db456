#pragma once

// Counters and events of one data plane, kept fresh by a thread of its own: the rings are drained
// every few milliseconds whatever else the control plane does, the counters added up every second.

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <tuple>
#include <vector>

#include "controlplane/report/attack_book.h"
#include "controlplane/report/port_block_book.h"
#include "controlplane/report/port_block_log.h"
#include "controlplane/report/segment.h"
#include "controlplane/report/sums.h"

namespace meiguan::report {

// Denials of one sender by one rule for one reason.
struct DenialGroup {
  fastpath::Reason reason{};
  RuleId rule;
  UnitId unit;               // none: `source` tells whom
  net::Address source;       // the latest one
  net::Address destination;  // likewise
  std::uint8_t protocol{0};
  std::uint16_t destination_port{0};
  UnitId to_unit;
  ServiceId service;
  std::uint64_t packets{0};
  WallTime last;
};

struct SeenEvent {
  fastpath::Event event;
  WallTime at;  // when the control plane read it
};

// Two readings, for totals and rates. `seconds` is 0 where there is only one.
struct Readings {
  Sums now;
  Sums before;
  double seconds{0};
};

// Hears all that a collector reads, in its thread.
class CollectorSink {
 public:
  virtual ~CollectorSink() = default;
  // A data plane is read from now on; the counters as it has them.
  virtual void attached(const Sums& counters) = 0;
  // It is gone; all that it had told was heard.
  virtual void detached() = 0;
  virtual void heard(const fastpath::Event& event, std::size_t ring, WallTime at) = 0;
  // Behind all events that were there; `elapsed` since the last time.
  virtual void counted(const Sums& counters, WallTime at, std::chrono::milliseconds elapsed) = 0;
};

class Collector {
 public:
  // `sink` and `log` may be null and must outlive the collector.
  explicit Collector(CollectorSink* sink = nullptr, PortBlockLog* log = nullptr);
  ~Collector();
  Collector(const Collector&) = delete;
  Collector& operator=(const Collector&) = delete;

  // From now on reads this segment; what was collected of another is forgotten.
  void attach(Segment segment);
  // The data plane is gone; what was collected stays readable.
  void detach();
  // How many objects have names, so that the others are not read.
  void set_extent(const Extent& extent);

  [[nodiscard]] Readings readings() const;
  [[nodiscard]] std::vector<DenialGroup> denials() const;       // the latest first
  [[nodiscard]] std::vector<SeenEvent> recent_denials() const;  // the latest first
  [[nodiscard]] std::vector<SeenEvent> recent_flow_ends() const;
  [[nodiscard]] std::vector<Attack> attacks() const;  // the latest first
  [[nodiscard]] std::uint64_t forgotten_attacks() const;
  [[nodiscard]] std::vector<PortBlockHeld> port_blocks() const;  // as PortBlockBook::list
  [[nodiscard]] std::uint64_t forgotten_port_blocks() const;
  // Groups that were pushed out by newer ones, for want of room.
  [[nodiscard]] std::uint64_t forgotten_groups() const;

  // One round of the thread's work; for tests, which have no time to wait.
  void drain();
  void sample();

 private:
  using GroupKey = std::tuple<std::uint32_t, net::Address, fastpath::Reason, std::uint32_t>;
  void run();
  void drain_locked();
  void end_reading();
  void sample_locked();
  void take(const fastpath::Event& event, WallTime at);

  mutable std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_{false};
  std::optional<Segment> segment_;
  CollectorSink* sink_;
  PortBlockLog* block_log_;
  Extent extent_;
  struct Reading {
    Sums sums;
    std::chrono::steady_clock::time_point at;
  };
  std::deque<Reading> history_;
  std::map<GroupKey, DenialGroup> groups_;
  std::uint64_t forgotten_{0};
  AttackBook attacks_;
  PortBlockBook port_blocks_;
  std::deque<SeenEvent> denials_;
  std::deque<SeenEvent> flow_ends_;
  std::thread thread_;
};

}  // namespace meiguan::report
