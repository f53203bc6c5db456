#pragma once

// Statistics in PostgreSQL: tables of packs for each resolution, parted by time, so that old data
// go by dropping a part; one dictionary for all. A group of batches is one transaction with its
// watermarks.

#include <mutex>
#include <optional>
#include <set>

#include "controlplane/store/gather.h"
#include "controlplane/store/placed.h"
#include "controlplane/store/postgres.h"
#include "controlplane/store/store.h"

namespace meiguan::store {

// A writer holds it for its transaction, so that a name and a group get one number.
inline constexpr const char* kPostgresLock = "SELECT pg_advisory_xact_lock(5066549580791808)";

class PostgresStore : public Store {
 public:
  PostgresStore(std::string connection, Options options);

  // Connects and makes what is missing.
  [[nodiscard]] Result<void> open();
  using Store::append;
  [[nodiscard]] Result<std::vector<Applied>> append(std::span<const Batch> batches) override;
  [[nodiscard]] Result<std::optional<Watermark>> watermark(const std::string& source) override;
  [[nodiscard]] Result<std::vector<Source>> sources() override;
  using Store::query;
  [[nodiscard]] Result<Answer> query(const Query& query, std::span<const Batch> fresh) override;
  [[nodiscard]] Result<std::vector<HitsRow>> hits(const std::string& node) override;
  [[nodiscard]] Result<std::vector<AlarmRow>> alarms(std::int64_t since) override;
  Result<std::size_t> drop_old(std::int64_t now) override;
  [[nodiscard]] std::vector<Text> take_alarms() override { return {}; }

 private:
  // All with the lock held.
  [[nodiscard]] bool connect();
  // Errors: tables that are there already are not ours, or of another version.
  [[nodiscard]] Result<void> check_layout();
  [[nodiscard]] std::unexpected<Error> failed();
  [[nodiscard]] bool run(const std::string& sql, const std::vector<std::string>& parameters = {});
  // What others, or we ourselves, put there since the last time.
  [[nodiscard]] bool load_dictionary();
  [[nodiscard]] bool put_dictionary();
  [[nodiscard]] bool make_part(std::size_t resolution, std::int64_t time);
  // What the watermarks say of each; false where they could not be asked.
  [[nodiscard]] bool judge_all(std::span<const Batch> batches, std::vector<Applied>& said);
  [[nodiscard]] bool put_packs(std::span<const Batch* const> batches);
  // Adds what the database has already of these.
  [[nodiscard]] bool fetch_packs(PlacedPacks& packs, std::size_t resolution, CopyRows& rows);
  [[nodiscard]] bool fetch_times(PlacedPacks& packs, std::size_t resolution, CopyRows& rows);
  [[nodiscard]] bool read(const Part& part, Gather& gather);
  // See longest_since(): before the first of these batches is there.
  [[nodiscard]] bool settle_longest(std::span<const Batch* const> batches);
  [[nodiscard]] bool put_marks(std::span<const Batch* const> batches);
  [[nodiscard]] bool put_hits(std::span<const Batch* const> batches);
  struct Lists;
  [[nodiscard]] bool put_alarms(std::span<const Batch* const> batches);

  std::string connect_;
  Options options_;
  std::mutex mutex_;
  std::optional<PgConnection> connection_;
  Error error_;
  Numbering numbering_;
  std::set<std::string> parts_;
  bool settled_{false};  // see settle_longest()
};

}  // namespace meiguan::store
