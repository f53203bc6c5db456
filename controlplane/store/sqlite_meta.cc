#include <fmt/format.h>

#include <utility>

#include "controlplane/store/sqlite_store.h"

namespace meiguan::store {
namespace {

constexpr std::int64_t kVersion = 1;
constexpr const char* kSchema = R"sql(
BEGIN;
CREATE TABLE watermarks (
  node TEXT PRIMARY KEY, epoch INTEGER NOT NULL, sequence INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE hits (
  node TEXT NOT NULL, rule TEXT NOT NULL, hits INTEGER NOT NULL, audited INTEGER NOT NULL,
  first INTEGER, last INTEGER, watched_since INTEGER NOT NULL, watched_until INTEGER NOT NULL,
  watched_ms INTEGER NOT NULL, PRIMARY KEY (node, rule)) WITHOUT ROWID;
PRAGMA user_version=1;
COMMIT)sql";
// Came later, and is made in files of before too.
constexpr const char* kLost =
    "CREATE TABLE IF NOT EXISTS lost (node TEXT PRIMARY KEY, batches INTEGER NOT NULL) "
    "WITHOUT ROWID";
constexpr const char* kLongestTable =
    "CREATE TABLE IF NOT EXISTS longest (one INTEGER PRIMARY KEY CHECK (one = 1), "
    "since INTEGER NOT NULL)";
constexpr const char* kLists = R"sql(
CREATE TABLE IF NOT EXISTS rule_lists (
  node TEXT PRIMARY KEY, fingerprint INTEGER NOT NULL, rules TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS rule_watches (
  node TEXT PRIMARY KEY, first INTEGER NOT NULL, last INTEGER NOT NULL,
  watched_ms INTEGER NOT NULL) WITHOUT ROWID)sql";
constexpr const char* kAlarms = R"sql(
CREATE TABLE IF NOT EXISTS alarms (
  node TEXT NOT NULL, name TEXT NOT NULL, about TEXT NOT NULL, since INTEGER NOT NULL,
  kind TEXT NOT NULL, packets INTEGER NOT NULL, until INTEGER,
  PRIMARY KEY (node, name, about, since)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS alarms_until ON alarms (until))sql";

}  // namespace

Result<SqliteMeta> SqliteMeta::open(const std::filesystem::path& path, bool& damaged) {
  damaged = false;
  auto connection = Connection::open(path, Connection::Mode::kWrite);
  if (!connection) return std::unexpected{connection.error()};
  SqliteMeta meta{std::move(*connection)};
  auto& c = meta.connection_;
  const auto failed = [&]() -> Result<SqliteMeta> {
    damaged = c.damaged();
    return std::unexpected{c.error()};
  };
  if (!c.execute("PRAGMA journal_mode=WAL") || !c.execute("PRAGMA synchronous=FULL")) {
    return failed();
  }
  auto version = c.prepare("PRAGMA user_version");
  if (!version.step()) return failed();
  const auto found = version.integer(0);
  version.reset();
  if (found == 0 && !c.execute(kSchema)) return failed();
  if (found != 0 && found != kVersion) {
    damaged = true;
    return fail(fmt::format("statistics store: {} is no file of this version", path.string()),
                fmt::format("统计库：{} 不是本版本的文件", path.string()));
  }
  if (!c.execute(kLost) || !c.execute(kAlarms) || !c.execute(kLists) || !c.execute(kLongestTable)) {
    return failed();
  }
  return meta;
}

Result<std::optional<Watermark>> SqliteMeta::watermark(const std::string& source, bool& damaged) {
  auto statement = connection_.prepare("SELECT epoch, sequence FROM watermarks WHERE node = ?");
  statement.bind(0, source);
  if (statement.step()) {
    return Watermark{static_cast<std::uint64_t>(statement.integer(0)),
                     static_cast<std::uint64_t>(statement.integer(1))};
  }
  if (!statement.failed()) return std::nullopt;
  damaged = connection_.damaged();
  return std::unexpected{connection_.error()};
}

Result<std::vector<Source>> SqliteMeta::sources(bool& damaged) {
  auto statement = connection_.prepare(
      "SELECT node, epoch, sequence, coalesce(batches, 0) FROM watermarks "
      "LEFT JOIN lost USING (node) ORDER BY node");
  std::vector<Source> all;
  while (statement.step()) {
    all.push_back({std::string{statement.text(0)},
                   {static_cast<std::uint64_t>(statement.integer(1)),
                    static_cast<std::uint64_t>(statement.integer(2))},
                   static_cast<std::uint64_t>(statement.integer(3))});
  }
  if (!statement.failed()) return all;
  damaged = connection_.damaged();
  return std::unexpected{connection_.error()};
}

// See put_lists().
struct SqliteMeta::Lists {
  Connection& connection;

