#pragma once

// Statistics in files, one for each resolution and period, `1m-20261122-0600.db`, and `meta.db`
// with what belongs to no time: watermarks and what is known of rules.
//
// Each file remembers which batches it has. So a batch that was applied to some files when the
// machine stopped is applied to the others when it is sent again, and to none twice; the watermark
// in meta.db moves last.

#include <map>
#include <mutex>
#include <utility>

#include "controlplane/store/rule_lists.h"
#include "controlplane/store/sqlite_file.h"
#include "controlplane/store/store.h"

namespace meiguan::store {

class SqliteMeta {
 public:
  [[nodiscard]] static Result<SqliteMeta> open(const std::filesystem::path& path, bool& damaged);

  [[nodiscard]] Result<std::optional<Watermark>> watermark(const std::string& source,
                                                           bool& damaged);
  [[nodiscard]] Result<std::vector<Source>> sources(bool& damaged);
  // Moves the watermarks, counts the hits and takes the alarms, in one transaction.
  [[nodiscard]] Result<void> finish(std::span<const Batch* const> batches, bool& damaged);
  [[nodiscard]] Result<std::vector<HitsRow>> hits(const std::string& node, bool& damaged);
  [[nodiscard]] Result<std::vector<AlarmRow>> alarms(std::int64_t since, bool& damaged);
  // See longest_since(); none: it was not settled yet.
  [[nodiscard]] Result<std::optional<std::int64_t>> longest_since(bool& damaged);
  [[nodiscard]] Result<void> settle_longest(std::int64_t since, bool& damaged);
  [[nodiscard]] Result<void> forget_alarms(std::int64_t before, bool& damaged);

 private:
  explicit SqliteMeta(Connection connection) : connection_{std::move(connection)} {}
  [[nodiscard]] bool put(std::span<const Batch* const> batches);
  struct Lists;
  [[nodiscard]] Result<std::vector<WatchedList>> lists(const std::string& node, bool& damaged);
  [[nodiscard]] bool put_alarms(std::span<const Batch* const> batches);
  Connection connection_;
};

class SqliteStore : public Store {
 public:
  SqliteStore(std::filesystem::path directory, Options options);

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
  [[nodiscard]] std::vector<Text> take_alarms() override;

 private:
  using FileKey = std::pair<std::size_t, std::int64_t>;  // resolution, begin of the period

  [[nodiscard]] std::filesystem::path path_of(const FileKey& key) const;
  [[nodiscard]] std::map<FileKey, std::filesystem::path> files() const;
  [[nodiscard]] Result<void> open_meta();
  // What `ask` says of meta.db; where that is damaged, of an empty one in its place.
  template <typename Ask>
  [[nodiscard]] auto of_meta(const Ask& ask)
      -> decltype(ask(std::declval<SqliteMeta&>(), std::declval<bool&>()));
  [[nodiscard]] Result<std::vector<Applied>> judge_all(std::span<const Batch> batches);
  [[nodiscard]] Result<void> apply(std::span<const Batch* const> batches, std::size_t resolution);
  [[nodiscard]] Result<void> apply(std::span<const PlacedBatch> batches, const FileKey& key);
  [[nodiscard]] Result<SqliteFile*> file(const FileKey& key);
  void put_aside(const std::filesystem::path& path);
  // Before the first of these batches is in a file.
  [[nodiscard]] Result<void> settle_longest(std::span<const Batch* const> batches);

  std::filesystem::path directory_;
  Options options_;
  std::mutex writing_;  // of what follows, but for the alarms
  std::optional<SqliteMeta> meta_;
  bool settled_{false};
  struct OpenFile {
    SqliteFile file;
    std::uint64_t used;  // when it was last wanted, in uses_
  };
  std::map<FileKey, OpenFile> open_;
  std::uint64_t uses_{0};
  std::mutex alarming_;
  std::vector<Text> alarms_;
};

}  // namespace meiguan::store
