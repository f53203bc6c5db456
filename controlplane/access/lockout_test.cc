#include "controlplane/access/lockout.h"

#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <fstream>
#include <iterator>

namespace meiguan::access {
namespace {

namespace fs = std::filesystem;
using lifecycle::Instant;

// `seconds` after both clocks began.
Instant at(std::int64_t seconds) { return {1'800'000'000 + seconds, seconds * 1000}; }

struct File {
  File() : path{fs::temp_directory_path() / ("meiguan-lockout-" + std::to_string(::getpid()))} {}
  ~File() { fs::remove(path); }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  fs::path path;
};

BOOST_AUTO_TEST_SUITE(lockout)

BOOST_AUTO_TEST_CASE(too_many_refusals_lock_out) {
  Lockout lockout{3, 10};
  BOOST_TEST(!lockout.refused(1, at(100)));
  BOOST_TEST(!lockout.refused(1, at(101)));
  BOOST_TEST(!lockout.refused(2, at(101)));
  BOOST_TEST(lockout.seconds_left(1, at(101)) == 0);
  BOOST_TEST(lockout.refused(1, at(102)));
  BOOST_TEST(lockout.seconds_left(1, at(102)) == 600);
  BOOST_TEST(lockout.seconds_left(1, at(701)) == 1);
  BOOST_TEST(lockout.seconds_left(1, at(702)) == 0);
  BOOST_TEST(lockout.seconds_left(2, at(102)) == 0);
  BOOST_TEST(!lockout.refused(1, at(1000)), "after a lock the count begins anew");
}

BOOST_AUTO_TEST_CASE(refusals_count_within_any_span) {
  const struct {
    const char* name;
    std::vector<std::int64_t> seconds;
    bool locks;  // with the last of them, and not before
  } kCases[] = {
      {"at once", {100, 100, 100}, true},
      {"within ten minutes", {100, 400, 699}, true},
      {"the third a little late", {100, 400, 700}, false},
      {"the later three of four", {100, 400, 700, 999}, true},
      {"around the end of a span that began with the first", {100, 690, 710, 720}, true},
      {"one every nine minutes", {100, 640, 1180, 1720, 2260, 2800}, false},
      {"two, a long time, two", {100, 101, 1000, 1001}, false},
  };
  for (const auto& c : kCases) {
    Lockout lockout{3, 10};
    for (std::size_t i = 0; i < c.seconds.size(); ++i) {
      const bool is_last = i + 1 == c.seconds.size();
      BOOST_TEST(lockout.refused(1, at(c.seconds[i])) == (is_last && c.locks), c.name << ' ' << i);
    }
  }
  Lockout lockout{1, 10};
  BOOST_TEST(lockout.refused(1, at(100)));
  BOOST_TEST(lockout.refused(1, at(160)), "asked by two at once: it stays locked");
  BOOST_TEST(lockout.seconds_left(1, at(160)) == 540);
}

BOOST_AUTO_TEST_CASE(a_restart_lifts_nothing) {
  const File file;
  {
    Lockout lockout{3, 10, file.path, "boot"};
    for (int i = 0; i < 3; ++i) lockout.refused(1, at(100));
    for (int i = 0; i < 2; ++i) lockout.refused(2, at(100));
    BOOST_TEST(lockout.problem().english == "");
  }
  const struct {
    const char* name;
    const char* boot;
    Instant now;
    std::int64_t left;
  } kCases[] = {
      {"another program", "boot", at(160), 540},
      {"the wall's clock jumped forward",
       "boot",
       {at(90'000).wall, at(160).boot_milliseconds},
       540},
      {"the wall's clock jumped back", "boot", {at(-90'000).wall, at(160).boot_milliseconds}, 540},
      {"another run of the machine", "other", {at(160).wall, 5000}, 540},
      {"one that does not know the time", "other", {0, 5000}, 600},
      {"over", "boot", at(700), 0},
      {"over in another run of the machine", "other", {at(700).wall, 5000}, 0},
  };
  for (const auto& c : kCases) {
    Lockout lockout{3, 10, file.path, c.boot};
    BOOST_TEST(lockout.seconds_left(1, c.now) == c.left, c.name);
    BOOST_TEST(lockout.seconds_left(2, c.now) == 0, c.name);
  }
  Lockout lockout{3, 10, file.path, "boot"};
  BOOST_TEST(lockout.refused(2, at(160)), "what was counted before counts");
  BOOST_TEST((Lockout{3, 10, file.path, "boot"}.seconds_left(2, at(161))) == 599);
}

BOOST_AUTO_TEST_CASE(what_is_damaged_is_told) {
  const File file;
  {
    Lockout lockout{1, 10, file.path, "boot"};
    lockout.refused(1, at(100));
  }
  std::ifstream in{file.path};
  const std::string good{std::istreambuf_iterator<char>{in}, {}};
  for (const auto& bad : {std::string{}, good.substr(1), good.substr(0, good.size() - 1),
                          good + good, std::string{"meiguan-lockouts 2\n"}, good + "x"}) {
    std::ofstream{file.path, std::ios::trunc} << bad;
    Lockout lockout{1, 10, file.path, "boot"};
    BOOST_TEST(lockout.problem().english.find("damaged") != std::string::npos, bad);
    BOOST_TEST(lockout.seconds_left(1, at(100)) == 0, bad);
  }
  Lockout nowhere{1, 10, "/proc/no/such/place", "boot"};
  BOOST_TEST(nowhere.refused(1, at(100)));
  BOOST_TEST(nowhere.seconds_left(1, at(100)) == 600, "in force all the same");
  BOOST_TEST(!nowhere.problem().english.empty());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace meiguan::access
