// How fast a store takes rows, how large they are, and how long questions take:
//
//   store_bench DIRECTORY|CONNECTION NODES GROUPS MINUTES DAYS
//
// MINUTES batches of every node, one a minute, and before them DAYS batches, one a day. Prints a
// line of JSON.

#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <random>
#include <string>

#include "controlplane/store/store.h"

namespace meiguan::store {
namespace {

constexpr std::int64_t kStart = 1'763'740'800;
constexpr int kAtOnce = 128;  // batches, as a parent takes them while the disk syncs

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

// What a county's gateway tells in a minute: the same units and services most of the time.
Batch batch_of(int node, int groups, std::uint64_t sequence, std::int64_t minute,
               std::mt19937& random) {
  Batch batch;
  batch.node = fmt::format("36{:04}", node);
  batch.epoch = 1;
  batch.sequence = sequence;
  batch.minute = minute;
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
    const auto n = static_cast<std::int64_t>(random() % 100'000);
    row.sums = {.packets = n,
                .bytes = n * 700,
                .started = n / 20,
                .ended = n / 20,
                .peak_packets = n / 30,
                .peak_bytes = n * 25};
    batch.rows.push_back(std::move(row));
  }
  return batch;
}

double ask(Store& store, std::int64_t since, std::int64_t until, std::int64_t step,
           std::vector<Dimension> by, Filter filter) {
  Query query;
  query.since = since;
  query.until = until;
  query.step = step;
  query.now = kStart;
  query.by = std::move(by);
  query.filter = std::move(filter);
  const auto begun = std::chrono::steady_clock::now();
  const auto answer = store.query(query);
  if (!answer) fmt::print(stderr, "{}\n", answer.error().message.english);
  return seconds_since(begun);
}

int run(const std::string& where, int nodes, int groups, int minutes, int days) {
  auto opened = where.find('=') == std::string::npos ? open_sqlite(where, {})
                                                     : open_postgres(where, {});
  if (!opened) {
    fmt::print(stderr, "{}\n", opened.error().message.english);
    return 2;
  }
  Store& store = **opened;
  std::mt19937 random{1};
  const auto begun = std::chrono::steady_clock::now();
  const double cpu = cpu_seconds();
  std::int64_t rows = 0;
  for (int i = 0; i < days + minutes; ++i) {
    const auto at = i < days ? kStart + i * kDay : kStart + days * kDay + (i - days) * kMinute;
    for (int node = 0; node < nodes; node += kAtOnce) {
      std::vector<Batch> group;
      for (int k = node; k < std::min(node + kAtOnce, nodes); ++k) {
        group.push_back(batch_of(k, groups, static_cast<std::uint64_t>(i) + 1, at, random));
      }
      if (const auto done = store.append(group); !done) {
        fmt::print(stderr, "{}\n", done.error().message.english);
        return 2;
      }
      rows += groups * static_cast<std::int64_t>(group.size());
    }
  }
  const double seconds = seconds_since(begun);
  const double used = cpu_seconds() - cpu;
  std::uintmax_t bytes = 0;
  if (std::filesystem::is_directory(where)) {
    for (const auto& entry : std::filesystem::directory_iterator{where}) {
      bytes += entry.file_size();
    }
  }
  const auto end = kStart + days * kDay + minutes * kMinute;
  const auto hour_ago = end - kHour;
  const double all = ask(store, kStart, end, kDay, {Dimension::kUnit, Dimension::kVerdict}, {});
  const double one = ask(store, kStart, end, kDay, {Dimension::kService},
                         {{Dimension::kNode, {"360000"}}});
  const double hour = ask(store, hour_ago, end, kMinute, {Dimension::kReason}, {});
  fmt::print(
      "{{\"nodes\":{},\"groups\":{},\"rows\":{},\"seconds\":{:.2f},\"rows_per_second\":{:.0f},"
      "\"rows_per_cpu_second\":{:.0f},\"bytes_per_stored_row\":{:.1f},"
      "\"all_days_by_unit_seconds\":{:.3f},\"all_days_of_a_node_seconds\":{:.3f},"
      "\"last_hour_by_reason_seconds\":{:.3f}}}\n",
      nodes, groups, rows, seconds, static_cast<double>(rows) / seconds,
      static_cast<double>(rows) / used, static_cast<double>(bytes) / static_cast<double>(rows * 4),
      all, one, hour);
  return 0;
}

}  // namespace
}  // namespace meiguan::store

int main(int argc, char** argv) {
  if (argc != 6) {
    fmt::print(stderr, "store_bench DIRECTORY|CONNECTION NODES GROUPS MINUTES DAYS\n");
    return 2;
  }
  const auto number = [&](int i) { return std::max(std::atoi(argv[i]), 0); };
  return meiguan::store::run(argv[1], number(2), number(3), number(4), number(5));
}
