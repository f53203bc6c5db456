#include "controlplane/policy/suggest.h"

#include <array>
#include <boost/test/unit_test.hpp>
#include <string>
#include <vector>

namespace meiguan::policy {
namespace {

struct DistanceCase {
  std::string_view a;
  std::string_view b;
  std::size_t want;
};

BOOST_AUTO_TEST_CASE(distances) {
  constexpr std::array kCases{
      DistanceCase{"", "", 0},
      DistanceCase{"rule", "rule", 0},
      DistanceCase{"rule", "rules", 1},
      DistanceCase{"form", "from", 1},
      DistanceCase{"budgte", "budget", 1},
      DistanceCase{"abc", "", 3},
      DistanceCase{"czj-360121", "czj-360112", 1},
      DistanceCase{"kitten", "sitting", 3},
      DistanceCase{"abcdef", "ghijkl", 5},  // beyond the limit
  };
  for (const DistanceCase& c : kCases) {
    BOOST_TEST(edit_distance(c.a, c.b, 4) == c.want, c.a << " " << c.b);
    BOOST_TEST(edit_distance(c.b, c.a, 4) == c.want, c.b << " " << c.a);
  }
  const std::string huge(10'000, 'a');
  BOOST_TEST(edit_distance(huge, huge, 2) == 3U);
}

BOOST_AUTO_TEST_CASE(hints) {
  constexpr std::array<std::string_view, 4> kKnown{"from", "to", "ports", "except_from"};
  BOOST_TEST(near_hint("form", kKnown).english == "did you mean `from`?");
  BOOST_TEST(near_hint("port", kKnown).chinese == "是否想写 `ports`？");
  BOOST_TEST(near_hint("description", kKnown).english.empty());
  BOOST_TEST(near_hint("", kKnown).english.empty());
}

}  // namespace
}  // namespace meiguan::policy
