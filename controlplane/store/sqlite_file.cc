#include "controlplane/store/sqlite_file.h"

#include <fmt/format.h>

#include <utility>
#include <vector>

namespace meiguan::store {
namespace {

constexpr std::int64_t kVersion = 1;
constexpr const char* kSchema = R"sql(
CREATE TABLE names (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE groups (
  id INTEGER PRIMARY KEY,
  node INTEGER NOT NULL, unit INTEGER NOT NULL, peer INTEGER NOT NULL, service INTEGER NOT NULL,
  from_zone INTEGER NOT NULL, to_zone INTEGER NOT NULL, reason INTEGER NOT NULL,
  rule INTEGER NOT NULL, family INTEGER NOT NULL, direction INTEGER NOT NULL);
CREATE TABLE rows (
  time INTEGER NOT NULL, grp INTEGER NOT NULL,
  packets INTEGER NOT NULL, bytes INTEGER NOT NULL, started INTEGER NOT NULL,
  ended INTEGER NOT NULL, peak_packets INTEGER NOT NULL, peak_bytes INTEGER NOT NULL,
  PRIMARY KEY (time, grp)) WITHOUT ROWID;
CREATE TABLE watches (
  time INTEGER NOT NULL, node INTEGER NOT NULL,
  watched_ms INTEGER NOT NULL, events_lost INTEGER NOT NULL, folded INTEGER NOT NULL,
  PRIMARY KEY (time, node)) WITHOUT ROWID;
CREATE TABLE applied (
  node INTEGER NOT NULL, epoch INTEGER NOT NULL, sequence INTEGER NOT NULL,
  PRIMARY KEY (node, epoch)) WITHOUT ROWID;
)sql";

std::unexpected<Error> failure(const Connection& connection, bool& damaged) {
  damaged = connection.damaged();
  return std::unexpected{connection.error()};
}

std::int64_t version_of(Connection& connection) {
  auto statement = connection.prepare("PRAGMA user_version");
  return statement.step() ? statement.integer(0) : -1;
}

std::unexpected<Error> other_version(const std::filesystem::path& path, bool& damaged) {
  damaged = true;
  return fail(fmt::format("statistics store: {} is no file of this version", path.string()),
              fmt::format("统计库：{} 不是本版本的文件", path.string()));
}

// The key of a row of `SELECT id, <ten names> FROM groups`.
bool key_of(const Statement& statement, const std::vector<std::string>& names, Key& key) {
  for (std::size_t i = 0; i < kKeyNames; ++i) {
    const auto id = statement.integer(static_cast<int>(i) + 1);
    if (id < 0 || static_cast<std::size_t>(id) >= names.size()) return false;
    key.names[i] = names[static_cast<std::size_t>(id)];
  }
  return true;
}

constexpr const char* kAllGroups =
    "SELECT id, node, unit, peer, service, from_zone, to_zone, reason, rule, family, direction "
    "FROM groups";
constexpr std::int64_t kMostIds = 1 << 22;

bool read_names(Connection& connection, std::vector<std::string>& names) {
  names.assign(1, "");
  auto statement = connection.prepare("SELECT id, name FROM names");
  while (statement.step()) {
    const auto id = statement.integer(0);
    if (id < 1 || id > kMostIds) return false;
    if (static_cast<std::size_t>(id) >= names.size()) {
      names.resize(static_cast<std::size_t>(id) + 1);
    }
    names[static_cast<std::size_t>(id)] = statement.text(1);
  }
  return !statement.failed();
}

}  // namespace

SqliteFile::SqliteFile(Connection connection) : connection_{std::move(connection)} {}

Result<SqliteFile> SqliteFile::open(const std::filesystem::path& path, bool& damaged) {
  damaged = false;
  auto connection = Connection::open(path, Connection::Mode::kWrite);
  if (!connection) return std::unexpected{connection.error()};
  SqliteFile file{std::move(*connection)};
  auto& c = file.connection_;
  // A full sync for each batch: what was acknowledged to a node is not sent again.
  if (!c.execute("PRAGMA journal_mode=WAL") || !c.execute("PRAGMA synchronous=FULL")) {
    return failure(c, damaged);
  }
  const auto version = version_of(c);
  if (version == 0) {
    const std::string make = fmt::format("BEGIN;{}PRAGMA user_version={};COMMIT", kSchema,
                                         kVersion);
    if (!c.execute(make.c_str())) return failure(c, damaged);
  } else if (version != kVersion) {
    if (version < 0) return failure(c, damaged);
    return other_version(path, damaged);
  }
  if (!file.load_groups() || !file.prepare()) return failure(c, damaged);
  return file;
}

std::size_t SqliteFile::GroupHash::operator()(const GroupKey& key) const noexcept {
  std::uint64_t hash = 0;
  for (const auto part : key) hash = (hash ^ part) * 0x9e37'79b9'7f4a'7c15U + (hash >> 29U);
  return hash;
}

bool SqliteFile::load_groups() {
  names_.clear();
  groups_.clear();
  std::vector<std::string> names;
  if (!read_names(connection_, names)) return false;
  for (std::size_t i = 1; i < names.size(); ++i) {
    names_.emplace(names[i], static_cast<std::int64_t>(i));
  }
  auto statement = connection_.prepare(kAllGroups);
  while (statement.step()) {
    GroupKey key{};
    for (std::size_t i = 0; i < kKeyNames; ++i) {
      const auto id = statement.integer(static_cast<int>(i) + 1);
      if (id < 0 || static_cast<std::size_t>(id) >= names.size()) return false;
      key[i] = static_cast<std::uint32_t>(id);
    }
    groups_.emplace(key, statement.integer(0));
  }
  return !statement.failed();
}

bool SqliteFile::prepare() {
  auto& c = connection_;
  add_name_ = c.prepare("INSERT INTO names (name) VALUES (?)");
  add_group_ = c.prepare(
      "INSERT INTO groups (node, unit, peer, service, from_zone, to_zone, reason, rule, family, "
      "direction) VALUES (?,?,?,?,?,?,?,?,?,?)");
  add_row_ = c.prepare(
      "INSERT INTO rows VALUES (?,?,?,?,?,?,?,?) ON CONFLICT DO UPDATE SET "
      "packets = packets + excluded.packets, bytes = bytes + excluded.bytes, "
      "started = started + excluded.started, ended = ended + excluded.ended, "
      "peak_packets = max(peak_packets, excluded.peak_packets), "
      "peak_bytes = max(peak_bytes, excluded.peak_bytes)");
  add_watch_ = c.prepare(
      "INSERT INTO watches VALUES (?,?,?,?,?) ON CONFLICT DO UPDATE SET "
      "watched_ms = watched_ms + excluded.watched_ms, "
      "events_lost = events_lost + excluded.events_lost, folded = folded + excluded.folded");
  applied_ = c.prepare("SELECT sequence FROM applied WHERE node = ? AND epoch = ?");
  set_applied_ = c.prepare(
      "INSERT INTO applied VALUES (?,?,?) ON CONFLICT DO UPDATE SET sequence = excluded.sequence");
  for (const auto* const statement :
       {&add_name_, &add_group_, &add_row_, &add_watch_, &applied_, &set_applied_}) {
    if (statement->failed()) return false;
  }
  return true;
}

bool SqliteFile::name_id(std::string_view name, std::int64_t& id) {
  id = 0;
  if (name.empty()) return true;
  if (const auto found = names_.find(name); found != names_.end()) {
    id = found->second;
    return true;
  }
  if (names_.size() >= static_cast<std::size_t>(kMostIds)) return false;
  add_name_.bind(0, name);
  if (!add_name_.run()) return false;
  id = connection_.last_id();
  names_.emplace(name, id);
  return true;
}

bool SqliteFile::group_id(const Key& key, std::int64_t& id) {
  GroupKey numbers{};
  for (std::size_t i = 0; i < kKeyNames; ++i) {
    std::int64_t name = 0;
    if (!name_id(key.names[i], name)) return false;
    numbers[i] = static_cast<std::uint32_t>(name);
  }
  if (const auto found = groups_.find(numbers); found != groups_.end()) {
    id = found->second;
    return true;
  }
  for (std::size_t i = 0; i < kKeyNames; ++i) {
    add_group_.bind(static_cast<int>(i), static_cast<std::int64_t>(numbers[i]));
  }
  if (!add_group_.run()) return false;
  id = connection_.last_id();
  groups_.emplace(numbers, id);
  return true;
}

bool SqliteFile::is_new(const Batch& batch, Latest& latest, bool& result) {
  std::int64_t source = 0;
  if (!name_id(batch.source(), source)) return false;
  const std::pair key{source, static_cast<std::int64_t>(batch.epoch)};
  auto found = latest.find(key);
  if (found == latest.end()) {
    applied_.bind(0, key.first);
    applied_.bind(1, key.second);
    std::int64_t last = 0;
    if (applied_.step()) {
      last = applied_.integer(0);
      applied_.reset();
    } else if (applied_.failed()) {
      return false;
    }
    found = latest.emplace(key, last).first;
  }
  const auto sequence = static_cast<std::int64_t>(batch.sequence);
  result = sequence > found->second;
  if (result) found->second = sequence;
  return true;
}

bool SqliteFile::put_rows(std::vector<PlacedRow> rows) {
  merge(rows);
  for (const auto& [time, group, s] : rows) {
    int at = 0;
    for (const auto value :
         {time, group, s.packets, s.bytes, s.started, s.ended, s.peak_packets, s.peak_bytes}) {
      add_row_.bind(at++, value);
    }
    if (!add_row_.run()) return false;
  }
  return true;
}

bool SqliteFile::put_watches(const PlacedWatches& watches) {
  for (const auto& [key, watch] : watches) {
    int at = 0;
    for (const auto value :
         {key.first, key.second, watch.watched_ms, watch.events_lost, watch.folded}) {
      add_watch_.bind(at++, value);
    }
    if (!add_watch_.run()) return false;
  }
  return true;
}

bool SqliteFile::put(std::span<const PlacedBatch> batches) {
  Latest latest;
  std::vector<PlacedRow> rows;
  PlacedWatches watches;
  for (const auto& [batch, time] : batches) {
    bool fresh = false;
    if (!is_new(*batch, latest, fresh)) return false;
    if (!fresh) continue;
    for (const auto& row : batch->rows) {
      std::int64_t group = 0;
      if (!group_id(row.key, group)) return false;
      rows.push_back({time, group, row.sums});
    }
    std::int64_t node = 0;
    if (!name_id(batch->node, node)) return false;
    if (batch->stream == Stream::kBulk) watches[{time, node}].add(batch->watch);
  }
  if (!put_rows(std::move(rows)) || !put_watches(watches)) return false;
  for (const auto& [key, sequence] : latest) {
    set_applied_.bind(0, key.first);
    set_applied_.bind(1, key.second);
    set_applied_.bind(2, sequence);
    if (!set_applied_.run()) return false;
  }
  return true;
}

Result<void> SqliteFile::apply(std::span<const PlacedBatch> batches, bool& damaged) {
  damaged = false;
  if (connection_.execute("BEGIN IMMEDIATE") && put(batches) && connection_.execute("COMMIT")) {
    return {};
  }
  auto error = failure(connection_, damaged);
  static_cast<void>(connection_.execute("ROLLBACK"));
  // Numbers that were given in it are gone with it.
  if (!damaged && !load_groups()) damaged = connection_.damaged();
  return error;
}

Result<void> SqliteFile::read(const std::filesystem::path& path, const Plan& plan, Gather& gather,
                              bool& damaged) {
  damaged = false;
  auto opened = Connection::open(path, Connection::Mode::kRead);
  if (!opened) return std::unexpected{opened.error()};
  auto& c = *opened;
  if (!c.execute("BEGIN")) return failure(c, damaged);
  if (const auto version = version_of(c); version != kVersion) {
    if (version == 0) return {};  // made this moment
    if (version < 0) return failure(c, damaged);
    return other_version(path, damaged);
  }
  std::vector<std::string> names;
  if (!read_names(c, names)) return failure(c, damaged);
  constexpr std::uint32_t kNotWanted = 0xffff'ffff;
  struct Group {
    std::uint32_t number{kNotWanted};
    bool dropped{false};
  };
  std::vector<Group> groups;
  bool any = false;
  auto every = c.prepare(kAllGroups);
  Key key;
  while (every.step()) {
    const auto id = every.integer(0);
    if (id < 1 || id > kMostIds || !key_of(every, names, key)) return other_version(path, damaged);
    const auto index = static_cast<std::size_t>(id);
    if (index >= groups.size()) groups.resize(index + 1);
    if (const auto group = gather.group_of(key)) {
      groups[index] = {static_cast<std::uint32_t>(*group), key.verdict() == "drop"};
      any = true;
    }
  }
  auto rows = c.prepare("SELECT * FROM rows WHERE time >= ? AND time < ?");
  rows.bind(0, plan.since);
  rows.bind(1, plan.until);
  while (any && rows.step()) {
    const auto id = static_cast<std::size_t>(rows.integer(1));
    if (id >= groups.size() || groups[id].number == kNotWanted) continue;
    gather.add(rows.integer(0), groups[id].number,
               {rows.integer(2), rows.integer(3), rows.integer(4), rows.integer(5), rows.integer(6),
                rows.integer(7)},
               groups[id].dropped);
  }
  auto watches = c.prepare("SELECT * FROM watches WHERE time >= ? AND time < ?");
  watches.bind(0, plan.since);
  watches.bind(1, plan.until);
  while (watches.step()) {
    const auto id = static_cast<std::size_t>(watches.integer(1));
    if (id >= names.size()) return other_version(path, damaged);
    gather.watch(watches.integer(0), names[id],
                 {watches.integer(2), watches.integer(3), watches.integer(4)});
  }
  if (every.failed() || (any && rows.failed()) || watches.failed()) return failure(c, damaged);
  return {};
}

}  // namespace meiguan::store
