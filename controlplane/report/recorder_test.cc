#include "controlplane/report/recorder.h"

#include <algorithm>
#include <atomic>
#include <boost/test/unit_test.hpp>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "controlplane/report/test_directory.h"

namespace meiguan::report {
namespace {

using fastpath::Event;
using fastpath::EventKind;
using fastpath::Reason;

constexpr std::int64_t kNow = 1'795'276'800;  // at a full minute, seconds

policy::Catalog catalog() {
  policy::Catalog catalog;
  catalog.units = {{true, "czj", "", {}}};
  catalog.rules.resize(1);
  catalog.rules[0].full_name = "360000/a";
  catalog.rules[0].in_use = true;
  return catalog;
}

Sums counters(std::uint64_t allowed, std::uint64_t dropped = 0) {
  Sums sums;
  sums.reasons.resize(fastpath::kReasonCodes);
  sums.reasons[static_cast<std::size_t>(Reason::kAllowed)][0] = allowed;
  sums.reasons[static_cast<std::size_t>(Reason::kDenied)][0] = dropped;
  sums.rules = {{0, 0, allowed, 0}};
  return sums;
}

Event ended(std::uint64_t packets) {
  Event event;
  event.kind = EventKind::kFlowEnd;
  event.end = fastpath::FlowEnd::kClosed;
  event.source = net::Address::v4(0x0a000001);
  event.destination = net::Address::v4(0x0a000002);
  event.unit = UnitId{0};
  event.rule = RuleId{0};
  event.packets = packets;
  return event;
}

// A recorder with a clock that a test sets, and a store that may be away.
struct Bench {
  explicit Bench(const TestDirectory& at) : directory{at} {}
  [[nodiscard]] std::unique_ptr<Recorder> start(InTree in = {}) {
    auto flows = FlowRing::open(directory.path / "flows", 1 << 20);
    auto recorder = std::make_unique<Recorder>(
        [this]() -> Result<std::unique_ptr<store::Store>> {
          if (away) return fail("away", "不在");
          return store::open_sqlite(directory.path / "store", {});
        },
        std::move(*flows), [this] { return WallTime{std::chrono::seconds{now.load()}}; },
        [](const Text&) {}, std::move(in));
    recorder->set_policy(catalog(), "360121", "r1");
    recorder->attached(counters(0));
    return recorder;
  }
  void pass(Recorder& recorder, std::uint64_t packets) {
    const WallTime at{std::chrono::seconds{now.load()}};
    recorder.heard(ended(packets), 0, at);
    counted += packets;
    recorder.counted(counters(counted, dropped), at, std::chrono::milliseconds{1000});
  }
  [[nodiscard]] static std::int64_t packets(Recorder& recorder) {
    store::Query query;
    query.since = kNow - 86'400;
    query.until = kNow + 86'400;
    query.now = kNow;
    query.by = {store::Dimension::kUnit};
    const auto answer = recorder.query(query);
    if (!answer) return -1;
    std::int64_t sum = 0;
    for (const auto& row : answer->rows) sum += row.sums.packets;
    return sum;
  }
  const TestDirectory& directory;
  std::atomic<std::int64_t> now{kNow};
  std::atomic<bool> away{false};
  std::uint64_t counted{0};
  std::uint64_t dropped{0};
};

BOOST_AUTO_TEST_CASE(a_question_sees_each_packet_once_wherever_it_is) {
  const TestDirectory directory;
  Bench bench{directory};
  {
    auto recorder = bench.start();
    recorder->work();
    for (int i = 0; i < 30; ++i) {
      bench.pass(*recorder, 10);
      bench.now += 20;
      recorder->work();
      BOOST_REQUIRE(Bench::packets(*recorder) == 10 * (i + 1));
    }
    BOOST_TEST(recorder->status().waiting == 0U);
  }
  bench.counted = 0;
  auto again = bench.start();
  again->work();
  BOOST_TEST(Bench::packets(*again) == 300);  // what was open at the end was stored
  bench.pass(*again, 1);
  BOOST_TEST(Bench::packets(*again) == 301);
  const auto hits = again->hits("360121");
  BOOST_REQUIRE(hits.has_value());
  BOOST_REQUIRE(hits->size() == 1U);
  BOOST_TEST(hits->front().hits == 300);
}

BOOST_AUTO_TEST_CASE(a_store_that_is_away_loses_nothing) {
  const TestDirectory directory;
  Bench bench{directory};
  bench.away = true;
  auto recorder = bench.start();
  for (int i = 0; i < 5; ++i) {
    bench.pass(*recorder, 1);
    bench.now += 60;
    recorder->work();
  }
  BOOST_TEST(recorder->status().waiting > 0U);
  BOOST_TEST(recorder->status().trouble_en == "away");
  BOOST_TEST(Bench::packets(*recorder) == -1);
  bench.away = false;
  recorder->work();
  BOOST_TEST(recorder->status().waiting == 0U);
  BOOST_TEST(recorder->status().trouble_en == "");
  BOOST_TEST(Bench::packets(*recorder) == 5);
}

Event denied(std::uint64_t packets) {
  Event event;
  event.kind = EventKind::kDenial;
  event.reason = Reason::kDenied;
  event.unit = UnitId{0};
  event.packets = packets;
  return event;
}

// "360121#denied 1: drop=3": each batch that was passed on, and what its rows are.
std::string told_of(const store::Batch& batch) {
  std::string text = batch.source() + " " + std::to_string(batch.sequence) + ":";
  std::map<std::string, std::int64_t> packets;
  for (const auto& row : batch.rows) {
    packets[std::string{row.key.verdict()}] += row.sums.packets;
  }
  for (const auto& [verdict, n] : packets) text += " " + verdict + "=" + std::to_string(n);
  for (const auto& alarm : batch.alarms) text += " " + alarm.name;
  if (batch.flows.count > 0) text += " flows=" + std::to_string(batch.flows.count);
  return text;
}

BOOST_AUTO_TEST_CASE(denials_alarms_and_flow_records_are_streams_of_their_own) {
  const TestDirectory directory;
  Bench bench{directory};
  std::vector<std::string> told;
  bool parent_takes = true;
  InTree in;
  in.forwards_flows = true;
  in.forward = [&](std::span<const store::Batch> batches) -> Result<void> {
    if (!parent_takes) return fail("full", "满");
    for (const auto& batch : batches) told.push_back(told_of(batch));
    return {};
  };
  auto recorder = bench.start(std::move(in));
  const auto minute = [&](std::uint64_t allowed, std::uint64_t dropped) {
    const WallTime at{std::chrono::seconds{bench.now.load()}};
    if (dropped > 0) recorder->heard(denied(dropped), 0, at);
    bench.dropped += dropped;
    bench.pass(*recorder, allowed);
    bench.now += 180;
    recorder->work();
  };
  minute(5, 3);
  BOOST_TEST(told == (std::vector<std::string>{"360121#denied 1: drop=3", "360121 1: forward=5",
                                               "360121#flows 1: flows=1"}),
             boost::test_tools::per_element());
  told.clear();
  minute(7, 0);  // nothing was dropped: no batch of that
  recorder->report_alarms({{"syn-flood", "attack", "10.0.0.1", kNow, 1}}, kNow);
  minute(1, 2);
  BOOST_TEST(told ==
                 (std::vector<std::string>{"360121 2: forward=7", "360121#flows 2: flows=1",
                                           "360121#alarms 1: syn-flood", "360121#denied 2: drop=2",
                                           "360121 3: forward=1", "360121#flows 3: flows=1"}),
             boost::test_tools::per_element());
  // In the store they are together again.
  store::Query query;
  query.since = kNow - 86'400;
  query.until = kNow + 86'400;
  query.now = kNow;
  query.by = {store::Dimension::kVerdict};
  const auto answer = recorder->query(query);
  BOOST_REQUIRE(answer.has_value());
  BOOST_REQUIRE(answer->rows.size() == 2U);
  BOOST_TEST(answer->rows[0].names[0] == "drop");
  BOOST_TEST(answer->rows[0].sums.packets == 5);
  BOOST_TEST(answer->rows[1].sums.packets == 13);
  // A spool that takes nothing: alarms go first once it does, and of flows the oldest are dropped.
  told.clear();
  parent_takes = false;
  for (int i = 0; i < 80; ++i) minute(1, 0);
  recorder->report_alarms({}, kNow + 1);
  recorder->work();
  BOOST_TEST(told.empty());
  const auto dropped = recorder->status().dropped_flows;
  BOOST_TEST(dropped > 0U);
  BOOST_TEST(recorder->status().dropped == 0U);
  parent_takes = true;
  recorder->work();
  BOOST_REQUIRE(!told.empty());
  BOOST_TEST(std::ranges::count_if(told, [](const auto& one) {
               return one.find("#flows") != std::string::npos;
             }) == static_cast<std::int64_t>(80 - dropped));
  const auto alarm = std::ranges::find(told, "360121#alarms 2:");
  BOOST_TEST((alarm - told.begin() <= 1));  // behind what was tried before, if anything
}

// Rules without news are in no batch: the list goes up when it is new, in another epoch, and once
// an hour. What the store says of an unused rule hangs on it.
BOOST_AUTO_TEST_CASE(rules_are_told_of_where_there_is_news) {
  const TestDirectory directory;
  Bench bench{directory};
  std::vector<std::string> told;
  const auto in_tree = [&] {
    InTree in;
    in.forward = [&](std::span<const store::Batch> batches) -> Result<void> {
      for (const auto& batch : batches) {
        std::string text = batch.source() + ":";
        for (const auto& hit : batch.hits) text += " " + hit.rule + "=" + std::to_string(hit.hits);
        if (batch.list) text += " of " + std::to_string(batch.list->size());
        told.push_back(std::move(text));
      }
      return {};
    };
    return in;
  };
  auto with_b = catalog();
  with_b.rules.resize(3);
  with_b.rules[1].full_name = "360000/b";
  with_b.rules[1].in_use = true;
  with_b.rules[2].full_name = "360000/gone";
  auto recorder = bench.start(in_tree());
  recorder->set_policy(with_b, "360121", "r1");
  const auto minutes = [&](int n, std::uint64_t packets) {
    for (int i = 0; i < n; ++i) {
      bench.pass(*recorder, packets);
      bench.now += 60;
      recorder->work();
    }
  };
  minutes(3, 0);
  minutes(1, 4);
  minutes(3, 0);
  const std::vector<std::string> want{"360121: of 2", "360121:", "360121:", "360121: 360000/a=4",
                                      "360121:"};
  told.resize(std::min(told.size(), want.size()));
  BOOST_TEST(told == want, boost::test_tools::per_element());
  told.clear();
  minutes(120, 0);
  BOOST_TEST(std::ranges::count(told, "360121: of 2") == 2);  // of two hours
  told.clear();
  recorder->set_policy(catalog(), "360121", "r2");
  minutes(4, 0);
  BOOST_TEST(std::ranges::count(told, "360121: of 1") == 1);
  recorder.reset();
  told.clear();
  bench.counted = 0;
  recorder = bench.start(in_tree());
  minutes(4, 0);
  BOOST_TEST(std::ranges::count(told, "360121: of 1") == 1);
  const auto hits = recorder->hits("360121");
  BOOST_REQUIRE(hits.has_value());
  BOOST_REQUIRE(hits->size() == 2U);
  const auto& [a, b] = std::pair{hits->at(0), hits->at(1)};
  BOOST_TEST(a.rule == "360000/a");
  BOOST_TEST(a.hits == 4);
  BOOST_TEST(a.first.value_or(0) == kNow + 180);
  BOOST_TEST(b.rule == "360000/b");
  BOOST_TEST(b.hits == 0);
  BOOST_TEST(!b.first.has_value());
  // Watched from the begin until it was taken out of the policy, while the other one goes on.
  BOOST_TEST(b.watched_since == kNow);
  BOOST_TEST(b.watched_ms > 120'000);
  BOOST_TEST(b.watched_until < a.watched_until);
  BOOST_TEST(b.watched_ms < a.watched_ms);
}

std::string flows_below(Recorder& recorder) {
  std::string text;
  static_cast<void>(recorder.flows_below()->read(0, kNow * 2000, [&](std::string_view line) {
    text += std::string{line} + " ";
    return true;
  }));
  return text;
}

store::Batch flows_of(const std::string& node, std::uint64_t sequence) {
  store::Batch batch;
  batch.node = node;
  batch.stream = store::Stream::kFlows;
  batch.epoch = 7;
  batch.sequence = sequence;
  batch.minute = kNow;
  batch.flows.add(node + "-" + std::to_string(sequence), kNow * 1000);
  return batch;
}

// The machine may stop behind the spool, behind the ring and behind the store: each record is in
// the ring once, and those of this node are not among them.
BOOST_AUTO_TEST_CASE(flow_records_of_other_nodes_are_kept_once_wherever_it_stops) {
  const TestDirectory directory;
  Bench bench{directory};
  std::vector<store::Batch> spool;
  const auto start = [&] {
    InTree in;
    in.forward = [](std::span<const store::Batch>) -> Result<void> { return {}; };
    in.recover = [&](const Take& take) -> Result<void> {
      for (const auto& batch : spool) {
        if (auto done = take(batch); !done) return done;
      }
      return {};
    };
    in.flows_below = FlowRing::open(directory.path / "below", 1 << 20).value();
    auto recorder = bench.start(std::move(in));
    recorder->work();
    return recorder;
  };
  const auto take = [&](Recorder& recorder, const store::Batch& batch) {
    const auto said = recorder.append(std::span{&batch, 1}, [&]() -> Result<void> {
      spool.push_back(batch);
      return {};
    });
    BOOST_REQUIRE(said.has_value());
    return said->front();
  };
  {
    auto recorder = start();
    BOOST_TEST((take(*recorder, flows_of("360122", 1)) == store::Applied::kNow));
    BOOST_TEST((take(*recorder, flows_of("360122", 1)) == store::Applied::kBefore));
    BOOST_TEST((take(*recorder, flows_of("360122", 3)) == store::Applied::kGap));
  }
  {  // behind the spool
    spool = {flows_of("360122", 2), flows_of("360121", 1)};
    auto recorder = start();
    BOOST_TEST(flows_below(*recorder) == "360122-1 360122-2 ");
    BOOST_TEST((take(*recorder, flows_of("360122", 2)) == store::Applied::kBefore));
  }
  {  // behind the ring
    auto ring = FlowRing::open(directory.path / "below", 1 << 20).value();
    const auto batch = flows_of("360122", 3);
    BOOST_TEST(
        ring->append(FlowBlockOrigin::of(batch.node, batch.epoch, batch.sequence), batch.flows));
  }
  auto recorder = start();
  BOOST_TEST((take(*recorder, flows_of("360122", 3)) == store::Applied::kNow));
  // Several of a node at once.
  const std::vector<store::Batch> group{flows_of("360122", 4), flows_of("360122", 5),
                                        flows_of("360123", 1)};
  BOOST_REQUIRE(recorder->append(group, []() -> Result<void> { return {}; }).has_value());
  BOOST_TEST(flows_below(*recorder) == "360122-1 360122-2 360122-3 360122-4 360122-5 360123-1 ");
}

BOOST_AUTO_TEST_CASE(flows_that_ended_are_on_disk) {
  const TestDirectory directory;
  Bench bench{directory};
  auto recorder = bench.start();
  bench.pass(*recorder, 7);
  std::string lines;
  static_cast<void>(recorder->flows()->read(0, kNow * 2000, [&](std::string_view line) {
    lines += line;
    return true;
  }));
  for (const char* const part : {R"("end":"closed")", R"("unit":"czj")", R"("rule":"360000/a")",
                                 R"("packets":7)", R"("revision":"r1")"}) {
    BOOST_TEST(lines.find(part) != std::string::npos, part);
  }
}

}  // namespace
}  // namespace meiguan::report
