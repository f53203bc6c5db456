#include "controlplane/store/store_fixture.h"

#include <fmt/format.h>

#include <boost/test/unit_test.hpp>

namespace meiguan::store {

Options test_options() {
  Options options;
  options.offset = [](std::int64_t) { return kTestOffset; };
  return options;
}

Row test_row(const std::string& unit, const std::string& reason, std::int64_t packets) {
  Row row;
  row.key[Dimension::kNode] = "360121";
  row.key[Dimension::kUnit] = unit;
  row.key[Dimension::kReason] = reason;
  row.key[Dimension::kFamily] = "ipv4";
  row.sums = {.packets = packets,
              .bytes = packets * 100,
              .started = 1,
              .ended = 0,
              .peak_packets = packets / 10,
              .peak_bytes = packets * 10};
  return row;
}

Batch test_batch(const std::string& node, std::uint64_t sequence, std::int64_t minute,
                 std::vector<Row> rows) {
  Batch batch;
  batch.node = node;
  batch.epoch = 7;
  batch.sequence = sequence;
  batch.minute = minute;
  batch.watch.watched_ms = 60'000;
  batch.rows = std::move(rows);
  for (auto& row : batch.rows) row.key[Dimension::kNode] = node;
  return batch;
}

std::string test_sums(Store& store, Dimension by, Filter filter, std::int64_t since,
                      std::int64_t until, std::int64_t step) {
  Query query;
  query.since = since;
  query.until = until;
  query.step = step;
  query.now = kTestDay + kDay;
  query.by = {by};
  query.filter = std::move(filter);
  const auto answer = store.query(query);
  if (!answer) return "error: " + answer.error().message.english;
  std::string text;
  for (const auto& row : answer->rows) {
    if (!text.empty()) text += ' ';
    if (step != 0) text += fmt::format("{}:", (row.time - since) / step);
    text += fmt::format("{}={}", row.names.at(0), row.sums.packets);
  }
  return text;
}

namespace {

Applied append(Store& store, const Batch& batch) {
  const auto done = store.append(batch);
  BOOST_REQUIRE_MESSAGE(done.has_value(), (done ? "" : done.error().message.english));
  return *done;
}

void sums_add_up(Store& store) {
  using enum Dimension;
  append(store, test_batch("360121", 1, kTestDay,
                           {test_row("czj", "allowed", 10), test_row("mzj", "denied", 3)}));
  append(store, test_batch("360121", 2, kTestDay + 60, {test_row("czj", "allowed", 5)}));
  append(store, test_batch("360121", 3, kTestDay + 60, {test_row("czj", "allowed", 1)}));
  append(store, test_batch("360122", 1, kTestDay, {test_row("czj", "default-deny", 100)}));
  BOOST_TEST(test_sums(store, kUnit) == "czj=116 mzj=3");
  BOOST_TEST(test_sums(store, kVerdict) == "drop=103 forward=16");
  BOOST_TEST(test_sums(store, kReason) == "allowed=16 default-deny=100 denied=3");
  BOOST_TEST(test_sums(store, kNode) == "360121=19 360122=100");
  BOOST_TEST(test_sums(store, kUnit, {{kNode, {"360121"}}}) == "czj=16 mzj=3");
  BOOST_TEST(test_sums(store, kUnit, {{kVerdict, {"drop"}}, {kUnit, {"mzj", "x"}}}) == "mzj=3");
  BOOST_TEST(test_sums(store, kService) == "=119");  // of none
  BOOST_TEST(test_sums(store, kUnit, {}, kTestDay, kTestDay + 120, 60) ==
             "0:czj=110 0:mzj=3 1:czj=6");
  // Not in it: the minute at `until`, and those before `since`.
  BOOST_TEST(test_sums(store, kUnit, {}, kTestDay, kTestDay + 60) == "czj=110 mzj=3");
  BOOST_TEST(test_sums(store, kUnit, {}, kTestDay + 60, kTestDay + 120) == "czj=6");
}

void all_numbers_last(Store& store) {
  Row row = test_row("czj", "denied", 7);
  row.sums = {.packets = 7,
              .bytes = std::int64_t{1} << 60,
              .started = 2,
              .ended = 3,
              .peak_packets = 4,
              .peak_bytes = 5};
  append(store, test_batch("360121", 1, kTestDay, {row}));
  row.sums = {
      .packets = -1, .bytes = -8, .started = 1, .ended = 1, .peak_packets = 9, .peak_bytes = 1};
  append(store, test_batch("360121", 2, kTestDay, {row}));
  Query query;
  query.since = kTestDay;
  query.until = kTestDay + 60;
  query.now = kTestDay;
  query.by = {Dimension::kUnit};
  const auto answer = store.query(query);
  BOOST_REQUIRE(answer.has_value());
  BOOST_REQUIRE(answer->rows.size() == 1U);
  const Sums want{.packets = 6,
                  .bytes = (std::int64_t{1} << 60) - 8,
                  .started = 3,
                  .ended = 4,
                  .peak_packets = 9,
                  .peak_bytes = 5};
  BOOST_TEST((answer->rows[0].sums == want));
  BOOST_TEST(answer->rows[0].denied == 6);
}

void a_batch_counts_once(Store& store) {
  const auto batch = [](std::uint64_t sequence) {
    return test_batch("360121", sequence, kTestDay, {test_row("czj", "allowed", 1)});
  };
  BOOST_TEST(!store.watermark("360121").value().has_value());
  BOOST_TEST((append(store, batch(5)) == Applied::kNow));  // never heard of: any is the first
  BOOST_TEST((append(store, batch(5)) == Applied::kBefore));
  BOOST_TEST((append(store, batch(4)) == Applied::kBefore));
  BOOST_TEST((append(store, batch(7)) == Applied::kGap));
  BOOST_TEST((append(store, batch(6)) == Applied::kNow));
  BOOST_TEST((store.watermark("360121").value() == Watermark{7, 6}));
  auto next = batch(2);
  next.epoch = 8;
  BOOST_TEST((append(store, next) == Applied::kGap));
  next.sequence = 1;
  BOOST_TEST((append(store, next) == Applied::kNow));
  BOOST_TEST((append(store, batch(7)) == Applied::kBefore));  // of the epoch before
  BOOST_TEST((store.watermark("360121").value() == Watermark{8, 1}));
  BOOST_TEST(test_sums(store, Dimension::kUnit) == "czj=3");
}

void every_resolution_says_the_same(Store& store) {
  // Three days' minutes at odd places; 23:59 of the last one too.
  std::uint64_t sequence = 0;
  for (const std::int64_t at :
       {std::int64_t{0}, kDay - 60, kDay, 2 * kDay + 7 * kHour + 60, 3 * kDay - 60}) {
    append(store, test_batch("360121", ++sequence, kTestDay + at,
                             {test_row("czj", "allowed", at == 0 ? 1000 : 1)}));
  }
  struct Case {
    std::int64_t step;
    const char* want;
  };
  const Case kCases[] = {
      {0, "czj=1004"},
      {60, "0:czj=1000 1439:czj=1 1440:czj=1 3301:czj=1 4319:czj=1"},
      {5 * kMinute, "0:czj=1000 287:czj=1 288:czj=1 660:czj=1 863:czj=1"},
      {kHour, "0:czj=1000 23:czj=1 24:czj=1 55:czj=1 71:czj=1"},
      {kDay, "0:czj=1001 1:czj=1 2:czj=2"},
  };
  for (const auto& test : kCases) {
    BOOST_TEST(test_sums(store, Dimension::kUnit, {}, kTestDay, kTestDay + 3 * kDay, test.step) ==
                   test.want,
               test.step);
  }
}

void what_was_watched_is_told(Store& store) {
  auto batch = test_batch("360121", 1, kTestDay, {});
  batch.watch = {.watched_ms = 30'000, .events_lost = 2, .folded = 1};
  append(store, batch);
  batch.sequence = 2;
  batch.watch = {.watched_ms = 20'000, .events_lost = 1, .folded = 0};
  append(store, batch);
  Query query;
  query.since = kTestDay;
  query.until = kTestDay + 300;
  query.now = kTestDay;
  query.step = 60;
  const auto answer = store.query(query);
  BOOST_REQUIRE(answer.has_value());
  BOOST_TEST(answer->rows.empty());
  const auto& [nodes, steps] = answer->watched;
  BOOST_TEST((nodes == std::vector<std::string>{"360121"}));
  BOOST_REQUIRE(steps.size() == 1U);
  BOOST_TEST(steps.begin()->first == kTestDay);
  BOOST_REQUIRE(steps.begin()->second.size() == 1U);
  const auto& watch = steps.begin()->second.front();
  BOOST_TEST((watch == Watch{50'000, 3, 1}));
}

void hits_have_a_window(Store& store) {
  auto batch = test_batch("360121", 1, kTestDay, {});
  batch.hits = {{"360000/a", 0, 0}, {"360000/b", 2, 1}};
  append(store, batch);
  batch.sequence = 2;
  batch.minute = kTestDay + 600;
  batch.hits = {{"360000/a", 0, 0}, {"360000/b", 0, 3}, {"360000/c", 1, 0}};
  append(store, batch);
  const auto rows = store.hits("360121");
  BOOST_REQUIRE(rows.has_value());
  const std::vector<HitsRow> want{
      {"360121", "360000/a", 0, 0, {}, {}, kTestDay, kTestDay + 600, 120'000},
      {"360121", "360000/b", 2, 4, kTestDay, kTestDay + 600, kTestDay, kTestDay + 600, 120'000},
      {"360121", "360000/c", 1, 0, kTestDay + 600, kTestDay + 600, kTestDay + 600, kTestDay + 600,
       60'000},
  };
  BOOST_TEST((*rows == want));
  BOOST_TEST(store.hits("x").value().empty());
  BOOST_TEST(store.hits("").value().size() == 3U);
}

void old_data_are_dropped(Store& store) {
  append(store, test_batch("360121", 1, kTestDay, {test_row("czj", "allowed", 1)}));
  append(store, test_batch("360121", 2, kTestDay + 10 * kDay, {test_row("czj", "allowed", 2)}));
  const auto sums = [&](std::int64_t now) {
    std::string text;
    for (const std::int64_t step : {kMinute, 5 * kMinute, kHour, kDay}) {
      Query query;
      query.since = kTestDay;
      query.until = kTestDay + 11 * kDay;
      query.step = step;
      query.now = kTestDay;  // so that the step alone chooses
      std::int64_t packets = 0;
      const auto answer = store.query(query);
      BOOST_REQUIRE(answer.has_value());
      for (const auto& row : answer->rows) packets += row.sums.packets;
      text += fmt::format("{} ", packets);
    }
    BOOST_TEST_MESSAGE(now);
    return text;
  };
  BOOST_TEST(sums(0) == "3 3 3 3 ");
  BOOST_TEST(store.drop_old(kTestDay + kDay).value() == 0U);
  BOOST_TEST(store.drop_old(kTestDay + 10 * kDay).value() == 1U);
  BOOST_TEST(sums(1) == "2 3 3 3 ");
  BOOST_TEST(store.drop_old(kTestDay + 20 * kDay).value() == 2U);
  BOOST_TEST(sums(2) == "0 2 3 3 ");
  BOOST_TEST(store.drop_old(kTestDay + 20 * kDay).value() == 0U);
}

void a_group_counts_like_its_batches(Store& store) {
  const auto one = [](const char* node, std::uint64_t sequence, std::int64_t minute) {
    return test_batch(node, sequence, minute, {test_row("czj", "allowed", 1)});
  };
  const std::vector<Batch> group{one("360121", 1, kTestDay),
                                 one("360121", 2, kTestDay + 60),
                                 one("360122", 1, kTestDay),
                                 one("360121", 2, kTestDay + 60),
                                 one("360121", 4, kTestDay + 60),
                                 one("360121", 3, kTestDay + kDay)};
  const auto said = store.append(group);
  BOOST_REQUIRE(said.has_value());
  using enum Applied;
  BOOST_TEST((*said == std::vector{kNow, kNow, kNow, kBefore, kGap, kNow}));
  for (const std::int64_t step : {kMinute, 5 * kMinute, kHour, kDay}) {
    const auto sums = test_sums(store, Dimension::kNode, {}, kTestDay, kTestDay + 2 * kDay, step);
    BOOST_TEST(sums == (step == kMinute
                            ? "0:360121=1 0:360122=1 1:360121=1 1440:360121=1"
                            : fmt::format("0:360121=2 0:360122=1 {}:360121=1", kDay / step)),
               step);
  }
  BOOST_TEST((store.append(group).value() ==
              std::vector{kBefore, kBefore, kBefore, kBefore, kNow, kBefore}));
  BOOST_TEST((store.watermark("360121").value() == Watermark{7, 4}));
}

void what_will_never_come_is_told(Store& store) {
  append(store, test_batch("360121", 1, kTestDay, {test_row("czj", "allowed", 1)}));
  auto next = test_batch("360121", 7, kTestDay, {test_row("czj", "allowed", 1)});
  next.lost = 4;  // 3 to 6, and 2 may still come
  BOOST_TEST((append(store, next) == Applied::kGap));
  next.lost = 5;
  BOOST_TEST((append(store, next) == Applied::kNow));
  BOOST_TEST((append(store, next) == Applied::kBefore));
  auto denied = test_batch("360121", 1, kTestDay, {test_row("czj", "denied", 2)});
  denied.stream = Stream::kDenied;
  BOOST_TEST((append(store, denied) == Applied::kNow));
  BOOST_TEST((append(store, denied) == Applied::kBefore));
  const auto sources = store.sources();
  BOOST_REQUIRE(sources.has_value());
  BOOST_REQUIRE(sources->size() == 2U);
  BOOST_TEST(sources->at(0).name == "360121");
  BOOST_TEST((sources->at(0).mark == Watermark{7, 7}));
  BOOST_TEST(sources->at(0).lost == 5U);
  BOOST_TEST(sources->at(1).name == "360121#denied");
  BOOST_TEST((sources->at(1).mark == Watermark{7, 1}));
  BOOST_TEST(test_sums(store, Dimension::kReason) == "allowed=2 denied=2");
}

void names_are_kept_as_they_are(Store& store) {
  const std::string odd = "南昌市'\"\\\t\n;--, NULL";
  append(store, test_batch("360121", 1, kTestDay,
                           {test_row(odd, "allowed", 1), test_row("", "allowed", 2),
                            test_row("(other)", "allowed", 3)}));
  BOOST_TEST(test_sums(store, Dimension::kUnit) == "=2 (other)=3 " + odd + "=1");
}

void too_many_rows_are_refused(Store& store) {
  std::vector<Row> rows;
  for (int i = 0; i < 4'000; ++i) rows.push_back(test_row(fmt::format("u{}", i), "allowed", 1));
  std::uint64_t sequence = 0;
  std::vector<Batch> all;
  for (std::int64_t k = 0; k < 51; ++k) {
    all.push_back(test_batch("360121", ++sequence, kTestDay + k * kMinute, rows));
  }
  BOOST_REQUIRE(store.append(all).has_value());
  Query query{.since = kTestDay,
              .until = kTestDay + kHour,
              .step = kMinute,
              .now = kTestDay,
              .by = {Dimension::kUnit},
              .filter = {}};
  const auto refused = store.query(query);
  BOOST_REQUIRE(!refused.has_value());
  BOOST_TEST(refused.error().message.english.find("more than 200000 rows") != std::string::npos);
  query.step = kHour;
  BOOST_TEST(store.query(query).value().rows.size() == 4'000U);
}

}  // namespace

const std::vector<StoreCheck>& store_checks() {
  static const std::vector<StoreCheck> kChecks{
      {"sums add up", sums_add_up},
      {"all numbers last", all_numbers_last},
      {"a batch counts once", a_batch_counts_once},
      {"a group counts like its batches", a_group_counts_like_its_batches},
      {"what will never come is told", what_will_never_come_is_told},
      {"every resolution says the same", every_resolution_says_the_same},
      {"what was watched is told", what_was_watched_is_told},
      {"what nobody watched is told in spans", what_nobody_watched_is_told_in_spans},
      {"hits have a window", hits_have_a_window},
      {"rules are watched while they are listed", rules_are_watched_while_they_are_listed},
      {"alarms stand until they are told no more", alarms_stand_until_they_are_told_no_more},
      {"old data are dropped", old_data_are_dropped},
      {"names are kept as they are", names_are_kept_as_they_are},
      {"all sums are those of the rows", all_sums_are_those_of_the_rows},
      {"too many rows are refused", too_many_rows_are_refused},
  };
  return kChecks;
}

}  // namespace meiguan::store
