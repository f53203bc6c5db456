#include "controlplane/store/postgres_store.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <charconv>
#include <limits>
#include <utility>

#include "controlplane/store/rule_lists.h"

namespace meiguan::store {
namespace {

struct Table {
  std::string name;
  std::string columns;  // their names, in order, with a space between
  std::string make;     // what stands behind CREATE TABLE
};

std::vector<Table> tables() {
  std::vector<Table> all{
      {"names", "first chunk", "(first bigint PRIMARY KEY, chunk bytea NOT NULL)"},
      {"groups", "first chunk", "(first bigint PRIMARY KEY, chunk bytea NOT NULL)"},
      {"watermarks", "node epoch sequence",
       "(node text PRIMARY KEY, epoch bigint NOT NULL, sequence bigint NOT NULL)"},
      {"lost", "node batches", "(node text PRIMARY KEY, batches bigint NOT NULL)"},
      {"hits", "node rule hits audited first last watched_since watched_until watched_ms",
       "(node text, rule text, hits bigint NOT NULL, audited bigint NOT NULL, first bigint, "
       "last bigint, watched_since bigint NOT NULL, watched_until bigint NOT NULL, "
       "watched_ms bigint NOT NULL, PRIMARY KEY (node, rule))"},
      {"longest", "since", "(since bigint NOT NULL)"},
      {"rule_lists", "node fingerprint rules",
       "(node text PRIMARY KEY, fingerprint bigint NOT NULL, rules text NOT NULL)"},
      {"rule_watches", "node first last watched_ms",
       "(node text PRIMARY KEY, first bigint NOT NULL, last bigint NOT NULL, "
       "watched_ms bigint NOT NULL)"},
      {"alarms", "node name about since kind packets until",
       "(node text, name text, about text, since bigint, kind text NOT NULL, "
       "packets bigint NOT NULL, until bigint, PRIMARY KEY (node, name, about, since))"}};
  for (const auto& r : kResolution) {
    all.push_back({fmt::format("packs_{}", r.name), "time node sums",
                   "(time bigint, node bigint, sums bytea NOT NULL, PRIMARY KEY (time, node)) "
                   "PARTITION BY RANGE (time)"});
    all.push_back({fmt::format("times_{}", r.name), "time watches whole",
                   "(time bigint PRIMARY KEY, watches bytea NOT NULL, whole bytea NOT NULL) "
                   "PARTITION BY RANGE (time)"});
  }
  return all;
}

std::vector<std::string> schema() {
  std::vector<std::string> all;
  for (const auto& table : tables()) {
    all.push_back(fmt::format("CREATE TABLE IF NOT EXISTS {} {}", table.name, table.make));
  }
  all.emplace_back("CREATE INDEX IF NOT EXISTS alarms_until ON alarms (until)");
  for (const auto& r : kResolution) {
    // Packs do not get smaller by compressing them once more.
    all.push_back(fmt::format("ALTER TABLE packs_{} ALTER sums SET STORAGE EXTERNAL", r.name));
    all.push_back(
        fmt::format("ALTER TABLE times_{} ALTER watches SET STORAGE EXTERNAL, "
                    "ALTER whole SET STORAGE EXTERNAL",
                    r.name));
  }
  return all;
}

Error other_layout(std::string_view table, std::string_view has, std::string_view expected) {
  return fail(fmt::format("statistics database: table {} has the columns ({}), expected {}; it is "
                          "of an earlier version, or not Meiguan's: give --stats-postgres an empty "
                          "database (createdb), and keep this one for what was",
                          table, has,
                          expected.empty() ? "no such table" : fmt::format("({})", expected)),
              fmt::format("统计数据库：表 {} 的列为（{}），应{}；它由旧版本建立，或不属于梅关。"
                          "请用 createdb 新建空库并写入 --stats-postgres，旧库可留作查询历史",
                          table, has,
                          expected.empty() ? "没有这张表" : fmt::format("为（{}）", expected)))
      .error();
}

// The next number of a row of COPY text format.
std::int64_t take_number(std::string_view& row) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(row.data(), row.data() + row.size(), number);
  row.remove_prefix(static_cast<std::size_t>(end - row.data()));
  if (row.starts_with('\t')) row.remove_prefix(1);
  return number;
}

}  // namespace

