#include "controlplane/access/approvals.h"

#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <fstream>
#include <iterator>

#include "controlplane/lifecycle/digest.h"

namespace meiguan::access {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kNow = 1'800'000'000;
constexpr uid_t kOne = 7;
constexpr uid_t kOther = 8;
const std::string kContent = lifecycle::sha256_hex("content");

struct File {
  File()
      : directory{fs::temp_directory_path() / ("meiguan-approvals-" + std::to_string(::getpid()))},
        path{directory / "approvals"} {}
  ~File() { fs::remove_all(directory); }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  fs::path directory;
  fs::path path;
};

BOOST_AUTO_TEST_SUITE(approvals)

BOOST_AUTO_TEST_CASE(another_person_approves_for_a_day_and_one_change) {
  Approvals approvals{{}};
  BOOST_TEST(!approvals.has(kContent, kOne, kNow));
  BOOST_TEST(approvals.add(kContent, kOne, kNow).has_value());
  BOOST_TEST(!approvals.has(kContent, kOne, kNow), "one's own word");
  BOOST_TEST(approvals.has(kContent, kOther, kNow));
  BOOST_TEST(!approvals.has(lifecycle::sha256_hex("other"), kOther, kNow));
  BOOST_TEST(approvals.has(kContent, kOther, kNow + 86'399));
  BOOST_TEST(!approvals.has(kContent, kOther, kNow + 86'400), "a day later");
  BOOST_TEST(approvals.add(kContent, kOne, kNow).has_value());
  BOOST_TEST(!approvals.has(kContent, kOther, kNow - 2), "by a clock that was set back");
  BOOST_TEST(approvals.add(kContent, kOne, kNow).has_value());
  BOOST_TEST(approvals.use(kContent).has_value());
  BOOST_TEST(!approvals.has(kContent, kOther, kNow), "used");
}

BOOST_AUTO_TEST_CASE(approvals_outlast_the_program) {
  const File file;
  {
    Approvals approvals{file.path};
    BOOST_TEST(approvals.add(kContent, kOne, kNow).has_value());
  }
  BOOST_TEST(Approvals{file.path}.has(kContent, kOther, kNow + 1));
  BOOST_TEST(!Approvals{file.path}.has(kContent, kOne, kNow + 1));
  BOOST_TEST(Approvals{file.path}.use(kContent).has_value());
  BOOST_TEST(!Approvals{file.path}.has(kContent, kOther, kNow + 1), "used, for ever");

  BOOST_TEST(Approvals{file.path}.add(kContent, kOne, kNow).has_value());
  std::ifstream in{file.path};
  std::string text{std::istreambuf_iterator<char>{in}, {}};
  text.replace(text.find("\n7 ") + 1, 1, "9");
  std::ofstream{file.path, std::ios::trunc} << text;
  Approvals damaged{file.path};
  BOOST_TEST(!damaged.has(kContent, kOther, kNow), "what was changed by hand approves of nothing");
  BOOST_TEST(!damaged.problem().english.empty());
}

BOOST_AUTO_TEST_CASE(what_is_no_approval) {
  Approvals approvals{{}};
  for (const char* const bad : {"", "0", "content"}) {
    BOOST_TEST(!approvals.add(bad, kOne, kNow).has_value(), bad);
  }
  for (int i = 0; i < 100; ++i) {
    BOOST_TEST(approvals.add(lifecycle::sha256_hex(std::to_string(i)), kOne, kNow).has_value());
  }
  BOOST_TEST(!approvals.add(kContent, kOne, kNow).has_value(), "one user's are so many at most");
  BOOST_TEST(approvals.add(kContent, kOther, kNow).has_value(), "which is no limit for another");
  BOOST_TEST(approvals.add(kContent, kOne, kNow + 86'400).has_value(), "when the others are over");
  Approvals nowhere{"/proc/no/such/place"};
  BOOST_TEST(!nowhere.add(kContent, kOne, kNow).has_value());
  BOOST_TEST(!nowhere.has(kContent, kOther, kNow), "what could not be kept is no approval");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace meiguan::access
