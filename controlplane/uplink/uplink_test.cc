#include <algorithm>
#include <boost/json.hpp>
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <random>

#include "controlplane/uplink/test_tree.h"

namespace meiguan::uplink {
namespace {

BOOST_AUTO_TEST_CASE(every_tier_has_the_same_sums) {
  Tree tree;
  for (std::uint64_t i = 1; i <= 20; ++i) {
    tree.county.report(batch_at(i, 10));
    tree.county.report(batch_at(i, 1, store::Stream::kDenied));
  }
  tree.city.report(sample_batch("3601", 1, 1000));
  tree.county.drain();
  tree.city.drain();
  BOOST_TEST(tree.county.sums() == "360121=220");
  BOOST_TEST(tree.city.sums() == "3601=1000 360121=220");
  BOOST_TEST(tree.province.sums() == "3601=1000 360121=220");
  BOOST_TEST(tree.county.spool->status().batches == 0U);
  BOOST_TEST(tree.city.spool->status().batches == 0U);
  BOOST_TEST(tree.province.receiver->counts().batches == 41U);
}

BOOST_AUTO_TEST_CASE(whatever_dies_at_whatever_step_each_batch_counts_once) {
  for (unsigned seed = 1; seed <= 4; ++seed) {
    Tree tree;
    std::mt19937 random{seed};
    std::int64_t sum = 0;
    auto fault = Fault::kNone;
    tree.break_by(fault);
    for (std::uint64_t i = 1; i <= 60; ++i) {
      const auto packets = static_cast<std::int64_t>(random() % 1000);
      sum += packets;
      // Every fifth time it is killed between its spool and its store.
      tree.county.dies_behind_spool = random() % 5 == 0;
      tree.county.report(batch_at(i, packets));
      if (std::exchange(tree.county.dies_behind_spool, false)) tree.county.start();
      fault = static_cast<Fault>(random() % 6);
      static_cast<void>(tree.county.sender->round());
      if (fault == Fault::kChild) tree.county.start();
      if (random() % 4 == 0) static_cast<void>(tree.city.sender->round());
      if (random() % 9 == 0) tree.province.start();
    }
    fault = Fault::kNone;
    tree.county.drain();
    tree.city.drain();
    const auto want = "360121=" + std::to_string(sum);
    BOOST_TEST(tree.county.sums() == want, seed);
    BOOST_TEST(tree.city.sums() == want, seed);
    BOOST_TEST(tree.province.sums() == want, seed);
    BOOST_TEST(tree.city.spool->status().batches == 0U);
  }
}

BOOST_AUTO_TEST_CASE(an_outage_longer_than_the_spool_is_told_and_gone_on_after) {
  Directory directory;
  const auto size = packed(batch_at(1, 1)).size();
  Tier county{directory.path / "county", "360121", 0};
  county.segment_bytes = 2 * size;
  county.start();
  Tier city{directory.path / "city", "3601"};
  county.connect(city);
  county.report(batch_at(1, 1));
  county.drain();
  county.wire = nullptr;
  for (std::uint64_t i = 2; i <= 40; ++i) county.report(batch_at(i, 1));
  BOOST_TEST((county.sender->round() == Sender::Round::kFailed));
  county.connect(city);
  county.drain();
  BOOST_TEST(county.spool->status().batches == 0U);
  const auto dropped = county.spool->status().dropped;
  BOOST_TEST(dropped > 20U);
  BOOST_TEST(county.sums() == "360121=40");
  BOOST_TEST(city.sums() == "360121=" + std::to_string(40 - dropped));
  const auto sources = city.store->sources();
  BOOST_REQUIRE(sources.has_value());
  BOOST_REQUIRE(sources->size() == 1U);
  BOOST_TEST(sources->at(0).lost == dropped);
  BOOST_TEST(county.sender->status().declared_lost == dropped);
}

BOOST_AUTO_TEST_CASE(what_does_not_belong_is_refused) {
  Tree tree;
  BOOST_TEST(said(tree.city, "360121", batch_at(1, 5)) == "applied");
  BOOST_TEST(said(tree.city, "360121", batch_at(1, 5)) == "before");
  BOOST_TEST(said(tree.city, "360121", batch_at(3, 5)) == "gap 2");
  BOOST_TEST(said(tree.city, "360121", sample_batch("360122", 1, 5)) == "refused");
  BOOST_TEST(said(tree.city, "360121", sample_batch("3601", 1, 5)) == "refused");
  BOOST_TEST(said(tree.city, "stranger", sample_batch("stranger", 1, 5)) == "403");
  auto tomorrow = batch_at(2, 5);
  tomorrow.minute += 3 * 86'400;
  BOOST_TEST(said(tree.city, "360121", tomorrow) == "refused");
  BOOST_TEST(tree.city.sums() == "360121=5");
  BOOST_TEST(tree.city.receiver->counts().refused == 3U);
}

// The child goes on behind what its parent refuses, and says that it will not come.
BOOST_AUTO_TEST_CASE(a_refused_batch_holds_up_nothing) {
  Tree tree;
  tree.county.report(batch_at(1, 1));
  auto tomorrow = batch_at(2, 1);
  tomorrow.minute += 3 * 86'400;
  tree.county.report(tomorrow);
  tree.county.report(batch_at(3, 1));
  tree.county.drain();
  BOOST_TEST(tree.county.spool->status().batches == 0U);
  BOOST_TEST(tree.county.spool->status().refused == 1U);
  BOOST_TEST(tree.city.sums() == "360121=2");
}

// One stream of the spool carries batches of several nodes: a gap of one must not lose another's.
BOOST_AUTO_TEST_CASE(a_gap_of_one_node_loses_nothing_of_another) {
  Tree tree;
  BOOST_TEST(said(tree.city, "360121", batch_at(1, 1)) == "applied");
  const std::vector<std::string> records{packed(batch_at(5, 10)),
                                         packed(sample_batch("360121999", 1, 100)),
                                         packed(batch_at(6, 10))};
  BOOST_TEST(tree.county.spool->append(records).has_value());
  tree.county.drain();
  BOOST_TEST(tree.city.sums() == "360121=21 360121999=100");
  BOOST_TEST(tree.county.spool->status().batches == 0U);
  BOOST_TEST(tree.county.sender->status().declared_lost == 3U);
}

BOOST_AUTO_TEST_CASE(a_flood_of_bad_batches_is_shut_out) {
  Tree tree;
  std::string last;
  for (int i = 0; i < 40; ++i) {
    const auto answer = tree.city.ask("360121", kBatchesTarget, "no batch " + std::to_string(i));
    BOOST_REQUIRE(answer.has_value());
    last = std::to_string(answer->status);
  }
  BOOST_TEST(last == "429");
  BOOST_TEST(said(tree.city, "360121", batch_at(1, 5)) == "429");
  BOOST_TEST(said(tree.city, "360122", sample_batch("360122", 1, 5)) == "applied");
  tree.city.now_ms += 61'000;
  BOOST_TEST(said(tree.city, "360121", batch_at(1, 5)) == "applied");
  BOOST_TEST(tree.city.sums() == "360121=5 360122=5");
  BOOST_TEST(tree.city.receiver->counts().malformed == 20U);
}

BOOST_AUTO_TEST_CASE(the_offset_of_clocks_is_measured_and_told) {
  Tree tree;
  tree.city.now_ms = tree.county.now_ms + 90'000;
  static_cast<void>(tree.county.sender->round());
  BOOST_TEST(tree.county.sender->status().offset_ms.value_or(0) == 90'000);
  tree.county.now_ms += 20'000;
  static_cast<void>(tree.county.sender->round());
  const auto states = tree.city.receiver->states();
  BOOST_REQUIRE(states.size() == 1U);
  BOOST_TEST(states[0].node == "360121");
  BOOST_TEST(states[0].offset_ms.value_or(0) == 90'000);
  BOOST_TEST(states[0].seen_ms == tree.city.now_ms);
}

// No time passes between the two rounds: the second tells what the first has found out.
BOOST_AUTO_TEST_CASE(a_clock_offset_is_told_as_soon_as_it_is_known) {
  Tree tree;
  tree.city.now_ms = tree.county.now_ms - 7'000;
  static_cast<void>(tree.county.sender->round());
  BOOST_TEST(!tree.city.receiver->states().at(0).offset_ms.has_value());
  static_cast<void>(tree.county.sender->round());
  BOOST_TEST(tree.city.receiver->states().at(0).offset_ms.value_or(0) == -7'000);
  const auto requests = tree.city.receiver->counts().requests;
  static_cast<void>(tree.county.sender->round());
  BOOST_TEST(tree.city.receiver->counts().requests == requests);
}

BOOST_AUTO_TEST_CASE(a_parent_that_starts_again_knows_when_it_heard_whom) {
  Tree tree;
  tree.county.report(batch_at(3, 5));
  tree.county.drain();
  tree.county.drain();
  const auto before = tree.city.receiver->states();
  BOOST_REQUIRE(before.size() == 1U);
  BOOST_TEST(before[0].newest_minute == batch_at(3, 5).minute);
  const auto heard = tree.city.now_ms;
  tree.city.now_ms += 600'000;
  tree.city.start();
  BOOST_TEST((tree.city.receiver->states() == before));
  BOOST_TEST(tree.city.receiver->states().at(0).seen_ms == heard);
  // What is no such file is as if there were none.
  const auto file = tree.directory.path / "states.json";
  for (const char* const text :
       {"", "{", "[]", R"({"schema":"x","nodes":[]})",
        R"({"schema":"meiguan.uplink-states/v1","nodes":7})",
        R"({"schema":"meiguan.uplink-states/v1","nodes":[7,{"node":8}]})"}) {
    std::ofstream{file} << text;
    BOOST_TEST(load_states(file).empty(), text);
  }
}

// By a real thread and a real clock: never faster than the cap, denials first, in groups of a
// second's bytes at most, which is what a denial waits.
BOOST_AUTO_TEST_CASE(a_cap_holds_and_denials_go_ahead_of_bulk) {
  Tree tree;
  constexpr std::uint64_t kCap = 4'000;
  tree.county.bytes_per_second = kCap;
  tree.county.group_bytes = 1 << 20;
  tree.county.start();
  struct Sent {
    std::chrono::steady_clock::time_point at;
    std::size_t bytes;
  };
  std::mutex mutex;
  std::condition_variable heard;
  std::vector<Sent> sent;
  std::vector<std::uint8_t> streams;
  tree.county.wire = [&](std::string_view target, std::string_view body) {
    if (target == kBatchesTarget) {
      const std::lock_guard lock{mutex};
      sent.push_back({std::chrono::steady_clock::now(), body.size()});
      for (std::string_view rest = body; !rest.empty();) {
        const auto record = take_record(rest);
        if (!record) break;
        streams.push_back(record->header.stream);
      }
    }
    auto answer = tree.city.ask("360121", target, body);
    heard.notify_all();
    return answer;
  };
  std::size_t bytes = 0;
  constexpr std::uint64_t kEach = 40;
  for (std::uint64_t i = 1; i <= kEach; ++i) {
    const auto stream = i % 2 == 0 ? store::Stream::kDenied : store::Stream::kBulk;
    const auto batch = batch_at((i + 1) / 2, 1, stream);
    bytes += packed(batch).size();
    tree.county.report(batch);
  }
  tree.county.sender->start([] {});
  {
    std::unique_lock lock{mutex};
    BOOST_REQUIRE(
        heard.wait_for(lock, std::chrono::seconds{60}, [&] { return streams.size() == kEach; }));
  }
  tree.county.sender.reset();
  BOOST_TEST(std::ranges::is_sorted(streams, std::ranges::greater{}));
  BOOST_REQUIRE(sent.size() > 1U);
  for (std::size_t i = 0; i + 1 < sent.size(); ++i) {
    BOOST_TEST(sent[i].bytes <= kCap);
    const auto passed = std::chrono::duration<double>(sent[i + 1].at - sent[i].at).count();
    BOOST_TEST(static_cast<double>(sent[i].bytes) <= passed * kCap + kCap / 1000.0);
  }
  BOOST_TEST(bytes > kCap);
  BOOST_TEST(tree.city.sums() == "360121=40");
}

BOOST_AUTO_TEST_CASE(answers_that_are_none_lose_nothing) {
  const char* const kAnswers[] = {
      "",
      "{",
      "[]",
      "{}",
      R"({"schema":"meiguan.uplink/v1"})",
      R"({"schema":"meiguan.uplink/v1","results":[]})",
      R"({"schema":"meiguan.uplink/v1","results":[{"is":"gap","expects":-1}]})",
      R"({"schema":"meiguan.uplink/v1","results":[{"is":"gap","expects":99}]})",
      R"({"schema":"meiguan.uplink/v1","results":[{"is":7}]})",
      R"({"schema":"meiguan.uplink/v1","received_ms":9223372036854775807,"sent_ms":-1,"results":[1]})"};
  Tree tree;
  tree.county.report(batch_at(1, 5));
  for (const char* const text : kAnswers) {
    tree.county.wire = [&](std::string_view, std::string_view) -> Result<web::Answer> {
      return web::Answer{200, "application/json", text};
    };
    static_cast<void>(tree.county.sender->round());
    static_cast<void>(tree.county.sender->round());
    BOOST_TEST(tree.county.spool->status().batches == 1U, text);
  }
  tree.county.connect(tree.city);
  tree.county.drain();
  BOOST_TEST(tree.city.sums() == "360121=5");
}

}  // namespace
}  // namespace meiguan::uplink
