#include "controlplane/store/sqlite_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

namespace meiguan::store {
namespace {

constexpr std::int64_t kVersion = 2;
// A pack's id is its time and its node: packs of a time lie side by side.
constexpr std::int64_t kNodes = std::int64_t{1} << 22;
static_assert(4 * Numbering::kMost <= static_cast<std::size_t>(kNodes));
constexpr const char* kSchema = R"sql(
CREATE TABLE names (first INTEGER PRIMARY KEY, chunk BLOB NOT NULL);
CREATE TABLE groups (first INTEGER PRIMARY KEY, chunk BLOB NOT NULL);
CREATE TABLE packs (id INTEGER PRIMARY KEY, sums BLOB NOT NULL);
CREATE TABLE times (time INTEGER PRIMARY KEY, watches BLOB NOT NULL, whole BLOB NOT NULL);
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

// False: failed, or damaged.
bool read_dictionary(Connection& connection, Dictionary& dictionary) {
  auto names = connection.prepare("SELECT first, chunk FROM names ORDER BY first");
  while (names.step()) {
    if (!dictionary.add_names(names.integer(0), names.bytes(1))) return false;
  }
  auto groups = connection.prepare("SELECT first, chunk FROM groups ORDER BY first");
  while (groups.step()) {
    if (!dictionary.add_groups(groups.integer(0), groups.bytes(1))) return false;
  }
  return !names.failed() && !groups.failed();
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
  if (!read_dictionary(c, file.numbering_) || !file.prepare()) return failure(c, damaged);
  file.numbering_.saved();
  return file;
}

bool SqliteFile::prepare() {
  auto& c = connection_;
  add_names_ = c.prepare("INSERT INTO names VALUES (?,?)");
  add_groups_ = c.prepare("INSERT INTO groups VALUES (?,?)");
  pack_ = c.prepare("SELECT sums FROM packs WHERE id = ?");
  set_pack_ = c.prepare(
      "INSERT INTO packs VALUES (?,?) ON CONFLICT DO UPDATE SET sums = excluded.sums");
  time_ = c.prepare("SELECT watches, whole FROM times WHERE time = ?");
  set_time_ = c.prepare(
      "INSERT INTO times VALUES (?,?,?) ON CONFLICT DO UPDATE SET watches = excluded.watches, "
      "whole = excluded.whole");
  applied_ = c.prepare("SELECT sequence FROM applied WHERE node = ? AND epoch = ?");
  set_applied_ = c.prepare(
      "INSERT INTO applied VALUES (?,?,?) ON CONFLICT DO UPDATE SET sequence = excluded.sequence");
  for (const auto* const statement : {&add_names_, &add_groups_, &pack_, &set_pack_, &time_,
                                      &set_time_, &applied_, &set_applied_}) {
    if (statement->failed()) return false;
  }
  return true;
}

bool SqliteFile::is_new(const Batch& batch, Latest& latest, bool& result) {
  const std::pair key{std::int64_t{numbering_.name(batch.source())},
                      static_cast<std::int64_t>(batch.epoch)};
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

bool SqliteFile::put_packs(PlacedPacks packs) {
  for (auto& [key, sums] : packs.nodes) {
    const auto id = key.first * kNodes + key.second;
    std::string pack;
    pack_.bind(0, id);
    if (pack_.step()) {
      pack = pack_.bytes(0);
      pack_.reset();
    }
    if (pack_.failed() || !add_to_pack(pack, std::move(sums))) return false;
    set_pack_.bind(0, id);
    set_pack_.bind_bytes(1, pack);
    if (!set_pack_.run()) return false;
  }
  for (auto& [time, all] : packs.times) {
    std::string watches;
    std::string whole;
    time_.bind(0, time);
    if (time_.step()) {
      watches = time_.bytes(0);
      whole = time_.bytes(1);
      time_.reset();
    }
    if (time_.failed() || !add_to_pack(watches, std::move(all.watches)) ||
        !add_to_pack(whole, std::move(all.whole))) {
      return false;
    }
    set_time_.bind(0, time);
    set_time_.bind_bytes(1, watches);
    set_time_.bind_bytes(2, whole);
    if (!set_time_.run()) return false;
  }
  return true;
}

bool SqliteFile::put_dictionary() {
  for (const auto& [statement, chunk] : {std::pair{&add_names_, numbering_.new_names()},
                                         std::pair{&add_groups_, numbering_.new_groups()}}) {
    if (chunk.bytes.empty()) continue;
    statement->bind(0, chunk.first);
    statement->bind_bytes(1, chunk.bytes);
    if (!statement->run()) return false;
  }
  return true;
}

bool SqliteFile::put(std::span<const PlacedBatch> batches) {
  Latest latest;
  PlacedPacks packs;
  for (const auto& placed : batches) {
    bool fresh = false;
    if (!is_new(*placed.batch, latest, fresh)) return false;
    if (fresh) packs.add(placed, numbering_);
  }
  if (!put_packs(std::move(packs)) || !put_dictionary()) return false;
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
    numbering_.saved();
    return {};
  }
  auto error = failure(connection_, damaged);
  static_cast<void>(connection_.execute("ROLLBACK"));
  numbering_.forget_new();
  return error;
}

namespace {

// Packs of single nodes: all of the time where many are wanted, else one by one.
bool read_packs(Connection& connection, const Part& part, std::span<const std::int64_t> times,
                const Dictionary& dictionary, Gather& gather) {
  constexpr std::size_t kFew = 8;
  const auto& nodes = gather.nodes();
  std::vector<bool> wanted(dictionary.names().size());
  for (const auto node : nodes) wanted[node] = true;
  std::vector<bool> any(dictionary.names().size());
  for (const auto& group : dictionary.groups()) any[group[0]] = true;
  if (nodes.size() * kFew > static_cast<std::size_t>(std::ranges::count(any, true))) {
    auto packs = connection.prepare("SELECT id, sums FROM packs WHERE id >= ? AND id < ?");
    packs.bind(0, part.since * kNodes);
    packs.bind(1, part.until * kNodes);
    while (packs.step()) {
      const auto time = period_of(packs.integer(0), kNodes) / kNodes;
      const auto node = static_cast<std::size_t>(packs.integer(0) - time * kNodes);
      if (node >= wanted.size()) return false;
      if (wanted[node] && !gather.add_sums(time, packs.bytes(1))) return false;
    }
    return !packs.failed();
  }
  auto pack = connection.prepare("SELECT sums FROM packs WHERE id = ?");
  for (const auto time : times) {
    for (const auto node : nodes) {
      pack.bind(0, time * kNodes + node);
      if (!pack.step()) {
        if (pack.failed()) return false;
        continue;
      }
      const bool added = gather.add_sums(time, pack.bytes(0));
      pack.reset();
      if (!added) return false;
    }
  }
  return true;
}

}  // namespace

Result<void> SqliteFile::read(const std::filesystem::path& path, const Part& part, Gather& gather,
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
  Dictionary dictionary;
  if (!read_dictionary(c, dictionary)) return failure(c, damaged);
  gather.use(dictionary);
  const bool of_nodes = gather.wants_nodes();
  std::vector<std::int64_t> found;
  auto times = c.prepare(of_nodes ? "SELECT time, watches FROM times WHERE time >= ? AND time < ?"
                                  : "SELECT time, watches, whole FROM times "
                                    "WHERE time >= ? AND time < ?");
  times.bind(0, part.since);
  times.bind(1, part.until);
  bool right = true;
  while (right && times.step()) {
    found.push_back(times.integer(0));
    right = gather.add_watches(found.back(), times.bytes(1)) &&
            (of_nodes || gather.add_sums(found.back(), times.bytes(2)));
  }
  right = right && !times.failed() && (!of_nodes || read_packs(c, part, found, dictionary, gather));
  if (right || gather.overflowed()) return {};
  return failure(c, damaged);
}

}  // namespace meiguan::store
