#pragma once

// What every store must do, asked of any: each check is given a store with nothing in it.

#include <functional>
#include <string>

#include "controlplane/store/store.h"

namespace meiguan::store {

struct StoreCheck {
  const char* name;
  void (*run)(Store& store);
};

// Of a time zone eight hours ahead of UTC.
inline constexpr std::int64_t kTestOffset = 8 * kHour;
[[nodiscard]] Options test_options();
// 2026-11-22T00:00 in that zone.
inline constexpr std::int64_t kTestDay = 1795276800;

[[nodiscard]] Row test_row(const std::string& unit, const std::string& reason,
                           std::int64_t packets);
[[nodiscard]] Batch test_batch(const std::string& node, std::uint64_t sequence, std::int64_t minute,
                               std::vector<Row> rows);
// Packets of the whole time, by that dimension, as "name=packets name=packets".
[[nodiscard]] std::string test_sums(Store& store, Dimension by, Filter filter = {},
                                    std::int64_t since = kTestDay,
                                    std::int64_t until = kTestDay + kDay, std::int64_t step = 0);

// One of them, in twin_fixture.cc.
void all_sums_are_those_of_the_rows(Store& store);
// In watch_fixture.cc.
void what_nobody_watched_is_told_in_spans(Store& store);
// What a store of an earlier version must go on to say, which had no rows of sixteen days: fill it,
// take those away, and ask. The second is given what the first filled, opened anew.
void fill_days(Store& store, int from, int until);
void days_are_enough(Store& store);
// In list_fixture.cc.
void rules_are_watched_while_they_are_listed(Store& store);
// In alarm_fixture.cc.
void alarms_stand_until_they_are_told_no_more(Store& store);

[[nodiscard]] const std::vector<StoreCheck>& store_checks();

}  // namespace meiguan::store
