#include "controlplane/uplink/spool.h"

#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <boost/test/unit_test.hpp>
#include <csignal>
#include <filesystem>
#include <fstream>

#include "controlplane/uplink/test_batches.h"

namespace meiguan::uplink {
namespace {

namespace fs = std::filesystem;

class Directory {
 public:
  Directory() {
    std::string name = (fs::temp_directory_path() / "meiguan-spool-XXXXXX").string();
    BOOST_REQUIRE(::mkdtemp(name.data()) != nullptr);
    path = name;
  }
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;
  ~Directory() { fs::remove_all(path); }
  fs::path path;
};

std::unique_ptr<Spool> open(const Directory& directory, std::uint64_t segment_bytes = 4096,
                            std::uint64_t cap_bytes = 1 << 20) {
  SpoolOptions options;
  options.directory = directory.path;
  options.segment_bytes = segment_bytes;
  options.cap_bytes = cap_bytes;
  auto spool = Spool::open(options);
  BOOST_REQUIRE(spool.has_value());
  return std::move(*spool);
}

std::string record(std::uint64_t sequence, store::Stream stream = store::Stream::kBulk) {
  auto batch = sample_batch("360121", sequence, 1);
  batch.stream = stream;
  return packed(batch);
}

bool append(Spool& spool, const std::vector<std::string>& records) {
  return spool.append(records).has_value();
}

// "d1 1 2": what waits, in the order in which it goes; d for denials, a for alarms.
std::string waiting(const Spool& spool) {
  std::string text;
  for (const auto& entry : spool.next(std::size_t{1} << 30)) {
    std::string_view rest = entry.record;
    const auto one = take_record(rest);
    if (!text.empty()) text += ' ';
    if (!one) {
      text += "damaged";
      continue;
    }
    constexpr std::array<const char*, store::kStreams> kLetters{"", "d", "a", "f"};
    text += kLetters.at(one->header.stream) + std::to_string(one->header.sequence);
  }
  return text;
}

BOOST_AUTO_TEST_CASE(denials_go_first_and_all_lasts_over_a_restart) {
  const Directory directory;
  {
    auto spool = open(directory);
    BOOST_TEST(append(*spool, {record(1), record(2), record(1, store::Stream::kDenied)}));
    BOOST_TEST(append(*spool, {record(3), record(2, store::Stream::kDenied)}));
    BOOST_TEST(waiting(*spool) == "d1 d2 1 2 3");
    BOOST_TEST(spool->next(1).size() == 1U);
    spool->done(spool->next(1)[0]);
    BOOST_TEST(waiting(*spool) == "d2 1 2 3");
  }
  auto again = open(directory);
  BOOST_TEST(waiting(*again) == "d1 d2 1 2 3");  // from the begin of a segment
  for (const auto& entry : again->next(std::size_t{1} << 30)) again->done(entry);
  BOOST_TEST(waiting(*again) == "");
  BOOST_TEST(again->status().bytes == 0U);
  BOOST_TEST(waiting(*open(directory)) == "");
}

BOOST_AUTO_TEST_CASE(a_torn_end_is_cut_off) {
  const Directory directory;
  BOOST_TEST(append(*open(directory), {record(1), record(2)}));
  const auto whole = fs::file_size(directory.path / "bulk-0000000000000001.spool");
  for (std::uintmax_t cut = 1; cut < record(2).size(); cut += 7) {
    const Directory copy;
    fs::copy(directory.path, copy.path, fs::copy_options::recursive);
    fs::resize_file(copy.path / "bulk-0000000000000001.spool", whole - cut);
    auto spool = open(copy);
    BOOST_TEST(waiting(*spool) == "1", cut);
    BOOST_TEST(append(*spool, {record(2)}));
    BOOST_TEST(waiting(*spool) == "1 2", cut);
    BOOST_TEST(waiting(*open(copy)) == "1 2", cut);
  }
}

BOOST_AUTO_TEST_CASE(beyond_the_cap_bulk_goes_first_and_the_oldest_first) {
  const Directory directory;
  const auto size = record(1).size();
  auto spool = open(directory, 2 * size, 8 * size);  // two to a segment
  for (std::uint64_t i = 1; i <= 4; ++i) {
    BOOST_TEST(append(*spool, {record(i), record(i, store::Stream::kDenied)}));
  }
  BOOST_TEST(waiting(*spool) == "d1 d2 d3 d4 1 2 3 4");
  BOOST_TEST(append(*spool, {record(5)}));
  BOOST_TEST(waiting(*spool) == "d1 d2 d3 d4 3 4 5");
  BOOST_TEST(spool->status().dropped == 2U);
  for (std::uint64_t i = 5; i <= 8; ++i) {
    BOOST_TEST(append(*spool, {record(i, store::Stream::kDenied)}));
  }
  BOOST_TEST(waiting(*spool) == "d3 d4 d5 d6 d7 d8 5");
  BOOST_TEST(spool->status().dropped == 6U);
  BOOST_TEST(open(directory, 2 * size, 8 * size)->status().dropped == 6U);
}

BOOST_AUTO_TEST_CASE(alarms_go_first_and_are_dropped_last) {
  const Directory directory;
  const auto alarm = [](std::uint64_t sequence) {
    return packed(alarm_batch("360121", sequence, {}));
  };
  const auto size = std::max(record(1).size(), alarm(1).size());
  auto spool = open(directory, 1, 6 * size);  // one to a segment
  BOOST_TEST(append(*spool, {record(1)}));
  BOOST_TEST(append(*spool, {record(2), alarm(1), record(1, store::Stream::kDenied)}));
  BOOST_TEST(waiting(*spool) == "a1 d1 1 2");
  for (std::uint64_t i = 2; i <= 9; ++i) BOOST_TEST(append(*spool, {alarm(i)}));
  const auto waits = waiting(*spool);
  BOOST_TEST(waits.starts_with("a"));
  BOOST_TEST(waits.ends_with(" a9 d1 2"), waits);  // of each the one that was written last
  BOOST_TEST(waiting(*open(directory, 1, 6 * size)) == waits);
}

BOOST_AUTO_TEST_CASE(flow_records_go_last_and_are_dropped_first) {
  const Directory directory;
  const auto flows = [](std::uint64_t sequence) { return packed(flow_batch("360121", sequence)); };
  const auto size = std::max(record(1).size(), flows(1).size());
  auto spool = open(directory, 1, 5 * size);  // one to a segment
  for (std::uint64_t i = 1; i <= 3; ++i) BOOST_TEST(append(*spool, {flows(i)}));
  BOOST_TEST(append(*spool, {record(1), record(1, store::Stream::kDenied)}));
  BOOST_TEST(waiting(*spool) == "d1 1 f1 f2 f3");
  for (std::uint64_t i = 2; i <= 4; ++i) BOOST_TEST(append(*spool, {record(i)}));
  const auto waits = waiting(*spool);
  BOOST_TEST(waits.ends_with(" 4 f3"), waits);
  BOOST_TEST(spool->status().dropped_flows == 2U);
  BOOST_TEST(spool->status().dropped >= 2U);
  BOOST_TEST(open(directory, 1, 5 * size)->status().dropped_flows == 2U);
}

// A file may not grow: as on a full disk, only that writing is no signal.
BOOST_AUTO_TEST_CASE(a_full_disk_is_told_and_nothing_is_there_by_half) {
  const Directory directory;
  auto spool = open(directory, 1 << 20);
  BOOST_TEST(append(*spool, {record(1), record(1, store::Stream::kDenied)}));
  std::vector<std::string> many{record(2, store::Stream::kDenied)};
  for (std::uint64_t i = 2; i < 40; ++i) many.push_back(record(i));
  rlimit before{};
  BOOST_REQUIRE(::getrlimit(RLIMIT_FSIZE, &before) == 0);
  std::signal(SIGXFSZ, SIG_IGN);
  rlimit small = before;
  small.rlim_cur = 1024;
  BOOST_REQUIRE(::setrlimit(RLIMIT_FSIZE, &small) == 0);
  const bool taken = append(*spool, many);
  BOOST_REQUIRE(::setrlimit(RLIMIT_FSIZE, &before) == 0);
  BOOST_TEST(!taken);
  BOOST_TEST(waiting(*spool) == "d1 1");
  BOOST_TEST(waiting(*open(directory)) == "d1 1");
  BOOST_TEST(append(*spool, many));
  BOOST_TEST(spool->status().batches == many.size() + 2);
}

BOOST_AUTO_TEST_CASE(what_was_dropped_while_it_was_sent_is_no_harm) {
  const Directory directory;
  const auto size = record(1).size();
  auto spool = open(directory, size, 4 * size);
  BOOST_TEST(append(*spool, {record(1)}));
  const auto sent = spool->next(1);
  BOOST_REQUIRE(sent.size() == 1U);
  for (std::uint64_t i = 2; i <= 6; ++i) BOOST_TEST(append(*spool, {record(i)}));
  BOOST_TEST(waiting(*spool) == "3 4 5 6");
  spool->done(sent[0]);
  BOOST_TEST(waiting(*spool) == "3 4 5 6");
}

}  // namespace
}  // namespace meiguan::uplink
