#include "controlplane/store/postgres_store.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <utility>

namespace meiguan::store {
namespace {

constexpr const char* kSums =
    "packets bigint NOT NULL, bytes bigint NOT NULL, started bigint NOT NULL, "
    "ended bigint NOT NULL, peak_packets bigint NOT NULL, peak_bytes bigint NOT NULL";

std::vector<std::string> schema() {
  std::vector<std::string> all{
      "CREATE TABLE IF NOT EXISTS groups (id bigserial PRIMARY KEY, node text NOT NULL, "
      "unit text NOT NULL, peer text NOT NULL, service text NOT NULL, from_zone text NOT NULL, "
      "to_zone text NOT NULL, reason text NOT NULL, rule text NOT NULL, family text NOT NULL, "
      "direction text NOT NULL)",
      // A new group is looked for first; a province has a hundred thousand.
      "CREATE INDEX IF NOT EXISTS groups_names ON groups (node, unit, service, rule)",
      "CREATE TABLE IF NOT EXISTS watermarks (node text PRIMARY KEY, epoch bigint NOT NULL, "
      "sequence bigint NOT NULL)",
      "CREATE TABLE IF NOT EXISTS lost (node text PRIMARY KEY, batches bigint NOT NULL)",
      "CREATE TABLE IF NOT EXISTS hits (node text, rule text, hits bigint NOT NULL, "
      "audited bigint NOT NULL, first bigint, last bigint, watched_since bigint NOT NULL, "
      "watched_until bigint NOT NULL, watched_ms bigint NOT NULL, PRIMARY KEY (node, rule))"};
  for (const auto& r : kResolution) {
    all.push_back(
        fmt::format("CREATE TABLE IF NOT EXISTS rows_{} (time bigint, grp bigint, {}, "
                    "PRIMARY KEY (time, grp)) PARTITION BY RANGE (time)",
                    r.name, kSums));
    all.push_back(fmt::format(
        "CREATE TABLE IF NOT EXISTS watches_{} (time bigint, node text, "
        "watched_ms bigint NOT NULL, events_lost bigint NOT NULL, folded bigint NOT NULL, "
        "PRIMARY KEY (time, node)) PARTITION BY RANGE (time)",
        r.name));
  }
  return all;
}

// The next number of a row of COPY text format.
std::int64_t take_number(std::string_view& row) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(row.data(), row.data() + row.size(), number);
  row.remove_prefix(static_cast<std::size_t>(end - row.data()));
  if (row.starts_with('\t')) row.remove_prefix(1);
  return number;
}

std::string text_of(std::int64_t number) { return fmt::format("{}", number); }

}  // namespace

PostgresStore::PostgresStore(std::string connection, Options options)
    : connect_{std::move(connection)}, options_{std::move(options)} {}

std::unexpected<Error> PostgresStore::failed() {
  if (connection_) {
    error_ = connection_->error();
    static_cast<void>(connection_->run("ROLLBACK"));
    // Numbers that were given in what was rolled back are gone with it.
    if (!connection_->alive() || !load_groups()) connection_.reset();
    parts_.clear();
  }
  return std::unexpected{error_};
}

bool PostgresStore::run(const std::string& sql, const std::vector<std::string>& parameters) {
  return connection_->run(sql, parameters).ok();
}

bool PostgresStore::connect() {
  if (connection_ && connection_->alive()) return true;
  connection_.reset();
  auto opened = PgConnection::open(connect_);
  if (!opened) {
    error_ = opened.error();
    return false;
  }
  connection_.emplace(std::move(*opened));
  bool made = run("BEGIN") && run(kPostgresLock);
  for (const auto& sql : schema()) made = made && run(sql);
  made =
      made && run("COMMIT") &&
      run(fmt::format("CREATE TEMP TABLE incoming (resolution bigint, time bigint, grp bigint, {}) "
                      "ON COMMIT DELETE ROWS",
                      kSums)) &&
      run("CREATE TEMP TABLE incoming_watches (time bigint, node text, watched_ms bigint, "
          "events_lost bigint, folded bigint) ON COMMIT DELETE ROWS") &&
      run("CREATE TEMP TABLE incoming_hits (line bigserial, node text, rule text, hits bigint, "
          "audited bigint, minute bigint, watched_ms bigint) ON COMMIT DELETE ROWS") &&
      load_groups();
  if (made) return true;
  error_ = connection_->error();
  connection_.reset();
  return false;
}

