// How fast a store takes rows, how large they are, and how long questions take:
//
//   store_bench DIRECTORY|CONNECTION NODES GROUPS MINUTES HOURS DAYS
//
// First DAYS batches of every node, one a day, then HOURS, one an hour, all of a time together:
// what lies in a store after a year. Then MINUTES, one a minute, as many together as a parent takes
// while a disk syncs: their rows a second are what counts. Prints a line of JSON.

#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "controlplane/store/postgres.h"
#include "controlplane/store/store.h"

namespace meiguan::store {
namespace {

constexpr std::int64_t kEnd = 1'795'305'600;
constexpr int kAtOnce = 128;  // batches, as a parent takes them while the disk syncs

// Else it is a connection.
bool is_directory(const std::string& where) { return where.find('=') == std::string::npos; }

double cpu_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto of = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return of(usage.ru_utime) + of(usage.ru_stime);
}

double seconds_since(std::chrono::steady_clock::time_point then) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - then).count();
}

std::string node_name(int node) { return fmt::format("36{:04}", node); }

// What a county's gateway tells in a minute: the same units, services and rules most of the time.
Batch batch_of(int node, int groups) {
  Batch batch;
  batch.node = node_name(node);
  batch.epoch = 1;
  batch.watch.watched_ms = 60'000;
  for (int i = 0; i < groups; ++i) {
    Row row;
    row.key[Dimension::kNode] = batch.node;
    row.key[Dimension::kUnit] = fmt::format("unit-{}-{}", node, i % 12);
    row.key[Dimension::kService] = fmt::format("service-{}", i % 30);
    row.key[Dimension::kReason] = i % 10 == 0 ? "denied" : "allowed";
    row.key[Dimension::kRule] = fmt::format("360000/rule-{}", i);
    row.key[Dimension::kFamily] = i % 5 == 0 ? "ipv6" : "ipv4";
    row.key[Dimension::kDirection] = i % 2 == 0 ? "request" : "reply";
    batch.rows.push_back(std::move(row));
    batch.hits.push_back({fmt::format("360000/rule-{}", i), i, 0});
  }
  return batch;
}

