#pragma once

// Where statistics lie: the interface that every kind of database has, held by one conformance
// test (store_fixture.h).

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "controlplane/store/resolution.h"
#include "controlplane/store/row.h"
#include "dataplane/base/result.h"

namespace meiguan::store {

struct Options {
  Retention retention{kDefaultRetention};
  OffsetAt offset;  // of the policy's time zone; none: UTC
};

// A row passes where for every dimension named its value is one of those given.
using Filter = std::map<Dimension, std::vector<std::string>>;

struct Query {
  std::int64_t since{0};  // seconds since 1970, rounded down to a step
  std::int64_t until{0};  // not in it
  std::int64_t step{0};   // seconds; 0: the whole time as one
  std::int64_t now{0};    // by which it is known what was dropped already
  std::vector<Dimension> by;
  Filter filter;
};

struct AnswerRow {
  std::int64_t time{0};            // the step's begin; `since` where there is one step only
  std::vector<std::string> names;  // in the order of Query::by
  Sums sums;
  std::int64_t denied{0};  // of sums.packets: those that were dropped

  bool operator==(const AnswerRow&) const = default;
};

// Of every node that passes the filter, step by step.
struct Watched {
  std::vector<std::string> nodes;
  // By time; of each node, in the order above. Nobody watched what has no milliseconds, or is not
  // there.
  std::map<std::int64_t, std::vector<Watch>> steps;
};

struct Answer {
  std::int64_t resolution{kMinute};  // of the finest rows that it was made of, seconds
  std::vector<AnswerRow> rows;       // by time, then by names
  Watched watched;
};

// Beyond it a question is refused: nobody reads as many, and they would fill the memory.
inline constexpr std::size_t kMostAnswerRows = 200'000;

struct HitsRow {
  std::string node;
  std::string rule;
  std::int64_t hits{0};
  std::int64_t audited{0};
  std::optional<std::int64_t> first;  // minutes, seconds since 1970; none: never hit
  std::optional<std::int64_t> last;
  std::int64_t watched_since{0};  // first and last minute that it was in force and watched
  std::int64_t watched_until{0};
  std::int64_t watched_ms{0};  // of the time between

  bool operator==(const HitsRow&) const = default;
};

struct AlarmRow {
  std::string node;
  Alarm alarm;
  std::optional<std::int64_t> until;  // seconds since 1970; none: it stands
  bool operator==(const AlarmRow&) const = default;
};
// Alarms that are over and kept of a node, the latest.
inline constexpr std::size_t kMostPastAlarms = 1'000;
// How long at most.
inline constexpr std::int64_t kAlarmsKept = 400 * kDay;

enum class Applied : std::uint8_t {
  kNow,
  kBefore,  // the same batch had come before
  kGap,     // one before it is missing: nothing was done
};

struct Watermark {
  std::uint64_t epoch{0};
  std::uint64_t sequence{0};
  bool operator==(const Watermark&) const = default;
};

// Somebody who has reported: see Batch::source().
struct Source {
  std::string name;
  Watermark mark;
  std::uint64_t lost{0};  // batches that were declared lost, since ever
};

// What becomes of a batch of a source whose watermark is that. Of a source that was never heard of
// any sequence may be the first: its past is another store's.
[[nodiscard]] Applied judge(const std::optional<Watermark>& mark, const Batch& batch) noexcept;

class Store {
 public:
  virtual ~Store() = default;

  // Adds batches to all resolutions, each once; they last when it returns, and cost one sync
  // together. What became of each, in their order. Errors: the database cannot take them; then all
  // may be tried again, and what was applied of them already is not applied twice.
  [[nodiscard]] virtual Result<std::vector<Applied>> append(std::span<const Batch> batches) = 0;
  [[nodiscard]] Result<Applied> append(const Batch& batch);
  // The last batch of the source's latest epoch that was applied whole.
  [[nodiscard]] virtual Result<std::optional<Watermark>> watermark(const std::string& source) = 0;
  // All that ever reported, by name.
  [[nodiscard]] virtual Result<std::vector<Source>> sources() = 0;
  // With steps from the coarsest resolution that they are made of and that is kept for all of the
  // time asked for; a step that none divides is rounded up to it. Without, from all of them: days
  // where they lie in it whole, hours before and after, and so on.
  // Errors: among others that it would have too many rows.
  // `fresh` are batches that were not appended yet and count as if they were.
  [[nodiscard]] virtual Result<Answer> query(const Query& query, std::span<const Batch> fresh) = 0;
  [[nodiscard]] Result<Answer> query(const Query& asked) { return query(asked, {}); }
  // What is known of every rule, or of one node's (empty: all).
  [[nodiscard]] virtual Result<std::vector<HitsRow>> hits(const std::string& node) = 0;
  // Alarms of every node that stand, or ended at `since` or later; by node, then as they began.
  [[nodiscard]] virtual Result<std::vector<AlarmRow>> alarms(std::int64_t since) = 0;
  // Forgets what is older than it is to be kept, whole periods at a time; how many.
  virtual Result<std::size_t> drop_old(std::int64_t now) = 0;
  // What went wrong since the last call and an operator should know: files set aside.
  [[nodiscard]] virtual std::vector<Text> take_alarms() = 0;
};

// Files in a directory of their own, which is made where it is missing.
[[nodiscard]] Result<std::unique_ptr<Store>> open_sqlite(const std::filesystem::path& directory,
                                                         Options options);
// By a libpq connection string; tables are made where they are missing.
[[nodiscard]] Result<std::unique_ptr<Store>> open_postgres(const std::string& connection,
                                                           Options options);

}  // namespace meiguan::store