Result<void> PostgresStore::open() {
  const std::lock_guard lock{mutex_};
  if (!connect()) return std::unexpected{error_};
  return {};
}

bool PostgresStore::load_groups() {
  groups_.clear();
  const auto all = connection_->run(
      "SELECT id, node, unit, peer, service, from_zone, to_zone, reason, rule, family, direction "
      "FROM groups");
  if (!all.ok()) return false;
  for (int i = 0; i < all.rows(); ++i) {
    Key key;
    for (std::size_t k = 0; k < kKeyNames; ++k) {
      key.names[k] = all.text(i, static_cast<int>(k) + 1);
    }
    groups_.emplace(std::move(key), all.integer(i, 0));
  }
  return true;
}

bool PostgresStore::group_id(const Key& key, std::int64_t& id) {
  if (const auto found = groups_.find(key); found != groups_.end()) {
    id = found->second;
    return true;
  }
  const std::vector<std::string> names{key.names.begin(), key.names.end()};
  // Another writer may have given it one.
  auto known = connection_->run(
      "SELECT id FROM groups WHERE (node, unit, peer, service, from_zone, to_zone, reason, rule, "
      "family, direction) = ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10)",
      names);
  if (known.ok() && known.rows() == 0) {
    known = connection_->run(
        "INSERT INTO groups (node, unit, peer, service, from_zone, to_zone, reason, rule, family, "
        "direction) VALUES ($1,$2,$3,$4,$5,$6,$7,$8,$9,$10) RETURNING id",
        names);
  }
  if (!known.ok() || known.rows() != 1) return false;
  id = known.integer(0, 0);
  groups_.emplace(key, id);
  return true;
}

bool PostgresStore::make_part(std::size_t resolution, std::int64_t time) {
  const auto& r = kResolution[resolution];
  const auto begin = period_of(time, r.period);
  const auto name = fmt::format("{}_{}", r.name, begin);
  if (parts_.contains(name)) return true;
  for (const char* const table : {"rows", "watches"}) {
    if (!run(fmt::format("CREATE TABLE IF NOT EXISTS {0}_{1} PARTITION OF {0}_{2} "
                         "FOR VALUES FROM ({3}) TO ({4})",
                         table, name, r.name, begin, begin + r.period))) {
      return false;
    }
  }
  parts_.insert(name);
  return true;
}

