#include "dataplane/net/reader.h"

#include <boost/test/unit_test.hpp>

#include <array>

namespace meiguan::net {
namespace {

constexpr std::array<std::uint8_t, 8> kBytes{1, 2, 3, 4, 5, 6, 7, 8};

BOOST_AUTO_TEST_CASE(reads_what_is_there_and_no_more) {
  Reader reader{kBytes};
  std::array<std::uint8_t, 3> three{};
  std::array<std::uint8_t, 6> six{};
  BOOST_TEST(reader.read(three));
  BOOST_TEST(three[2] == 3);
  BOOST_TEST(!reader.read(six));  // and nothing has moved
  BOOST_TEST(reader.left() == 5U);
  BOOST_TEST(reader.peek(three));
  BOOST_TEST(three[0] == 4);
  BOOST_TEST(reader.left() == 5U);
  BOOST_TEST(reader.skip(5));
  BOOST_TEST(reader.empty());
  BOOST_TEST(!reader.skip(1));
  BOOST_TEST(reader.skip(0));
}

BOOST_AUTO_TEST_CASE(parts_end_where_they_were_cut) {
  Reader reader{kBytes};
  Reader part{{}};
  BOOST_TEST(reader.split(3, part));
  BOOST_TEST(part.left() == 3U);
  BOOST_TEST(reader.left() == 5U);
  BOOST_TEST(!reader.split(6, part));
  BOOST_TEST(!reader.limit(6));
  BOOST_TEST(reader.limit(2));
  BOOST_TEST(reader.left() == 2U);
  BOOST_TEST(reader.rest()[1] == 5);
  BOOST_TEST(!part.skip(4));
}

}  // namespace
}  // namespace meiguan::net
