#include "controlplane/store/sqlite_store.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <iterator>
#include <limits>
#include <system_error>
#include <utility>

namespace meiguan::store {
namespace {

constexpr std::size_t kOpenFiles = 16;  // a late batch opens an old one
constexpr std::string_view kEnding = ".db";

// "20261122-0600": for people who look into the directory; by UTC.
std::string period_text(std::int64_t begin) {
  return fmt::format("{:%Y%m%d-%H%M}", fmt::gmtime(static_cast<std::time_t>(begin)));
}

// The other way; nothing where it is no such text.
std::optional<std::int64_t> period_begin(std::string_view text) {
  std::tm when{};
  const std::string copy{text};
  const char* const end = ::strptime(copy.c_str(), "%Y%m%d-%H%M", &when);
  if (end == nullptr || *end != '\0') return std::nullopt;
  return ::timegm(&when);
}

}  // namespace

SqliteStore::SqliteStore(std::filesystem::path directory, Options options)
    : directory_{std::move(directory)}, options_{std::move(options)} {
  options_.retention[kLongest] = options_.retention[kLongest - 1];
}

std::filesystem::path SqliteStore::path_of(const FileKey& key) const {
  return directory_ /
         fmt::format("{}-{}{}", kResolution[key.first].name, period_text(key.second), kEnding);
}

std::map<SqliteStore::FileKey, std::filesystem::path> SqliteStore::files() const {
  std::map<FileKey, std::filesystem::path> result;
  std::error_code error;
  for (std::filesystem::directory_iterator at{directory_, error}, end; !error && at != end;
       at.increment(error)) {
    const std::string name = at->path().filename().string();
    if (!name.ends_with(kEnding)) continue;
    for (std::size_t i = 0; i < kResolutions; ++i) {
      const std::string head = std::string{kResolution[i].name} + "-";
      if (!name.starts_with(head)) continue;
      const auto begin = period_begin(
          std::string_view{name}.substr(head.size(), name.size() - head.size() - kEnding.size()));
      if (begin) result.emplace(FileKey{i, *begin}, at->path());
    }
  }
  return result;
}

void SqliteStore::put_aside(const std::filesystem::path& path) {
  const auto aside = set_aside(path);
  const std::lock_guard lock{alarming_};
  alarms_.push_back(
      {fmt::format("statistics store: {} is damaged and was set aside as {}", path.string(),
                   aside.filename().string()),
       fmt::format("统计库：{} 已损坏，另存为 {}", path.string(), aside.filename().string())});
}

Result<void> SqliteStore::open_meta() {
  const auto path = directory_ / "meta.db";
  bool damaged = false;
  auto meta = SqliteMeta::open(path, damaged);
  if (!meta && damaged) {
    put_aside(path);
    meta = SqliteMeta::open(path, damaged);
  }
  if (!meta) return std::unexpected{meta.error()};
  meta_.emplace(std::move(*meta));
  return {};
}

Result<void> SqliteStore::open() {
  std::error_code error;
  std::filesystem::create_directories(directory_, error);
  if (error) {
    return fail(fmt::format("statistics store: {}: {}", directory_.string(), error.message()),
                fmt::format("统计库：{}：{}", directory_.string(), error.message()));
  }
  const std::lock_guard lock{writing_};
  return open_meta();
}

Result<SqliteFile*> SqliteStore::file(const FileKey& key) {
  ++uses_;
  if (const auto found = open_.find(key); found != open_.end()) {
    found->second.used = uses_;
    return &found->second.file;
  }
  // The one that was not wanted for longest: opening one reads its dictionary.
  if (open_.size() >= kOpenFiles) {
    open_.erase(
        std::ranges::min_element(open_, {}, [](const auto& one) { return one.second.used; }));
  }
  const auto path = path_of(key);
  bool damaged = false;
  auto opened = SqliteFile::open(path, damaged);
  if (!opened && damaged) {
    put_aside(path);
    opened = SqliteFile::open(path, damaged);
  }
  if (!opened) return std::unexpected{opened.error()};
  return &open_.emplace(key, OpenFile{std::move(*opened), uses_}).first->second.file;
}

Result<void> SqliteStore::apply(std::span<const PlacedBatch> batches, const FileKey& key) {
  const auto target = file(key);
  if (!target) return std::unexpected{target.error()};
  bool damaged = false;
  auto done = (*target)->apply(batches, damaged);
  if (done || !damaged) return done;
  open_.erase(key);
  put_aside(path_of(key));
  const auto fresh = file(key);
  if (!fresh) return std::unexpected{fresh.error()};
  return (*fresh)->apply(batches, damaged);
}

Result<void> SqliteStore::apply(std::span<const Batch* const> batches, std::size_t resolution) {
  const auto& r = kResolution[resolution];
  std::map<FileKey, std::vector<PlacedBatch>> parts;
  for (const auto* const batch : batches) {
    const auto time = bucket_of(batch->minute, r.step, options_.offset);
    parts[{resolution, period_of(time, r.period)}].push_back({batch, time});
  }
  for (const auto& [key, part] : parts) {
    if (auto done = apply(part, key); !done) return done;
  }
  return {};
}

template <typename Ask>
auto SqliteStore::of_meta(const Ask& ask)
    -> decltype(ask(std::declval<SqliteMeta&>(), std::declval<bool&>())) {
  bool damaged = false;
  for (int round = 0;; ++round) {
    if (!meta_) {
      if (auto opened = open_meta(); !opened) return std::unexpected{opened.error()};
    }
    auto said = ask(*meta_, damaged);
    if (said) return said;
    meta_.reset();
    settled_ = false;
    if (!damaged || round > 0) return said;
    put_aside(directory_ / "meta.db");
  }
}

Result<std::vector<Applied>> SqliteStore::judge_all(std::span<const Batch> batches) {
  std::map<std::string, std::optional<Watermark>> marks;
  std::vector<Applied> said;
  for (const auto& batch : batches) {
    const auto source = batch.source();
    auto known = marks.find(source);
    if (known == marks.end()) {
      const auto mark = of_meta(
          [&](SqliteMeta& meta, bool& damaged) { return meta.watermark(source, damaged); });
      if (!mark) return std::unexpected{mark.error()};
      known = marks.emplace(source, *mark).first;
    }
    said.push_back(judge(known->second, batch));
    if (said.back() == Applied::kNow) known->second = Watermark{batch.epoch, batch.sequence};
  }
  return said;
}

// A meta.db that is new beside files of before is as a store of before.
Result<void> SqliteStore::settle_longest(std::span<const Batch* const> batches) {
  if (settled_ || batches.empty()) return {};
  const auto known = of_meta(
      [](SqliteMeta& meta, bool& damaged) { return meta.longest_since(damaged); });
  if (!known) return std::unexpected{known.error()};
  if (!*known) {
    const auto since = longest_since(files().empty(), batches.front()->minute, options_);
    const auto done = of_meta(
        [&](SqliteMeta& meta, bool& damaged) { return meta.settle_longest(since, damaged); });
    if (!done) return done;
  }
  settled_ = true;
  return {};
}

Result<std::vector<Applied>> SqliteStore::append(std::span<const Batch> batches) {
  const std::lock_guard lock{writing_};
  auto said = judge_all(batches);
  if (!said) return said;
  std::vector<const Batch*> wanted;
  for (std::size_t i = 0; i < batches.size(); ++i) {
    if ((*said)[i] == Applied::kNow) wanted.push_back(&batches[i]);
  }
  if (wanted.empty()) return said;
  std::vector<const Batch*> with_rows;
  std::ranges::copy_if(wanted, std::back_inserter(with_rows), &Batch::has_rows);
  if (auto settled = settle_longest(with_rows); !settled) {
    return std::unexpected{settled.error()};
  }
  for (std::size_t i = 0; i < kResolutions; ++i) {
    if (auto done = apply(with_rows, i); !done) return std::unexpected{done.error()};
  }
  const auto done = of_meta(
      [&](SqliteMeta& meta, bool& damaged) { return meta.finish(wanted, damaged); });
  if (!done) return std::unexpected{done.error()};
  return said;
}

Result<std::optional<Watermark>> SqliteStore::watermark(const std::string& source) {
  const std::lock_guard lock{writing_};
  return of_meta([&](SqliteMeta& meta, bool& damaged) { return meta.watermark(source, damaged); });
}

Result<std::vector<Source>> SqliteStore::sources() {
  const std::lock_guard lock{writing_};
  return of_meta([&](SqliteMeta& meta, bool& damaged) { return meta.sources(damaged); });
}

Result<std::vector<HitsRow>> SqliteStore::hits(const std::string& node) {
  const std::lock_guard lock{writing_};
  return of_meta([&](SqliteMeta& meta, bool& damaged) { return meta.hits(node, damaged); });
}

Result<std::vector<AlarmRow>> SqliteStore::alarms(std::int64_t since) {
  const std::lock_guard lock{writing_};
  return of_meta([&](SqliteMeta& meta, bool& damaged) { return meta.alarms(since, damaged); });
}

Result<Answer> SqliteStore::query(const Query& query, std::span<const Batch> fresh) {
  auto whole_since = std::numeric_limits<std::int64_t>::max();
  {
    const std::lock_guard lock{writing_};
    const auto known = of_meta(
        [](SqliteMeta& meta, bool& damaged) { return meta.longest_since(damaged); });
    if (!known) return std::unexpected{known.error()};
    whole_since = known->value_or(whole_since);
  }
  const auto plan = plan_of(query, options_, whole_since);
  Gather gather{query, plan, options_.offset};
  const auto all = files();
  for (const auto& part : plan.parts) {
    const auto period = kResolution[part.resolution].period;
    for (const auto& [key, path] : all) {
      if (key.first != part.resolution || key.second >= part.until ||
          key.second + period <= part.since) {
        continue;
      }
      bool damaged = false;
      auto done = SqliteFile::read(path, part, gather, damaged);
      if (done) continue;
      // What was read of it is in the answer already: asked again, the answer is without it.
      if (!damaged) return std::unexpected{done.error()};
      const std::lock_guard lock{writing_};
      open_.erase(key);
      put_aside(path);
      return std::unexpected{done.error()};
    }
  }
  for (const auto& batch : fresh) gather.add(batch);
  return gather.take();
}

Result<std::size_t> SqliteStore::drop_old(std::int64_t now) {
  const std::lock_guard lock{writing_};
  std::size_t dropped = 0;
  for (const auto& [key, path] : files()) {
    if (key.second + kResolution[key.first].period > now - options_.retention[key.first]) continue;
    open_.erase(key);
    remove_database(path);
    ++dropped;
  }
  const auto forgotten = of_meta([&](SqliteMeta& meta, bool& damaged) {
    return meta.forget_alarms(now - kAlarmsKept, damaged);
  });
  if (!forgotten) return std::unexpected{forgotten.error()};
  return dropped;
}

std::vector<Text> SqliteStore::take_alarms() {
  const std::lock_guard lock{alarming_};
  return std::exchange(alarms_, {});
}

Result<std::unique_ptr<Store>> open_sqlite(const std::filesystem::path& directory,
                                           Options options) {
  auto store = std::make_unique<SqliteStore>(directory, std::move(options));
  if (auto opened = store->open(); !opened) return std::unexpected{opened.error()};
  return std::unique_ptr<Store>{std::move(store)};
}

}  // namespace meiguan::store
