// When records are old enough to go: by the wall's clock, and by the log's own.

#include "controlplane/audit/lived.h"

#include <boost/test/unit_test.hpp>

#include "controlplane/audit/test_place.h"

namespace meiguan::audit {
namespace {

BOOST_AUTO_TEST_CASE(what_is_old_goes_only_where_room_is_needed) {
  constexpr std::int64_t kDay = 86'400'000;
  const struct {
    const char* name;
    std::int64_t wall_days;
    std::int64_t steady_days;
    std::uint64_t total_bytes;
    bool goes;
  } kCases[] = {{"young, no room", 100, 100, 0, false},
                {"old, room enough", 500, 500, std::uint64_t{1} << 30, false},
                {"old, no room", 500, 500, 0, true},
                {"the wall's clock jumped forward", 500, 1, 0, false},
                {"the wall's clock jumped forward in a year", 5000, 399, 0, false},
                {"the wall's clock jumped back", -5000, 500, 0, false}};
  for (const auto& c : kCases) {
    Place place;
    place.settings.file_bytes = 1500;
    place.settings.total_bytes = c.total_bytes;
    const auto log = place.log();
    const auto write = [&] {
      for (int i = 0; i < 20; ++i) {
        BOOST_REQUIRE(log->append({"wang", 1001, "security", "apply", "done", {{"number", i}}}));
      }
    };
    write();
    BOOST_REQUIRE(fs::exists(place.file(1)));
    place.now += c.wall_days * kDay;
    place.steady += c.steady_days * kDay;
    write();
    BOOST_TEST(!fs::exists(place.file(1)) == c.goes, c.name);
    BOOST_TEST(place.verdict().flaws.empty(), c.name);
  }
}

// What lies between two runs counts by the wall's clock, but a day at most: only a log that was
// really kept for so long loses its oldest file.
BOOST_AUTO_TEST_CASE(restarts_make_nothing_old_and_forget_nothing) {
  constexpr std::int64_t kDay = 86'400'000;
  const struct {
    const char* name;
    int runs;
    std::int64_t wall_days;    // between two runs
    std::int64_t steady_days;  // in each
    bool goes;
  } kCases[] = {{"a jump while nothing runs", 1, 5000, 0, false},
                {"many jumps", 20, 5000, 0, false},
                {"a log of many runs", 25, 1, 7, true},
                {"of few", 20, 1, 7, false},
                {"the wall's clock goes back each time", 25, -9, 7, false}};
  for (const auto& c : kCases) {
    Place place;
    place.key = crypto::PrivateKey::generate(crypto::KeyKind::kEd25519).value();
    place.settings.file_bytes = 4000;
    place.settings.total_bytes = 0;
    place.settings.keep_days = kLeastDays;
    place.write(20);
    BOOST_REQUIRE(fs::exists(place.file(2)));
    for (int run = 0; run < c.runs; ++run) {
      place.now += c.wall_days * kDay;
      const auto log = place.log();
      place.steady += c.steady_days * kDay;
      place.now += c.steady_days * kDay;
      // Whatever a user says of it.
      const Event claim{"signature", 1001,      "security",
                        "signature", "refused", {{"lived_seconds", 999'999'999'999}}};
      BOOST_REQUIRE(log->append(claim));
      log->sign_now();
      BOOST_REQUIRE(log->append(claim));
    }
    place.write(40);
    BOOST_TEST(!fs::exists(place.file(1)) == c.goes, c.name);
    BOOST_TEST(place.verdict().flaws.empty(), c.name);
    BOOST_TEST(independent(place.directory) == 0, c.name);
  }
}

}  // namespace
}  // namespace meiguan::audit
