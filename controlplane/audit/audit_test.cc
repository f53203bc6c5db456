#define BOOST_TEST_MODULE audit
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>

#include "controlplane/audit/log.h"
#include "controlplane/audit/test_place.h"
#include "controlplane/audit/verify.h"

namespace meiguan::audit {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> lines_of(const std::string& bytes) {
  std::vector<std::string> lines;
  for (std::size_t at = 0; at < bytes.size();) {
    const auto end = bytes.find('\n', at);
    lines.push_back(bytes.substr(at, end - at));
    at = end + 1;
  }
  return lines;
}

std::string joined(const std::vector<std::string>& lines) {
  std::string bytes;
  for (const auto& line : lines) bytes += line + "\n";
  return bytes;
}

BOOST_AUTO_TEST_CASE(times) {
  BOOST_TEST(time_text(1'795'337'400'123) == "2026-11-22T08:50:00.123Z");
  BOOST_TEST(time_of("2026-11-22T08:50:00.123Z").value() == 1'795'337'400'123);
  for (const char* bad : {"", "2026-13-22T08:50:00.123Z", "2026-11-22 08:50:00.123Z",
                          "2026-11-22T08:50:00.123", "2026-11-22T24:50:00.123Z"}) {
    BOOST_TEST(!time_of(bad).has_value(), bad);
  }
}

BOOST_AUTO_TEST_CASE(a_log_that_nobody_touched) {
  for (const auto hash : {crypto::HashKind::kSha256, crypto::HashKind::kSm3}) {
    for (const bool sign : {false, true}) {
      Place place;
      place.settings.hash = hash;
      place.settings.file_bytes = 4000;
      place.settings.sign_every = 5;
      if (sign) place.key = crypto::PrivateKey::generate(crypto::KeyKind::kSm2).value();
      place.write(20);
      place.write(20);  // and goes on
      const auto verdict = place.verdict();
      BOOST_TEST(verdict.flaws.empty());
      BOOST_TEST(independent(place.directory) == 0);
      BOOST_TEST(verdict.files > 2);
      BOOST_TEST(verdict.first == 1);
      BOOST_TEST(verdict.last == verdict.records);
      BOOST_TEST((verdict.signatures > 5) == sign);
    }
  }
}

BOOST_AUTO_TEST_CASE(a_second_writer_gets_no_log) {
  Place place;
  const auto log = place.log();
  BOOST_TEST(!Log::open(place.settings, {}, [] { return 0; }).has_value());
  BOOST_TEST(log->append({"wang", 1, "", "apply", "done", {}}).has_value());
  BOOST_TEST(place.verdict().flaws.empty());
}

BOOST_AUTO_TEST_CASE(hostile_text_stays_in_its_line) {
  Place place;
  const auto log = place.log();
  BOOST_REQUIRE(log->append({"a\n\"b\",\"hash\":\"",
                             1,
                             "\xff\xfe",
                             std::string(100'000, 'x'),
                             "done",
                             {{"a\nb", std::string(100'000, 'y')}}}));
  BOOST_REQUIRE(log->append({"wang", 1, "", "apply", "done", {}}));
  BOOST_TEST(place.verdict().flaws.empty());
  BOOST_TEST(place.verdict().records == 3);
}

// What somebody does to the lines of a log of seven records, and what must be said of it.
BOOST_AUTO_TEST_CASE(tampering_is_found_where_it_is) {
  using Lines = std::vector<std::string>;
  const struct {
    const char* name;
    std::function<void(Lines&)> damage;
    FlawKind kind;
    std::uint64_t record;
  } kCases[] = {
      {"a word changed", [](Lines& l) { l[3].replace(l[3].find("wang"), 4, "zhao"); },
       FlawKind::kChanged, 4},
      {"changed, and its hash made anew",
       [](Lines& l) {
         l[3].replace(l[3].find("wang"), 4, "zhao");
         const auto before = std::string{split_line(l[2])->hash};
         const auto hash = hash_of_line(crypto::HashKind::kSha256, before, split_line(l[3])->body);
         l[3].replace(l[3].size() - 2 - kHashDigits, kHashDigits, hash);
       },
       FlawKind::kChanged, 5},
      {"a record removed", [](Lines& l) { l.erase(l.begin() + 3); }, FlawKind::kRemoved, 4},
      {"two removed", [](Lines& l) { l.erase(l.begin() + 2, l.begin() + 4); }, FlawKind::kRemoved,
       3},
      {"two exchanged", [](Lines& l) { std::swap(l[3], l[4]); }, FlawKind::kRemoved, 4},
      {"one twice", [](Lines& l) { l.insert(l.begin() + 3, l[3]); }, FlawKind::kReordered, 4},
      {"the first removed", [](Lines& l) { l.erase(l.begin()); }, FlawKind::kNoRecord, 2},
      {"the last removed", [](Lines& l) { l.pop_back(); }, FlawKind::kCut, 7},
      {"all but the first removed", [](Lines& l) { l.resize(1); }, FlawKind::kCut, 2},
      {"a line of something else", [](Lines& l) { l.insert(l.begin() + 3, "hello"); },
       FlawKind::kNoRecord, 4},
      {"an empty line", [](Lines& l) { l.insert(l.begin() + 3, ""); }, FlawKind::kNoRecord, 4},
      {"the last replaced by another with a good hash",
       [](Lines& l) {
         const auto before = std::string{split_line(l[5])->hash};
         l[6] = line_of({"zhao", 1, "", "x", "done", {}}, 7, time_text(0),
                        crypto::HashKind::kSha256, before);
       },
       FlawKind::kChanged, 7},
      {"two put behind it",
       [](Lines& l) {
         for (std::uint64_t n = 8; n < 10; ++n) {
           const auto before = std::string{split_line(l.back())->hash};
           l.push_back(line_of({"zhao", 1, "", "x", "done", {}}, n, time_text(0),
                               crypto::HashKind::kSha256, before));
         }
       },
       FlawKind::kHead, 9},
  };
  for (const auto& c : kCases) {
    Place place;
    place.write(6);
    auto lines = lines_of(bytes_of(place.file(1)));
    BOOST_REQUIRE(lines.size() == 7);
    c.damage(lines);
    put(place.file(1), joined(lines));
    const auto verdict = place.verdict();
    BOOST_TEST(!verdict.is_whole(), c.name);
    BOOST_REQUIRE(!verdict.flaws.empty());
    const auto& flaw = verdict.flaws.front();
    BOOST_TEST((flaw.kind == c.kind), c.name << ": " << name_of(flaw.kind));
    BOOST_TEST(flaw.record == c.record, c.name << ": record " << flaw.record);
    BOOST_TEST(independent(place.directory) == 1, c.name);
    // The daemon goes on in a new file; what was found stays to be found, and what follows is
    // whole.
    {
      const auto log = place.log();
      BOOST_TEST(!log->problem().english.empty(), c.name);
      BOOST_TEST(log->append({"wang", 1, "", "x", "done", {}}).has_value());
    }
    const auto later = place.verdict();
    BOOST_TEST(!later.is_whole(), c.name << ": later");
    BOOST_TEST(independent(place.directory) == 1, c.name << ": later");
    for (const auto& still : later.flaws) {
      BOOST_TEST((still.file == file_name(1) || still.kind == FlawKind::kRemoved ||
                  still.kind == FlawKind::kFound),
                 c.name);
    }
  }
}

BOOST_AUTO_TEST_CASE(every_flipped_bit_is_found) {
  Place place;
  place.key = crypto::PrivateKey::generate(crypto::KeyKind::kEd25519).value();
  place.settings.sign_every = 2;
  place.write(3);
  for (const auto& path : {place.file(1), place.directory / kHeadName}) {
    const auto good = bytes_of(path);
    for (std::size_t i = 0; i < good.size(); ++i) {
      for (const unsigned bit : {0x01U, 0x20U, 0x80U}) {
        auto bad = good;
        bad[i] = static_cast<char>(static_cast<unsigned char>(bad[i]) ^ bit);
        put(path, bad);
        BOOST_TEST(!place.verdict().is_whole(), path << " byte " << i << " bit " << bit);
      }
    }
    for (std::size_t size = 0; size < good.size(); ++size) {
      put(path, good.substr(0, size));
      BOOST_TEST(!place.verdict().is_whole(), path << " cut to " << size);
    }
    put(path, good);
  }
  BOOST_TEST(place.verdict().flaws.empty());
}

BOOST_AUTO_TEST_CASE(files_that_are_gone) {
  for (const std::uint64_t gone : {1U, 2U, 3U, 4U}) {
    Place place;
    place.settings.file_bytes = 1000;
    place.write(30);
    BOOST_REQUIRE(files_of(place.directory).size() > 4);
    const auto last = files_of(place.directory).back().number;
    fs::remove(place.file(gone == 4 ? last : gone));
    const auto verdict = place.verdict();
    BOOST_TEST(!verdict.is_whole(), "file " << gone);
    BOOST_TEST((verdict.flaws.front().kind == FlawKind::kCut), "file " << gone);
  }
}

// The power goes while the last record is being written: the head is still at the one before.
BOOST_AUTO_TEST_CASE(a_torn_record_is_not_tampering) {
  Place place;
  place.write(4);
  const auto head = bytes_of(place.directory / kHeadName);
  const auto before = bytes_of(place.file(1));
  place.write(1);
  const auto after = bytes_of(place.file(1));
  for (std::size_t size = before.size() + 1; size < after.size(); size += 7) {
    put(place.file(1), after.substr(0, size));
    put(place.directory / kHeadName, head);
    const auto torn = place.verdict();
    BOOST_TEST(torn.is_whole());
    BOOST_REQUIRE(torn.flaws.size() == 1);
    BOOST_TEST((torn.flaws.front().kind == FlawKind::kTorn));
    if (size == before.size() + 1) BOOST_TEST(independent(place.directory) == 0);
    // The next start takes it away and says so.
    place.write(1);
    BOOST_TEST(place.verdict().flaws.empty());
    BOOST_TEST(bytes_of(place.file(1)).find("\"event\":\"torn\"") != std::string::npos);
  }
  // Written whole, and the head not yet.
  put(place.file(1), after);
  put(place.directory / kHeadName, head);
  BOOST_TEST(place.verdict().flaws.empty());
  place.write(1);
  BOOST_TEST(place.verdict().flaws.empty());
}

BOOST_AUTO_TEST_CASE(a_signature_of_another_key) {
  Place place;
  place.key = crypto::PrivateKey::generate(crypto::KeyKind::kEd25519).value();
  place.settings.sign_every = 2;
  place.write(4);
  const auto stranger = crypto::PrivateKey::generate(crypto::KeyKind::kEd25519)->public_key();
  const auto verdict = verify_directory(place.directory, stranger).value();
  BOOST_TEST(!verdict.is_whole());
  BOOST_TEST((verdict.flaws.front().kind == FlawKind::kSignature));
}

BOOST_AUTO_TEST_CASE(a_full_disk_refuses_and_leaves_the_log_whole) {
  if (::geteuid() != 0) return;
  Place place;
  fs::create_directories(place.directory);
  if (::mount("tmpfs", place.directory.c_str(), "tmpfs", 0, "size=256k") != 0) return;
  {
    const auto log = place.log();
    BOOST_TEST(log->reserve().has_value());
    const auto filler = place.directory / "filler";
    const int file = ::open(filler.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    const std::string block(4096, 'x');
    while (::write(file, block.data(), block.size()) > 0) {
    }
    ::close(file);
    // What was reserved before is still there for the end of what began.
    BOOST_TEST(log->append({"wang", 1, "", "apply", "failed", {}}).has_value());
    int refused = 0;
    for (int i = 0; i < 1000 && refused < 3; ++i) {
      refused += log->append({"wang", 1, "", "apply", "begun", {{"why", std::string(2000, 'z')}}})
                     ? 0
                     : 1;
    }
    BOOST_TEST(refused == 3);
    BOOST_TEST(!log->reserve().has_value());
    BOOST_TEST(place.verdict().is_whole());
    fs::remove(filler);
    BOOST_TEST(log->append({"wang", 1, "", "apply", "begun", {}}).has_value());
    BOOST_TEST(place.verdict().flaws.empty());
  }
  ::umount(place.directory.c_str());
}

}  // namespace
}  // namespace meiguan::audit
