#include "controlplane/report/attack_book.h"

#include <boost/test/unit_test.hpp>

namespace meiguan::report {
namespace {

using fastpath::AttackType;

fastpath::Event event(AttackType type, std::uint32_t source, std::uint32_t target,
                      std::uint64_t packets = 1000, std::uint64_t distinct = 0) {
  fastpath::Event e;
  e.kind = fastpath::EventKind::kAttack;
  e.attack = type;
  e.source = net::Address::v4(source);
  e.destination = net::Address::v4(target);
  e.packets = packets;
  e.reply_packets = distinct;
  return e;
}
WallTime at(int seconds) { return WallTime{std::chrono::seconds{1'000'000 + seconds}}; }

BOOST_AUTO_TEST_CASE(what_belongs_together_is_one_attack) {
  AttackBook book;
  for (std::uint32_t i = 0; i < 5; ++i) {
    book.take(event(AttackType::kSynFlood, i, 1), at(static_cast<int>(i)));
  }
  auto list = book.list();
  BOOST_REQUIRE(list.size() == 1U);
  BOOST_TEST(list[0].packets == 5000U);
  BOOST_TEST((list[0].first == at(0) && list[0].last == at(4)));
  BOOST_TEST((list[0].source == net::Address::v4(4)));
  BOOST_TEST(list[0].goes_on(at(14)));
  BOOST_TEST(!list[0].goes_on(at(15)));

  // Another target, another kind, another space, and the same one again after a pause.
  book.take(event(AttackType::kSynFlood, 9, 2), at(5));
  book.take(event(AttackType::kUdpFlood, 9, 1), at(5));
  auto elsewhere = event(AttackType::kSynFlood, 9, 1);
  elsewhere.space = SpaceId{3};
  book.take(elsewhere, at(5));
  book.take(event(AttackType::kSynFlood, 9, 1), at(60));
  list = book.list();
  BOOST_REQUIRE(list.size() == 5U);
  BOOST_TEST((list[0].last == at(60) && list[0].first == at(60)));
  BOOST_TEST(list[0].packets == 1000U);
}

BOOST_AUTO_TEST_CASE(a_scan_is_known_by_its_source) {
  AttackBook book;
  book.take(event(AttackType::kHorizontalScan, 7, 1, 200, 200), at(0));
  book.take(event(AttackType::kHorizontalScan, 7, 2, 100, 300), at(60));
  book.take(event(AttackType::kHorizontalScan, 8, 2, 100, 100), at(60));
  book.take(event(AttackType::kVerticalScan, 7, 2, 100, 100), at(60));
  const auto list = book.list();
  BOOST_REQUIRE(list.size() == 3U);
  const auto& scan = *std::ranges::find_if(list, [](const Attack& attack) {
    return attack.type == AttackType::kHorizontalScan && attack.source == net::Address::v4(7);
  });
  BOOST_TEST(scan.packets == 300U);
  BOOST_TEST(scan.distinct == 300U);
  BOOST_TEST((scan.destination == net::Address::v4(2)));
}

// However many there are, and whatever a ring says, memory stays what it is.
BOOST_AUTO_TEST_CASE(the_book_is_bounded) {
  AttackBook book;
  book.take(event(static_cast<AttackType>(77), 1, 1), at(0));
  BOOST_TEST(book.list().empty());
  for (std::uint32_t i = 0; i < 3000; ++i) book.take(event(AttackType::kSynFlood, 1, i), at(1));
  BOOST_TEST(book.list().size() == AttackBook::kKept);
  BOOST_TEST(book.forgotten() == 3000 - AttackBook::kKept);
}

}  // namespace
}  // namespace meiguan::report
