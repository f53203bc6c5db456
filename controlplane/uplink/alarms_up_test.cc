#include <boost/test/unit_test.hpp>
#include <random>

#include "controlplane/uplink/test_tree.h"

namespace meiguan::uplink {
namespace {

// Alarms take the same way: however either side dies, every tier has each with its begin, its end
// and what it counted, and one that came back is another.
BOOST_AUTO_TEST_CASE(alarms_are_the_same_at_every_tier_whatever_dies) {
  for (unsigned seed = 1; seed <= 4; ++seed) {
    Tree tree;
    std::mt19937 random{seed};
    auto fault = Fault::kNone;
    tree.break_by(fault);
    for (std::uint64_t i = 1; i <= 40; ++i) {
      std::vector<store::Alarm> alarms;
      for (int k = 0; k < 4; ++k) {
        if (random() % 2 == 0) continue;
        const auto packets = static_cast<std::int64_t>(random() % 100);
        alarms.push_back(sample_alarm("10.0.0." + std::to_string(k), packets));
        alarms.back().since += static_cast<std::int64_t>(i / 10) * 600;
      }
      tree.county.dies_behind_spool = random() % 5 == 0;
      tree.county.report(alarm_batch("360121", i, alarms));
      tree.county.report(batch_at(i, 1));
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
    const auto want = tree.county.alarms();
    BOOST_TEST(want.find("-2407") != std::string::npos, want);  // the last one said so
    BOOST_TEST(tree.city.alarms() == want, seed);
    BOOST_TEST(tree.province.alarms() == want, seed);
    BOOST_TEST(tree.province.sums() == "360121=40", seed);
  }
}

BOOST_AUTO_TEST_CASE(alarms_go_ahead_of_all_and_say_nothing_of_how_far_behind_a_node_is) {
  Tree tree;
  for (std::uint64_t i = 1; i <= 20; ++i) tree.county.report(batch_at(i, 10));
  tree.county.report(batch_at(1, 1, store::Stream::kDenied));
  tree.county.report(alarm_batch("360121", 500, {sample_alarm("10.0.0.1", 5)}));
  tree.county.group_bytes = 1;  // one at a time
  tree.county.start();
  static_cast<void>(tree.county.sender->round());
  BOOST_TEST(tree.city.alarms() == "360121 10.0.0.1=5 0-");
  BOOST_TEST(tree.city.sums() == "");
  BOOST_TEST(tree.city.receiver->states().at(0).newest_minute == 0);
  static_cast<void>(tree.county.sender->round());
  static_cast<void>(tree.county.sender->round());
  BOOST_TEST(tree.city.sums() == "360121=11");
  auto elsewhere = alarm_batch("360122", 1, {sample_alarm("10.0.0.1", 5)});
  BOOST_TEST(said(tree.city, "360121", elsewhere) == "refused");
}

}  // namespace
}  // namespace meiguan::uplink
