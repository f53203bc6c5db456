#pragma once

// Statistics in memory: events and counters of one data plane become rows of ten seconds and, when
// a minute is over, a batch for the store.
//
//   flow start, period, end  -> packets and bytes of forwarded traffic, each once: of a flow that
//                               lasts what it has more than when it was last told of, spread over
//                               the time since
//   denials                  -> packets that were dropped, by whom, to what, by which rule
//   counters                 -> what no event tells of: packets for the gateway itself at once;
//                               of everything else the difference between counters and events, as
//                               "(untold)", so that all rows of a reason add up to its counter
//
// A minute stays open for a while after its end, since a flow tells once a minute what it did. The
// clock is the caller's and may jump: a minute that is over is handed out, and what comes for it
// later is handed out as another batch of it, which adds to the first.

#include <algorithm>
#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "controlplane/policy/catalog.h"
#include "controlplane/report/flow_progress.h"
#include "controlplane/report/sums.h"
#include "controlplane/store/row.h"
#include "dataplane/fastpath/event.h"

namespace meiguan::report {

struct RollupOptions {
  std::string node;
  std::size_t keys{16384};        // of a minute; what is beyond is one row for each reason
  std::size_t names{262144};      // kept in all
  std::size_t flows{1U << 20};    // lasting flows followed; what is beyond is told when they end
  std::int64_t open_seconds{75};  // after a minute's end; a flow tells every 60
};

// Milliseconds since 1970 of the caller's clock.
using WallMs = std::int64_t;

class Rollup {
 public:
  explicit Rollup(RollupOptions options);
  ~Rollup();
  Rollup(Rollup&&) noexcept;
  Rollup& operator=(Rollup&&) noexcept;

  // The names by which ids are known from now on.
  void set_catalog(const policy::Catalog& catalog);
  void set_node(const std::string& node);

  // A data plane is read from now on; `counters` are as it has them. What it counted before is in
  // no row; what is taken from here on adds up to what its counters grow by.
  void attach(const Sums& counters);
  // It is gone: what its counters have and nobody told of will not be told any more.
  void detach(WallMs now);

  // `ring`: the number of the worker's ring.
  void take(const fastpath::Event& event, std::size_t ring, WallMs now);
  // The counters as they are after all events were taken, `elapsed_ms` since the last time.
  void count(const Sums& counters, WallMs now, std::int64_t elapsed_ms);

  // Minutes that are over, each whole or what came late for it; the caller numbers them.
  [[nodiscard]] std::vector<store::Batch> take_over(WallMs now);
  // All that there is: at the end.
  [[nodiscard]] std::vector<store::Batch> take_all();
  // Minutes that are still open, as they are now.
  [[nodiscard]] std::vector<store::Batch> open_minutes() const;
  // The latest rows of ten seconds, closed ones too: `minute` is the begin of the ten seconds.
  [[nodiscard]] std::vector<store::Batch> ten_seconds(WallMs since) const;

  // Forwarded packets that the counters have and no event told of yet: of live flows, or lost.
  [[nodiscard]] std::int64_t untold_packets() const noexcept;
  [[nodiscard]] std::uint64_t events_lost() const noexcept { return events_lost_; }
  // Lasting flows that were too many to be followed.
  [[nodiscard]] std::uint64_t unfollowed() const noexcept { return progress_.unfollowed(); }

 private:
  struct Names;
  // A key by the numbers of its names; 0 is none.
  struct Id {
    std::array<std::uint32_t, 6> names{};  // unit, peer, service, from zone, to zone, rule
    std::uint8_t reason{0};
    std::uint8_t family{0};     // 0, 4 or 6
    std::uint8_t direction{0};  // 0 none, 1 request, 2 reply
    bool operator==(const Id&) const = default;
  };
  struct IdHash {
    [[nodiscard]] std::size_t operator()(const Id& id) const noexcept;
  };
  struct Slot {
    std::unordered_map<Id, store::Sums, IdHash> rows;
    std::int64_t folded{0};
  };
  struct Minute {
    std::array<Slot, 6> slots;
    std::size_t keys{0};
    store::Watch watch;
    std::map<std::uint32_t, std::array<std::int64_t, 2>> hits;  // by the rule's name
  };
  // Between what a counter has and what was told of it. The difference is what was lost and what
  // is on its way; the smallest of a minute is, but for what was on its way all the time, what was
  // lost. Where that was too much, the next correction takes it back.
  struct Balance {
    std::uint64_t first{0};             // the counter when it was attached
    std::uint64_t counted{0};           // as it is
    std::int64_t told{0};               // by events and by corrections
    std::optional<std::int64_t> least;  // since the last correction

    void begin(std::uint64_t counter) { *this = {counter, counter, 0, {}}; }
    [[nodiscard]] std::int64_t open() const {
      return static_cast<std::int64_t>(counted - first) - told;
    }
    void look(std::uint64_t counter) {
      counted = counter;
      least = least ? std::min(*least, open()) : open();
    }
  };

  [[nodiscard]] Id id_of(const fastpath::Event& event) const;
  void add(const Id& id, WallMs at, const store::Sums& sums);
  void spread(const Id& id, WallMs from, WallMs to, std::int64_t packets, std::int64_t bytes);
  void take_flow(const fastpath::Event& event, std::size_t ring, WallMs now);
  void count_hits(const Sums& counters, WallMs now);
  void correct(WallMs now);
  void correct(Balance& balance, std::int64_t store::Sums::*part, fastpath::Reason reason,
               WallMs now);
  [[nodiscard]] Minute& minute_at(WallMs at);
  [[nodiscard]] store::Batch batch_of(std::int64_t minute, const Minute& from) const;
  [[nodiscard]] store::Row row_of(const Id& id, const store::Sums& sums) const;

  RollupOptions options_;
  std::unique_ptr<Names> names_;
  std::map<std::int64_t, Minute> minutes_;  // by number since 1970
  std::deque<store::Batch> closed_slots_;
  FlowProgress progress_;
  bool attached_{false};
  bool fresh_{true};  // it had counted nothing when it was attached
  std::array<Balance, fastpath::kReasonCodes> balances_{};
  Sums last_;
  std::uint64_t events_lost_{0};
  Balance started_;
  Balance ended_;
  std::int64_t corrected_minute_{0};
  std::int64_t closed_until_{0};  // minutes before it were handed out
};

}  // namespace meiguan::report