void renew(Batch& batch, std::int64_t minute, std::mt19937& random) {
  ++batch.sequence;
  batch.minute = minute;
  for (auto& row : batch.rows) {
    const auto n = static_cast<std::int64_t>(random() % 100'000);
    row.sums = {.packets = n,
                .bytes = n * 700,
                .started = n / 20,
                .ended = n / 20,
                .peak_packets = n / 30,
                .peak_bytes = n * 25};
  }
}

struct Question {
  const char* name;
  std::int64_t span;  // until the end
  std::int64_t step;
  std::vector<Dimension> by;
  Filter filter;
};

std::vector<Question> questions(int nodes) {
  using enum Dimension;
  Filter prefecture;  // an eleventh of the tree
  for (int i = 0; i < std::max(nodes / 11, 1); ++i) prefecture[kNode].push_back(node_name(i));
  const Filter county{{kNode, {node_name(nodes / 2)}}};
  const Filter drops{{kVerdict, {"drop"}}};
  auto denied_there = prefecture;
  denied_there.merge(Filter{drops});
  return {
      {"hour_by_minute_by_reason", kHour, kMinute, {kReason}, {}},
      {"day_by_5m_by_service_verdict", kDay, 5 * kMinute, {kService, kVerdict}, {}},
      {"day_by_unit_service_verdict", kDay, 0, {kUnit, kService, kVerdict}, {}},
      {"day_top_units", kDay, 0, {kUnit}, {}},
      {"day_top_nodes", kDay, 0, {kNode}, {}},
      {"day_drops_by_reason_unit", kDay, 0, {kReason, kUnit}, drops},
      {"month_top_units", 30 * kDay, 0, {kUnit}, {}},
      {"month_by_day", 30 * kDay, kDay, {}, {}},
      {"month_of_prefecture_by_hour_by_service", 30 * kDay, kHour, {kService}, prefecture},
      {"month_of_prefecture_drops_by_unit", 30 * kDay, 0, {kUnit}, denied_there},
      {"year_by_rule", 365 * kDay, 0, {kRule}, {}},
      {"year_top_units", 365 * kDay, 0, {kUnit}, {}},
      {"year_by_day_by_service", 365 * kDay, kDay, {kService}, {}},
      {"year_by_hour_by_family", 365 * kDay, kHour, {kFamily}, {}},
      {"year_of_county_by_day_by_unit", 365 * kDay, kDay, {kUnit}, county},
      // As `nodes --down` asks.
      {"two_days_watched_by_5m", 2 * kDay, 5 * kMinute, {}, {{kReason, {}}}},
  };
}

double ask(Store& store, const Question& question, std::int64_t end) {
  Query query;
  query.since = end - question.span;
  query.until = end;
  query.step = question.step;
  query.now = end;
  query.by = question.by;
  query.filter = question.filter;
  const auto begun = std::chrono::steady_clock::now();
  const auto answer = store.query(query);
  if (!answer) fmt::print(stderr, "{}: {}\n", question.name, answer.error().message.english);
  return seconds_since(begun);
}

// Every node's batch of that time, so many together.
bool append(Store& store, std::vector<Batch>& batches, std::int64_t minute, std::size_t at_once,
            std::mt19937& random) {
  for (auto& batch : batches) renew(batch, minute, random);
  for (std::size_t i = 0; i < batches.size(); i += at_once) {
    const auto some = std::span{batches}.subspan(i, std::min(at_once, batches.size() - i));
    if (const auto done = store.append(some); !done) {
      fmt::print(stderr, "{}\n", done.error().message.english);
      return false;
    }
  }
  return true;
}

// On disk: of all files of a directory, or of a database with its indexes.
std::uintmax_t bytes_of(const std::string& where) {
  std::uintmax_t bytes = 0;
  if (!is_directory(where)) {
    auto database = PgConnection::open(where);
    if (!database) return 0;
    const auto size = database->run(
        "SELECT coalesce(sum(pg_total_relation_size(oid)), 0)::bigint FROM pg_class "
        "WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace");
    return size.ok() ? static_cast<std::uintmax_t>(size.integer(0, 0)) : 0;
  }
  for (const auto& entry : std::filesystem::directory_iterator{where}) {
    bytes += entry.file_size();
  }
  return bytes;
}

int run(const std::string& where, int nodes, int groups, int minutes, int hours, int days) {
  auto opened = is_directory(where) ? open_sqlite(where, {}) : open_postgres(where, {});
  if (!opened) {
    fmt::print(stderr, "{}\n", opened.error().message.english);
    return 2;
  }
  Store& store = **opened;
  std::mt19937 random{1};
  std::vector<Batch> batches;
  for (int i = 0; i < nodes; ++i) batches.push_back(batch_of(i, groups));
  const auto end = kEnd;
  const auto minutes_at = end - minutes * kMinute;
  const auto hours_at = bucket_of(minutes_at - hours * kHour, kHour, {});
  for (int i = 0; i < days; ++i) {
    const auto at = bucket_of(hours_at - (days - i) * kDay, kDay, {});
    if (!append(store, batches, at, batches.size(), random)) return 2;
  }
  for (int i = 0; i < hours; ++i) {
    if (!append(store, batches, hours_at + i * kHour, batches.size(), random)) return 2;
    if (i % 24 == 0) static_cast<void>(store.drop_old(hours_at + i * kHour));
  }
  const auto bytes = bytes_of(where);
  const auto begun = std::chrono::steady_clock::now();
  const double cpu = cpu_seconds();
  for (int i = 0; i < minutes; ++i) {
    if (!append(store, batches, minutes_at + i * kMinute, kAtOnce, random)) return 2;
  }
  const double seconds = seconds_since(begun);
  const double used = cpu_seconds() - cpu;
  const auto rows = static_cast<double>(nodes) * groups * minutes;
  fmt::print(
      "{{\"nodes\":{},\"groups\":{},\"minutes\":{},\"hours\":{},\"days\":{},\"seconds\":{:.2f},"
      "\"rows_per_second\":{:.0f},\"rows_per_cpu_second\":{:.0f},\"history_bytes_per_row\":{:.1f},"
      "\"question_seconds\":{{",
      nodes, groups, minutes, hours, days, seconds, rows / seconds, rows / used,
      static_cast<double>(bytes) / (static_cast<double>(nodes) * groups * (days + hours)));
  for (const auto& question : questions(nodes)) {
    fmt::print("\"{}\":{:.3f},", question.name, ask(store, question, end));
    std::fflush(stdout);
  }
  const auto asked = std::chrono::steady_clock::now();
  if (const auto hits = store.hits(""); !hits) return 2;
  fmt::print("\"hits\":{:.3f}}}}}\n", seconds_since(asked));
  return 0;
}

}  // namespace
}  // namespace meiguan::store

int main(int argc, char** argv) {
  if (argc != 7) {
    fmt::print(stderr, "store_bench DIRECTORY|CONNECTION NODES GROUPS MINUTES HOURS DAYS\n");
    return 2;
  }
  const auto number = [&](int i) { return std::max(std::atoi(argv[i]), 0); };
  return meiguan::store::run(argv[1], number(2), number(3), number(4), number(5), number(6));
}
