#include "controlplane/report/port_block_book.h"

#include <boost/test/unit_test.hpp>

namespace meiguan::report {
namespace {

using fastpath::EventKind;

fastpath::Event event(EventKind kind, std::uint32_t inside, std::uint32_t outside,
                      std::uint16_t first) {
  fastpath::Event e;
  e.kind = kind;
  e.source = net::Address::v4(inside);
  e.destination = net::Address::v4(outside);
  e.source_port = first;
  e.destination_port = static_cast<std::uint16_t>(first + 511);
  return e;
}
WallTime at(int seconds) { return WallTime{std::chrono::seconds{1'000'000 + seconds}}; }

BOOST_AUTO_TEST_CASE(a_block_is_held_from_its_taking_to_its_return) {
  PortBlockBook book;
  book.take(event(EventKind::kBlockTaken, 1, 9, 1024), at(1));
  book.take(event(EventKind::kBlockTaken, 2, 9, 2048), at(2));
  book.take(event(EventKind::kBlockReturned, 1, 9, 1024), at(3));
  const auto list = book.list();
  BOOST_REQUIRE(list.size() == 2U);
  BOOST_TEST((list[0].inside == net::Address::v4(2) && list[0].taken == at(2)));
  BOOST_TEST(!list[0].returned.has_value());
  BOOST_TEST((list[1].inside == net::Address::v4(1) && list[1].taken == at(1)));
  BOOST_TEST((list[1].returned == at(3)));
}

BOOST_AUTO_TEST_CASE(lost_events_leave_no_two_holders) {
  PortBlockBook book;
  book.take(event(EventKind::kBlockReturned, 7, 9, 4096), at(0));  // taken before anybody looked
  book.take(event(EventKind::kBlockTaken, 1, 9, 1024), at(1));
  book.take(event(EventKind::kBlockTaken, 2, 9, 1024), at(5));  // the return of 1 was lost
  const auto list = book.list();
  BOOST_REQUIRE(list.size() == 3U);
  BOOST_TEST((list[0].inside == net::Address::v4(2) && !list[0].returned));
  BOOST_TEST((list[1].inside == net::Address::v4(1) && list[1].returned == at(5)));
  BOOST_TEST((list[2].inside == net::Address::v4(7) && !list[2].taken));
}

BOOST_AUTO_TEST_CASE(whom_a_block_concerns) {
  PortBlockBook book;
  book.take(event(EventKind::kBlockTaken, 1, 9, 1024), at(1));
  const auto block = book.list().front();
  const struct {
    std::uint32_t address;
    std::optional<std::uint16_t> port;
    bool want;
  } cases[]{{1, {}, true},   {1, 1024, false}, {9, {}, true},    {9, 1024, true},
            {9, 1535, true}, {9, 1536, false}, {9, 1023, false}, {2, {}, false}};
  for (const auto& c : cases) {
    BOOST_TEST(block.concerns(net::Address::v4(c.address), c.port) == c.want,
               c.address << " " << (c.port ? *c.port : 0));
  }
}

BOOST_AUTO_TEST_CASE(of_those_returned_the_oldest_are_forgotten) {
  PortBlockBook book;
  for (std::uint32_t i = 0; i < PortBlockBook::kReturnedKept + 3; ++i) {
    book.take(event(EventKind::kBlockTaken, i, 9, 1024), at(static_cast<int>(i)));
  }
  BOOST_TEST(book.list().size() == PortBlockBook::kReturnedKept + 1);
  BOOST_TEST(book.forgotten() == 2U);
}

BOOST_AUTO_TEST_CASE(another_data_plane_holds_none_of_the_old_blocks) {
  PortBlockBook book;
  book.take(event(EventKind::kBlockTaken, 1, 9, 1024), at(1));
  book.end_all(at(2));
  const auto list = book.list();
  BOOST_REQUIRE(list.size() == 1U);
  BOOST_TEST((list[0].taken == at(1) && list[0].returned == at(2)));
}

}  // namespace
}  // namespace meiguan::report