PostgresStore::PostgresStore(std::string connection, Options options)
    : connect_{std::move(connection)}, options_{std::move(options)} {
  options_.retention[kLongest] = options_.retention[kLongest - 1];
}

std::unexpected<Error> PostgresStore::failed() {
  if (connection_) {
    error_ = connection_->error();
    static_cast<void>(connection_->run("ROLLBACK"));
    if (!connection_->alive()) connection_.reset();
    numbering_.forget_new();
    settled_ = false;
    parts_.clear();
  }
  return std::unexpected{error_};
}

bool PostgresStore::run(const std::string& sql, const std::vector<std::string>& parameters) {
  return connection_->run(sql, parameters).ok();
}

Result<void> PostgresStore::check_layout() {
  auto known = tables();
  for (const auto& r : kResolution) {
    // An earlier version's.
    known.push_back({fmt::format("rows_{}", r.name), {}, {}});
    known.push_back({fmt::format("watches_{}", r.name), {}, {}});
  }
  for (const auto& table : known) {
    const auto has = connection_->run(
        "SELECT string_agg(attname, ' ' ORDER BY attnum) FROM pg_attribute "
        "WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped",
        {table.name});
    if (!has.ok() || has.rows() != 1) return std::unexpected{connection_->error()};
    if (!has.is_null(0, 0) && has.text(0, 0) != table.columns) {
      return std::unexpected{other_layout(table.name, has.text(0, 0), table.columns)};
    }
  }
  return {};
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
  if (auto fits = check_layout(); !fits) {
    error_ = fits.error();
    connection_.reset();
    return false;
  }
  bool made = run("BEGIN") && run(kPostgresLock);
  for (const auto& sql : schema()) made = made && run(sql);
  made = made && run("COMMIT") &&
         run("CREATE TEMP TABLE incoming (resolution bigint, time bigint, node bigint, sums bytea) "
             "ON COMMIT DELETE ROWS") &&
         run("CREATE TEMP TABLE incoming_times (resolution bigint, time bigint, watches bytea, "
             "whole bytea) ON COMMIT DELETE ROWS") &&
         run("CREATE TEMP TABLE incoming_hits (line bigserial, node text, rule text, hits bigint, "
             "audited bigint, minute bigint, watched_ms bigint) ON COMMIT DELETE ROWS");
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

bool PostgresStore::load_dictionary() {
  const auto read = [&](const char* table, std::size_t from, auto add) {
    return connection_->copy_out(
        fmt::format("COPY (SELECT first, chunk FROM {} WHERE first >= {} ORDER BY first) TO STDOUT "
                    "(FORMAT binary)",
                    table, from),
        [&](const CopiedRow& row) {
          return row.columns() == 2 && add(row.integer(0), row.bytes(1));
        });
  };
  const bool done = read("names", numbering_.names().size(),
                         [&](std::int64_t first, std::string_view chunk) {
                           return numbering_.add_names(first, chunk);
                         }) &&
                    read("groups", numbering_.groups().size(),
                         [&](std::int64_t first, std::string_view chunk) {
                           return numbering_.add_groups(first, chunk);
                         });
  if (done) numbering_.saved();
  return done;
}

bool PostgresStore::make_part(std::size_t resolution, std::int64_t time) {
  const auto& r = kResolution[resolution];
  const auto begin = period_of(time, r.period);
  const auto name = fmt::format("{}_{}", r.name, begin);
  if (parts_.contains(name)) return true;
  for (const char* const table : {"packs", "times"}) {
    if (!run(fmt::format("CREATE TABLE IF NOT EXISTS {0}_{1} PARTITION OF {0}_{2} "
                         "FOR VALUES FROM ({3}) TO ({4})",
                         table, name, r.name, begin, begin + r.period))) {
      return false;
    }
  }
  parts_.insert(name);
  return true;
}

bool PostgresStore::read(const Part& part, Gather& gather) {
  const auto name = kResolution[part.resolution].name;
  const auto when = fmt::format("time >= {} AND time < {}", part.since, part.until);
  const bool of_nodes = gather.wants_nodes();
  const bool times = connection_->copy_out(
      fmt::format("COPY (SELECT time, watches{} FROM times_{} WHERE {}) TO STDOUT (FORMAT binary)",
                  of_nodes ? "" : ", whole", name, when),
      [&](const CopiedRow& row) {
        return gather.add_watches(row.integer(0), row.bytes(1)) &&
               (of_nodes || gather.add_sums(row.integer(0), row.bytes(2)));
      });
  if (!times || !of_nodes || gather.nodes().empty()) return times;
  return connection_->copy_out(
      fmt::format("COPY (SELECT time, sums FROM packs_{} WHERE {} AND node = ANY "
                  "('{{{}}}'::bigint[])) TO STDOUT (FORMAT binary)",
                  name, when, fmt::join(gather.nodes(), ",")),
      [&](const CopiedRow& row) { return gather.add_sums(row.integer(0), row.bytes(1)); });
}

Result<Answer> PostgresStore::query(const Query& query, std::span<const Batch> fresh) {
  const std::lock_guard lock{mutex_};
  if (!connect()) return std::unexpected{error_};
  // One snapshot of all.
  if (!run("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY") || !load_dictionary()) {
    return failed();
  }
  const auto known = connection_->run("SELECT min(since) FROM longest");
  if (!known.ok()) return failed();
  const auto plan = plan_of(query, options_,
                            known.is_null(0, 0) ? std::numeric_limits<std::int64_t>::max()
                                                : known.integer(0, 0));
  Gather gather{query, plan, options_.offset};
  gather.use(numbering_);
  for (const auto& part : plan.parts) {
    if (!read(part, gather) && !gather.overflowed()) return failed();
  }
  if (!run("COMMIT")) return failed();
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
  const auto in_force = connection_->run(
      "SELECT node, rules, first, last, watched_ms FROM rule_watches JOIN rule_lists USING (node) "
      "WHERE $1 = '' OR node = $1",
      {node});
  if (!in_force.ok()) return failed();
  std::vector<WatchedList> lists;
  for (int i = 0; i < in_force.rows(); ++i) {
    lists.push_back({std::string{in_force.text(i, 0)},
                     std::string{in_force.text(i, 1)},
                     {in_force.integer(i, 2), in_force.integer(i, 3), in_force.integer(i, 4)}});
  }
  add_lists(rows, lists);
  return rows;
}

Result<std::vector<AlarmRow>> PostgresStore::alarms(std::int64_t since) {
  const std::lock_guard lock{mutex_};
  if (!connect()) return std::unexpected{error_};
  const auto all = connection_->run(
      "SELECT node, name, kind, about, since, packets, until FROM alarms "
      "WHERE until IS NULL OR until >= $1::bigint "
      "ORDER BY node COLLATE \"C\", since, name COLLATE \"C\", about COLLATE \"C\"",
      {fmt::format("{}", since)});
  if (!all.ok()) return failed();
  std::vector<AlarmRow> rows;
  for (int i = 0; i < all.rows(); ++i) {
    AlarmRow row;
    row.node = all.text(i, 0);
    row.alarm = {std::string{all.text(i, 1)}, std::string{all.text(i, 2)},
                 std::string{all.text(i, 3)}, all.integer(i, 4), all.integer(i, 5)};
    if (!all.is_null(i, 6)) row.until = all.integer(i, 6);
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
    const auto head = fmt::format("packs_{}", r.name);
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
      if (!run(fmt::format("DROP TABLE IF EXISTS packs_{0}_{1}, times_{0}_{1}", r.name, begin))) {
        return failed();
      }
      parts_.erase(fmt::format("{}_{}", r.name, begin));
      ++dropped;
    }
  }
  if (!run("DELETE FROM alarms WHERE until < $1::bigint", {fmt::format("{}", now - kAlarmsKept)})) {
    return failed();
  }
  return dropped;
}

Result<std::unique_ptr<Store>> open_postgres(const std::string& connection, Options options) {
  auto store = std::make_unique<PostgresStore>(connection, std::move(options));
  if (auto opened = store->open(); !opened) return std::unexpected{opened.error()};
  return std::unique_ptr<Store>{std::move(store)};
}

}  // namespace meiguan::store
