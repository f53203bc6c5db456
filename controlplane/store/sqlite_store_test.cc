#define BOOST_TEST_MODULE store
#include <sys/resource.h>

#include <boost/test/unit_test.hpp>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <limits>

#include "controlplane/store/plan.h"
#include "controlplane/store/sqlite.h"
#include "controlplane/store/store_fixture.h"

namespace meiguan::store {
namespace {

namespace fs = std::filesystem;

class Directory {
 public:
  Directory() {
    std::string name = (fs::temp_directory_path() / "meiguan-store-XXXXXX").string();
    BOOST_REQUIRE(::mkdtemp(name.data()) != nullptr);
    path = name;
  }
  ~Directory() { fs::remove_all(path); }
  fs::path path;
};

std::unique_ptr<Store> open(const Directory& directory) {
  auto store = open_sqlite(directory.path / "store", test_options());
  BOOST_REQUIRE(store.has_value());
  return std::move(*store);
}

BOOST_AUTO_TEST_CASE(sqlite_does_what_a_store_does) {
  for (const auto& check : store_checks()) {
    BOOST_TEST_CONTEXT(check.name) {
      const Directory directory;
      check.run(*open(directory));
    }
  }
}

BOOST_AUTO_TEST_CASE(what_was_stored_lasts) {
  const Directory directory;
  BOOST_TEST((
      open(directory)->append(test_batch("360121", 1, kTestDay, {test_row("czj", "allowed", 1)})) ==
      Applied::kNow));
  auto again = open(directory);
  BOOST_TEST((again->append(test_batch("360121", 1, kTestDay, {})) == Applied::kBefore));
  BOOST_TEST((again->append(test_batch("360121", 2, kTestDay, {test_row("czj", "allowed", 1)})) ==
              Applied::kNow));
  BOOST_TEST(test_sums(*again, Dimension::kUnit) == "czj=2");
}

// As if the machine had stopped behind some files: they keep what they have, the others get it.
BOOST_AUTO_TEST_CASE(a_batch_that_was_applied_in_part_counts_once) {
  const Directory directory;
  const auto batch = test_batch("360121", 1, kTestDay, {test_row("czj", "allowed", 1)});
  BOOST_TEST((open(directory)->append(batch) == Applied::kNow));
  for (const char* const gone : {"1h-", "meta"}) {
    for (const auto& entry : fs::directory_iterator{directory.path / "store"}) {
      if (entry.path().filename().string().starts_with(gone)) fs::remove(entry.path());
    }
  }
  auto store = open(directory);
  BOOST_TEST((store->append(batch) == Applied::kNow));
  for (const std::int64_t step : {kMinute, 5 * kMinute, kHour, kDay}) {
    BOOST_TEST(test_sums(*store, Dimension::kUnit, {}, kTestDay, kTestDay + kDay, step) ==
                   "0:czj=1",
               step);
  }
}

BOOST_AUTO_TEST_CASE(a_store_of_before_answers_from_its_days) {
  const Directory directory;
  fill_days(*open(directory), 0, 60);
  for (const auto& entry : fs::directory_iterator{directory.path / "store"}) {
    if (entry.path().filename().string().starts_with("16d-")) fs::remove(entry.path());
  }
  {
    auto meta = Connection::open(directory.path / "store/meta.db", Connection::Mode::kWrite);
    BOOST_REQUIRE(meta.has_value());
    BOOST_REQUIRE(meta->execute("DROP TABLE longest"));
  }
  days_are_enough(*open(directory));
}

// "1d 3, 16d 4": how many rows of what a question without steps reads.
std::string plan_text(std::int64_t since, std::int64_t until, std::int64_t longest_from) {
  Query query;
  query.since = kTestDay + since;
  query.until = kTestDay + until;
  query.now = query.until;
  Options options = test_options();
  options.retention.fill(1000 * kDay);
  std::string text;
  for (const auto& part : plan_of(query, options, longest_from).parts) {
    const auto& resolution = kResolution[part.resolution];
    if (!text.empty()) text += ", ";
    text += std::string{resolution.name} + " " +
            std::to_string((part.until - part.since) / resolution.step);
  }
  return text;
}

BOOST_AUTO_TEST_CASE(a_long_time_is_read_as_few_rows) {
  const auto block = bucket_of(kTestDay, 16 * kDay, test_options().offset) - kTestDay + 16 * kDay;
  struct Case {
    const char* name;
    std::int64_t since, until, longest_from;
    const char* want;
  };
  const auto always = std::numeric_limits<std::int64_t>::min();
  const Case kCases[] = {
      {"a year", block - 3 * kDay, block + 362 * kDay, always, "1d 3, 16d 22, 1d 10"},
      {"a day short of a block", block, block + 15 * kDay, always, "1d 15"},
      {"a block and an hour", block - kHour, block + 16 * kDay, always, "1h 1, 16d 1"},
      {"before there were such rows", block, block + 40 * kDay, kTestDay + block + 17 * kDay,
       "1d 40"},
      {"since there are", block, block + 40 * kDay, kTestDay + block + 16 * kDay,
       "1d 16, 16d 1, 1d 8"},
  };
  for (const auto& test : kCases) {
    BOOST_TEST(plan_text(test.since, test.until, test.longest_from) == test.want, test.name);
  }
}

BOOST_AUTO_TEST_CASE(a_damaged_file_is_set_aside) {
  struct Case {
    const char* name;
    std::size_t at;
    const char* bytes;
  };
  const Case kCases[] = {
      {"no database at all", 0, "this is no database, whatever its name may say"},
      {"a page that is none", 4096, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"},
      {"of another version", 60, "\x01\x02\x03\x04"},
  };
  for (const auto& test : kCases) {
    BOOST_TEST_CONTEXT(test.name) {
      const Directory directory;
      BOOST_TEST(
          (open(directory)->append(test_batch("360121", 1, kTestDay,
                                              {test_row("czj", "allowed", 1)})) == Applied::kNow));
      for (const auto& entry : fs::directory_iterator{directory.path / "store"}) {
        std::fstream file{entry.path(), std::ios::in | std::ios::out | std::ios::binary};
        file.seekp(static_cast<std::streamoff>(test.at));
        file << test.bytes;
      }
      auto store = open(directory);
      BOOST_TEST((store->append(test_batch("360121", 2, kTestDay,
                                           {test_row("czj", "allowed", 1)})) == Applied::kNow));
      BOOST_TEST(store->take_alarms().size() == 6U);
      BOOST_TEST(test_sums(*store, Dimension::kUnit) == "czj=1");
    }
  }
}

// A file may not grow beyond what it has: as on a full disk, only that writing is no signal.
BOOST_AUTO_TEST_CASE(a_full_disk_is_told_and_loses_nothing) {
  const Directory directory;
  auto store = open(directory);
  BOOST_TEST((store->append(test_batch("360121", 1, kTestDay, {test_row("czj", "allowed", 1)})) ==
              Applied::kNow));
  std::vector<Row> many;
  for (int i = 0; i < 20'000; ++i) many.push_back(test_row("u" + std::to_string(i), "denied", 1));
  const auto batch = test_batch("360121", 2, kTestDay, std::move(many));
  rlimit before{};
  BOOST_REQUIRE(::getrlimit(RLIMIT_FSIZE, &before) == 0);
  std::signal(SIGXFSZ, SIG_IGN);
  rlimit small = before;
  small.rlim_cur = 1 << 18;
  BOOST_REQUIRE(::setrlimit(RLIMIT_FSIZE, &small) == 0);
  const auto refused = store->append(batch);
  BOOST_REQUIRE(::setrlimit(RLIMIT_FSIZE, &before) == 0);
  BOOST_TEST(!refused.has_value());
  BOOST_TEST(test_sums(*store, Dimension::kVerdict) == "forward=1");
  BOOST_TEST((store->append(batch) == Applied::kNow));
  BOOST_TEST(test_sums(*store, Dimension::kVerdict) == "drop=20000 forward=1");
  BOOST_TEST(store->take_alarms().empty());
}

}  // namespace
}  // namespace meiguan::store