Result<Answer> PostgresStore::query(const Query& query, std::span<const Batch> fresh) {
  const std::lock_guard lock{mutex_};
  if (!connect() || !load_groups()) return failed();
  const auto plan = plan_of(query, options_);
  Gather gather{query, plan, options_.offset};
  struct Group {
    std::size_t number;
    bool dropped;
  };
  std::map<std::int64_t, Group> groups;
  for (const auto& [key, id] : groups_) {
    if (const auto number = gather.group_of(key)) {
      groups.emplace(id, Group{*number, key.verdict() == "drop"});
    }
  }
  const auto name = kResolution[plan.resolution].name;
  const auto when = fmt::format("time >= {} AND time < {}", plan.since, plan.until);
  const char* const columns =
      plan.step == 0 ? "{}::bigint, grp, sum(packets)::bigint, sum(bytes)::bigint, "
                       "sum(started)::bigint, sum(ended)::bigint, max(peak_packets), "
                       "max(peak_bytes) FROM rows_{} WHERE {} GROUP BY grp"
                     : "{}time, grp, packets, bytes, started, ended, peak_packets, peak_bytes "
                       "FROM rows_{} WHERE {} ORDER BY time";
  const auto rows = fmt::format(fmt::runtime(columns),
                                plan.step == 0 ? text_of(plan.since) : std::string{}, name, when);
  const bool read =
      groups.empty() ||
      connection_->copy_out(fmt::format("COPY (SELECT {}) TO STDOUT", rows),
                            [&](std::string_view row) {
                              const auto time = take_number(row);
                              const auto found = groups.find(take_number(row));
                              if (found == groups.end()) return;
                              Sums sums;
                              for (auto* const part :
                                   {&sums.packets, &sums.bytes, &sums.started, &sums.ended,
                                    &sums.peak_packets, &sums.peak_bytes}) {
                                *part = take_number(row);
                              }
                              gather.add(time, found->second.number, sums, found->second.dropped);
                            });
  if (!read) return failed();
  const auto watches = connection_->run(
      fmt::format("SELECT time, node, watched_ms, events_lost, folded FROM watches_{} WHERE {}",
                  name, when));
  if (!watches.ok()) return failed();
  for (int i = 0; i < watches.rows(); ++i) {
    gather.watch(watches.integer(i, 0), std::string{watches.text(i, 1)},
                 {watches.integer(i, 2), watches.integer(i, 3), watches.integer(i, 4)});
  }
  for (const auto& batch : fresh) gather.add(batch);
  return gather.take();
}

Result<std::vector<HitsRow>> PostgresStore::hits(const std::string& node) {
  const std::lock_guard lock{mutex_};
  if (!connect()) return std::unexpected{error_};
  const auto all = connection_->run(
      "SELECT node, rule, hits, audited, first, last, watched_since, watched_until, watched_ms "
      "FROM hits WHERE $1 = '' OR node = $1 ORDER BY node COLLATE \"C\", rule COLLATE \"C\"",
      {node});
  if (!all.ok()) return failed();
  std::vector<HitsRow> rows;
  for (int i = 0; i < all.rows(); ++i) {
    HitsRow row;
    row.node = all.text(i, 0);
    row.rule = all.text(i, 1);
    row.hits = all.integer(i, 2);
    row.audited = all.integer(i, 3);
    if (!all.is_null(i, 4)) row.first = all.integer(i, 4);
    if (!all.is_null(i, 5)) row.last = all.integer(i, 5);
    row.watched_since = all.integer(i, 6);
    row.watched_until = all.integer(i, 7);
    row.watched_ms = all.integer(i, 8);
    rows.push_back(std::move(row));
  }
  return rows;
}

Result<std::size_t> PostgresStore::drop_old(std::int64_t now) {
  const std::lock_guard lock{mutex_};
  if (!connect()) return std::unexpected{error_};
  std::size_t dropped = 0;
  for (std::size_t i = 0; i < kResolutions; ++i) {
    const auto& r = kResolution[i];
    const auto head = fmt::format("rows_{}", r.name);
    const auto parts = connection_->run(
        "SELECT c.relname FROM pg_inherits JOIN pg_class c ON c.oid = inhrelid "
        "WHERE inhparent = to_regclass($1)",
        {head});
    if (!parts.ok()) return failed();
    for (int k = 0; k < parts.rows(); ++k) {
      std::string_view name = parts.text(k, 0);
      if (!name.starts_with(head + "_")) continue;
      name.remove_prefix(head.size() + 1);
      const auto begin = take_number(name);
      if (!name.empty() || begin + r.period > now - options_.retention[i]) continue;
      if (!run(fmt::format("DROP TABLE IF EXISTS rows_{0}_{1}, watches_{0}_{1}", r.name, begin))) {
        return failed();
      }
      parts_.erase(fmt::format("{}_{}", r.name, begin));
      ++dropped;
    }
  }
  return dropped;
}

Result<std::unique_ptr<Store>> open_postgres(const std::string& connection, Options options) {
  auto store = std::make_unique<PostgresStore>(connection, std::move(options));
  if (auto opened = store->open(); !opened) return std::unexpected{opened.error()};
  return std::unique_ptr<Store>{std::move(store)};
}

}  // namespace meiguan::store
