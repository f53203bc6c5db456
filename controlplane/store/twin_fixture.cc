// The conformance check that compares a store with its batches.

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <boost/test/unit_test.hpp>
#include <map>
#include <random>
#include <utility>

#include "controlplane/store/store_fixture.h"

namespace meiguan::store {
namespace {

// What an answer should be, from the batches themselves.
std::string naive_sums(const std::vector<Batch>& batches, const Query& query) {
  std::map<std::vector<std::string>, std::array<std::int64_t, 4>> sums;
  for (const auto& batch : batches) {
    if (batch.minute < query.since || batch.minute >= query.until) continue;
    for (const auto& row : batch.rows) {
      const bool passes = std::ranges::all_of(query.filter, [&](const auto& one) {
        return std::ranges::find(one.second, row.key[one.first]) != one.second.end();
      });
      if (!passes) continue;
      std::vector<std::string> names;
      const auto step = query.step == 0 ? 0 : (batch.minute - query.since) / query.step;
      names.push_back(fmt::format("{:06}", step));
      for (const auto by : query.by) names.emplace_back(row.key[by]);
      auto& [packets, bytes, peak, denied] = sums[names];
      packets += row.sums.packets;
      bytes += row.sums.bytes;
      peak = std::max(peak, row.sums.peak_packets);
      denied += row.key.verdict() == "drop" ? row.sums.packets : 0;
    }
  }
  std::string text;
  for (const auto& [names, one] : sums) {
    text += fmt::format("{} {}\n", fmt::join(names, ","), fmt::join(one, " "));
  }
  return text;
}

std::string stored_sums(Store& store, const Query& query, std::span<const Batch> fresh) {
  const auto answer = store.query(query, fresh);
  if (!answer) return "error: " + answer.error().message.english;
  std::string text;
  for (const auto& row : answer->rows) {
    std::vector<std::string> names{
        fmt::format("{:06}", query.step == 0 ? 0 : (row.time - query.since) / query.step)};
    names.insert(names.end(), row.names.begin(), row.names.end());
    text += fmt::format("{} {} {} {} {}\n", fmt::join(names, ","), row.sums.packets, row.sums.bytes,
                        row.sums.peak_packets, row.denied);
  }
  return text;
}

}  // namespace

// Months of nodes' rows in any order, some of them days late: whatever is asked, the answer is what
// the rows say, by way of sums of all nodes or of single ones, and of any resolution.
void all_sums_are_those_of_the_rows(Store& store) {
  using enum Dimension;
  const unsigned seed = std::random_device{}();
  BOOST_TEST_MESSAGE("seed " << seed);
  std::mt19937 random{seed};
  const auto any = [&](unsigned below) { return static_cast<unsigned>(random() % below); };
  const std::vector<std::string> nodes{"360000", "360100", "360121", "360122", "360700"};
  const std::vector<std::string> reasons{"allowed", "denied", "default-deny", "for-gateway"};
  std::vector<Batch> all;
  for (std::uint64_t i = 0; i < 400; ++i) {
    std::vector<Row> rows;
    for (unsigned k = 0; k < 1 + any(6); ++k) {
      const auto packets = static_cast<std::int64_t>(any(1000)) - 20;
      auto row = test_row(fmt::format("u{}", any(3)), reasons[any(4)], packets);
      row.key[kService] = any(3) == 0 ? "" : fmt::format("s{}", any(3));
      row.key[kPeer] = any(2) == 0 ? "" : "p";
      rows.push_back(std::move(row));
    }
    // Mostly of the last two days, some of the sixty before.
    const std::int64_t days = any(any(4) == 0 ? 60 : 2);
    const std::int64_t minute = kTestDay - days * kDay + any(1440) * kMinute;
    all.push_back(test_batch(nodes[any(5)], i + 1, minute, std::move(rows)));
  }
  // Of every node they go up: all are new.
  for (auto& batch : all) batch.epoch = std::exchange(batch.sequence, 1);
  const std::size_t stored = 380;
  for (std::size_t i = 0; i < stored;) {
    const auto some = std::min<std::size_t>(1 + any(40), stored - i);
    const auto said = store.append(std::span{all}.subspan(i, some));
    BOOST_REQUIRE(said.has_value());
    i += some;
  }
  const std::vector<std::vector<Dimension>> kBy{{},
                                                {kService},
                                                {kReason},
                                                {kVerdict, kFamily},
                                                {kNode},
                                                {kUnit},
                                                {kUnit, kService, kVerdict}};
  const std::vector<Filter> kFilters{
      {},
      {{kNode, {"360121"}}},
      {{kNode, nodes}},
      {{kNode, {"360100", "360121", "360122"}}, {kVerdict, {"drop"}}},
      {{kVerdict, {"forward", "local"}}},
      {{kUnit, {"u1"}}},
      {{kService, {"s1", ""}}, {kReason, {"allowed"}}},
      {{kReason, {}}},
  };
  struct Time {
    std::int64_t since, until, step;
  };
  const Time kTimes[] = {
      {kTestDay - 60 * kDay, kTestDay + kDay, 0},
      {kTestDay - 33 * kDay + 7 * kHour + 11 * kMinute, kTestDay + 5 * kHour + 22 * kMinute, 0},
      {kTestDay - kDay + 3 * kMinute, kTestDay + 12 * kHour + kMinute, 0},
      {kTestDay + 61 * kMinute, kTestDay + 62 * kMinute, 0},
      {kTestDay - kDay, kTestDay + kDay, kMinute},
      {kTestDay - kDay, kTestDay + kDay, kHour},
      {kTestDay - 40 * kDay, kTestDay + kDay, kDay},
      {kTestDay - 30 * kDay, kTestDay, 6 * kHour},
  };
  for (const auto& time : kTimes) {
    for (const auto& filter : kFilters) {
      for (const auto& by : kBy) {
        const Query query{.since = time.since,
                          .until = time.until,
                          .step = time.step,
                          .now = kTestDay - 3600 * kDay,  // all is kept
                          .by = by,
                          .filter = filter};
        const auto got = stored_sums(store, query, std::span{all}.subspan(stored));
        const auto want = naive_sums(all, query);
        if (got == want) continue;
        BOOST_TEST(got == want, "seed " << seed << ", " << time.since << " to " << time.until
                                        << " by " << time.step);
        return;
      }
    }
  }
}

}  // namespace meiguan::store