  [[nodiscard]] bool known(std::map<std::string, std::uint64_t>& nodes) const {
    auto statement = connection.prepare("SELECT fingerprint FROM rule_lists WHERE node = ?");
    for (auto& [node, fingerprint] : nodes) {
      statement.bind(0, node);
      if (statement.step()) fingerprint = static_cast<std::uint64_t>(statement.integer(0));
      if (statement.failed()) return false;
      statement.reset();
    }
    return true;
  }
  [[nodiscard]] bool fold(const std::string& node) const {
    auto before = connection.prepare(
        "SELECT rules, first, last, watched_ms FROM rule_watches JOIN rule_lists USING (node) "
        "WHERE node = ?");
    before.bind(0, node);
    if (!before.step()) return !before.failed();
    const ListWatch watch{before.integer(1), before.integer(2), before.integer(3)};
    const auto rules = parted(std::string{before.text(0)});
    before.reset();
    auto add = connection.prepare(
        "INSERT INTO hits VALUES (?1,?2,0,0,NULL,NULL,?3,?4,?5) ON CONFLICT DO UPDATE SET "
        "watched_since = min(watched_since, excluded.watched_since), "
        "watched_until = max(watched_until, excluded.watched_until), "
        "watched_ms = watched_ms + excluded.watched_ms");
    for (const auto& rule : rules) {
      add.bind(0, node);
      add.bind(1, rule);
      add.bind(2, watch.first);
      add.bind(3, watch.last);
      add.bind(4, watch.watched_ms);
      if (!add.run()) return false;
    }
    auto forget = connection.prepare("DELETE FROM rule_watches WHERE node = ?");
    forget.bind(0, node);
    return forget.run();
  }
  [[nodiscard]] bool adopt(const std::string& node, std::uint64_t fingerprint,
                           const std::string& rules) const {
    auto statement = connection.prepare("INSERT OR REPLACE INTO rule_lists VALUES (?,?,?)");
    statement.bind(0, node);
    statement.bind(1, static_cast<std::int64_t>(fingerprint));
    statement.bind(2, rules);
    return statement.run();
  }
  [[nodiscard]] bool watched(const std::map<std::string, ListWatch>& nodes) const {
    auto statement = connection.prepare(
        "INSERT INTO rule_watches VALUES (?,?,?,?) ON CONFLICT DO UPDATE SET "
        "first = min(first, excluded.first), last = max(last, excluded.last), "
        "watched_ms = watched_ms + excluded.watched_ms");
    for (const auto& [node, watch] : nodes) {
      statement.bind(0, node);
      statement.bind(1, watch.first);
      statement.bind(2, watch.last);
      statement.bind(3, watch.watched_ms);
      if (!statement.run()) return false;
    }
    return true;
  }
};

bool SqliteMeta::put(std::span<const Batch* const> batches) {
  auto mark = connection_.prepare(
      "INSERT INTO watermarks VALUES (?,?,?) ON CONFLICT DO UPDATE SET "
      "epoch = excluded.epoch, sequence = excluded.sequence");
  auto lost = connection_.prepare(
      "INSERT INTO lost VALUES (?,?) ON CONFLICT DO UPDATE SET "
      "batches = batches + excluded.batches");
  auto hit = connection_.prepare(
      "INSERT INTO hits VALUES (?1,?2,?3,?4,iif(?3+?4 > 0,?5,NULL),iif(?3+?4 > 0,?5,NULL),?5,?5,?6)"
      " ON CONFLICT DO UPDATE SET hits = hits + excluded.hits, "
      "audited = audited + excluded.audited, "
      "first = min(coalesce(first, excluded.first), coalesce(excluded.first, first)), "
      "last = max(coalesce(last, excluded.last), coalesce(excluded.last, last)), "
      "watched_since = min(watched_since, excluded.watched_since), "
      "watched_until = max(watched_until, excluded.watched_until), "
      "watched_ms = watched_ms + excluded.watched_ms");
  for (const auto* const batch : batches) {
    const auto source = batch->source();
    mark.bind(0, source);
    mark.bind(1, static_cast<std::int64_t>(batch->epoch));
    mark.bind(2, static_cast<std::int64_t>(batch->sequence));
    if (!mark.run()) return false;
    if (batch->lost > 0) {
      lost.bind(0, source);
      lost.bind(1, static_cast<std::int64_t>(batch->lost));
      if (!lost.run()) return false;
    }
    for (const auto& row : batch->hits) {
      hit.bind(0, batch->node);
      hit.bind(1, row.rule);
      hit.bind(2, row.hits);
      hit.bind(3, row.audited);
      hit.bind(4, batch->minute);
      hit.bind(5, batch->rules == 0 ? batch->watch.watched_ms : 0);
      if (!hit.run()) return false;
    }
  }
  return put_lists(batches, Lists{connection_}) && put_alarms(batches);
}

Result<std::vector<WatchedList>> SqliteMeta::lists(const std::string& node, bool& damaged) {
  auto statement = connection_.prepare(
      "SELECT node, rules, first, last, watched_ms FROM rule_watches JOIN rule_lists USING (node) "
      "WHERE ?1 = '' OR node = ?1");
  statement.bind(0, node);
  std::vector<WatchedList> lists;
  while (statement.step()) {
    lists.push_back({std::string{statement.text(0)},
                     std::string{statement.text(1)},
                     {statement.integer(2), statement.integer(3), statement.integer(4)}});
  }
  if (!statement.failed()) return lists;
  damaged = connection_.damaged();
  return std::unexpected{connection_.error()};
}

// What a batch does not tell of any more is over since then.
bool SqliteMeta::put_alarms(std::span<const Batch* const> batches) {
  auto end = connection_.prepare(
      "UPDATE alarms SET until = max(?2, since) WHERE node = ?1 AND until IS NULL");
  auto stand = connection_.prepare(
      "INSERT INTO alarms VALUES (?,?,?,?,?,?,NULL) ON CONFLICT DO UPDATE SET until = NULL, "
      "kind = excluded.kind, packets = excluded.packets");
  auto forget = connection_.prepare(
      "DELETE FROM alarms WHERE node = ?1 AND until <= (SELECT until FROM alarms WHERE node = ?1 "
      "AND until IS NOT NULL ORDER BY until DESC LIMIT 1 OFFSET ?2)");
  for (const auto* const batch : batches) {
    if (batch->stream != Stream::kAlarms) continue;
    end.bind(0, batch->node);
    end.bind(1, batch->told);
    if (!end.run()) return false;
    for (const auto& alarm : batch->alarms) {
      stand.bind(0, batch->node);
      stand.bind(1, alarm.name);
      stand.bind(2, alarm.about);
      stand.bind(3, alarm.since);
      stand.bind(4, alarm.kind);
      stand.bind(5, alarm.packets);
      if (!stand.run()) return false;
    }
    forget.bind(0, batch->node);
    forget.bind(1, static_cast<std::int64_t>(kMostPastAlarms));
    if (!forget.run()) return false;
  }
  return true;
}

Result<std::vector<AlarmRow>> SqliteMeta::alarms(std::int64_t since, bool& damaged) {
  auto statement = connection_.prepare(
      "SELECT node, name, kind, about, since, packets, until, until IS NULL FROM alarms "
      "WHERE until IS NULL OR until >= ? ORDER BY node, since, name, about");
  statement.bind(0, since);
  std::vector<AlarmRow> rows;
  while (statement.step()) {
    AlarmRow row;
    row.node = statement.text(0);
    row.alarm = {std::string{statement.text(1)}, std::string{statement.text(2)},
                 std::string{statement.text(3)}, statement.integer(4), statement.integer(5)};
    if (statement.integer(7) == 0) row.until = statement.integer(6);
    rows.push_back(std::move(row));
  }
  if (!statement.failed()) return rows;
  damaged = connection_.damaged();
  return std::unexpected{connection_.error()};
}

Result<std::optional<std::int64_t>> SqliteMeta::longest_since(bool& damaged) {
  auto statement = connection_.prepare("SELECT since FROM longest");
  if (statement.step()) return statement.integer(0);
  if (!statement.failed()) return std::nullopt;
  damaged = connection_.damaged();
  return std::unexpected{connection_.error()};
}

Result<void> SqliteMeta::settle_longest(std::int64_t since, bool& damaged) {
  auto statement = connection_.prepare("INSERT OR IGNORE INTO longest VALUES (1,?)");
  statement.bind(0, since);
  if (statement.run()) return {};
  damaged = connection_.damaged();
  return std::unexpected{connection_.error()};
}

Result<void> SqliteMeta::forget_alarms(std::int64_t before, bool& damaged) {
  auto statement = connection_.prepare("DELETE FROM alarms WHERE until < ?");
  statement.bind(0, before);
  if (statement.run()) return {};
  damaged = connection_.damaged();
  return std::unexpected{connection_.error()};
}

Result<void> SqliteMeta::finish(std::span<const Batch* const> batches, bool& damaged) {
  if (connection_.execute("BEGIN IMMEDIATE") && put(batches) && connection_.execute("COMMIT")) {
    return {};
  }
  damaged = connection_.damaged();
  const auto error = connection_.error();
  static_cast<void>(connection_.execute("ROLLBACK"));
  return std::unexpected{error};
}

Result<std::vector<HitsRow>> SqliteMeta::hits(const std::string& node, bool& damaged) {
  auto statement = connection_.prepare(
      "SELECT node, rule, hits, audited, first, last, watched_since, watched_until, watched_ms "
      "FROM hits WHERE ?1 = '' OR node = ?1 ORDER BY node, rule");
  statement.bind(0, node);
  std::vector<HitsRow> rows;
  while (statement.step()) {
    HitsRow row;
    row.node = statement.text(0);
    row.rule = statement.text(1);
    row.hits = statement.integer(2);
    row.audited = statement.integer(3);
    if (row.hits + row.audited > 0) {
      row.first = statement.integer(4);
      row.last = statement.integer(5);
    }
    row.watched_since = statement.integer(6);
    row.watched_until = statement.integer(7);
    row.watched_ms = statement.integer(8);
    rows.push_back(std::move(row));
  }
  if (!statement.failed()) {
    const auto in_force = lists(node, damaged);
    if (!in_force) return std::unexpected{in_force.error()};
    add_lists(rows, *in_force);
    return rows;
  }
  damaged = connection_.damaged();
  return std::unexpected{connection_.error()};
}

}  // namespace meiguan::store
