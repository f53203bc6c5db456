#include "controlplane/report/recorder.h"

#include <atomic>
#include <boost/test/unit_test.hpp>

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

Sums counters(std::uint64_t allowed) {
  Sums sums;
  sums.reasons.resize(fastpath::kReasonCodes);
  sums.reasons[static_cast<std::size_t>(Reason::kAllowed)][0] = allowed;
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
  [[nodiscard]] std::unique_ptr<Recorder> start() {
    auto flows = FlowRing::open(directory.path / "flows", 1 << 20);
    auto recorder = std::make_unique<Recorder>(
        [this]() -> Result<std::unique_ptr<store::Store>> {
          if (away) return fail("away", "不在");
          return store::open_sqlite(directory.path / "store", {});
        },
        std::move(*flows), [this] { return WallTime{std::chrono::seconds{now.load()}}; },
        [](const Text&) {});
    recorder->set_policy(catalog(), "360121", "r1");
    recorder->attached(counters(0));
    return recorder;
  }
  void pass(Recorder& recorder, std::uint64_t packets) {
    const WallTime at{std::chrono::seconds{now.load()}};
    recorder.heard(ended(packets), 0, at);
    counted += packets;
    recorder.counted(counters(counted), at, std::chrono::milliseconds{1000});
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
