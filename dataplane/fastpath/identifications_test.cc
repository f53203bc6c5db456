#include "dataplane/fastpath/identifications.h"

#include <boost/test/unit_test.hpp>
#include <set>

namespace meiguan::fastpath {
namespace {

std::uint16_t number_for(Identifications& numbers, std::uint8_t destination) {
  return numbers.next({203, 0, 113, 33}, {198, 51, 100, destination}, 17).host();
}

BOOST_AUTO_TEST_CASE(none_comes_again_before_all_others_did) {
  for (const std::uint32_t workers : {1U, 2U, 3U, 64U}) {
    std::set<std::uint16_t> seen;
    const std::uint32_t each = 0x10000 / workers;
    for (std::uint32_t worker = 0; worker < workers; ++worker) {
      Identifications numbers{HashSeed::from(5), worker, workers};
      for (std::uint32_t i = 0; i < each; ++i) seen.insert(number_for(numbers, 7));
    }
    BOOST_TEST(seen.size() == each * workers, workers << " workers");
  }
}

BOOST_AUTO_TEST_CASE(where_it_begins_cannot_be_foreseen) {
  std::set<std::uint16_t> seen;
  for (std::uint64_t start = 1; start <= 64; ++start) {
    Identifications numbers{HashSeed::from(start), 0, 1};
    seen.insert(number_for(numbers, 7));
  }
  BOOST_TEST(seen.size() > 60U);
  // Nor does one destination tell of another.
  Identifications numbers{HashSeed::from(5), 0, 1};
  const std::uint16_t one = number_for(numbers, 7);
  for (std::uint8_t other = 8; other < 40; ++other) (void)number_for(numbers, other);
  const std::uint16_t next = number_for(numbers, 7);
  BOOST_TEST(static_cast<std::uint16_t>(next - one) <= 2U);
}

}  // namespace
}  // namespace meiguan::fastpath
