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
  // What is allowed in between, and a long time, begin anew.
  lockout.refused(3, at(100));
  lockout.refused(3, at(100));
  lockout.allowed(3);
  BOOST_TEST(!lockout.refused(3, at(100)));
  BOOST_TEST(!lockout.refused(3, at(100)));
  BOOST_TEST(!lockout.refused(3, at(1000)));
  BOOST_TEST(!lockout.refused(1, at(1000)), "after a lock the count begins anew");
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
  lockout.allowed(2);
  BOOST_TEST((Lockout{3, 10, file.path, "boot"}.seconds_left(2, at(161))) == 0);
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
                          good + good, std::string{"meiguan-lockouts 1\n"}, good + "x"}) {
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
