#include <boost/test/unit_test.hpp>
#include <optional>
#include <string_view>
#include <vector>

#include "controlplane/policy/instant_text.h"

namespace meiguan::policy {
namespace {

BOOST_AUTO_TEST_SUITE(instant_texts)

const std::vector<image::UtcOffset> kShanghai{{INT64_MIN, 8 * 3600, 0}};

BOOST_AUTO_TEST_CASE(read) {
  struct Case {
    std::string_view text;
    std::optional<std::int64_t> want;
  };
  const Case kCases[] = {
      {"2026-01-05", 1767542400},
      {"2026-01-05T08:30", 1767573000},
      {"2026-01-05 08:30:05", 1767573005},
      {"2026-01-05T08:30:00Z", 1767601800},
      {"2026-01-05T08:30:00+08:00", 1767573000},
      {"2026-01-05T08:30-01:30", 1767607200},
      {"1970-01-01T08:00", 0},
      {"1969-12-31", -115200},
      {"2024-02-29", 1709136000},
      {"2026-02-29", std::nullopt},
      {"2026-13-01", std::nullopt},
      {"2026-1-1", std::nullopt},
      {"2026-01-05T24:00", std::nullopt},
      {"2026-01-05T08", std::nullopt},
      {"2026-01-05T08:30:00+0800", std::nullopt},
      {"2026-01-05T08:30:00Z ", std::nullopt},
      {"2026-01-05T", std::nullopt},
      {"tomorrow", std::nullopt},
      {"", std::nullopt},
  };
  for (const auto& test : kCases) {
    BOOST_TEST_CONTEXT(test.text) {
      BOOST_TEST((parse_instant(kShanghai, test.text) == test.want));
    }
  }
}

BOOST_AUTO_TEST_CASE(written) {
  BOOST_TEST(instant_text(kShanghai, 1767573000) == "2026-01-05T08:30:00+08:00");
  BOOST_TEST(instant_text(kShanghai, -115201) == "1969-12-30T23:59:59+08:00");
  const std::vector<image::UtcOffset> summer{{INT64_MIN, -5400, 0}, {1000, 3600, 0}};
  BOOST_TEST(instant_text(summer, 999) == "1969-12-31T22:46:39-01:30");
  BOOST_TEST(instant_text(summer, 1000) == "1970-01-01T01:16:40+01:00");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace meiguan::policy
