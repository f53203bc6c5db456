#include "controlplane/report/flow_ring.h"

#include <sys/wait.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <csignal>
#include <filesystem>
#include <fstream>

#include "controlplane/report/test_directory.h"

namespace meiguan::report {
namespace {

namespace fs = std::filesystem;

std::unique_ptr<FlowRing> open(const TestDirectory& directory, std::uint64_t cap = 1 << 20) {
  auto ring = FlowRing::open(directory.path / "flows", cap);
  BOOST_REQUIRE(ring.has_value());
  return std::move(*ring);
}

std::string lines(FlowRing& ring, std::int64_t since = 0, std::int64_t until = 1'000'000,
                  FlowFileRead* read = nullptr) {
  std::string text;
  const auto done = ring.read(since, until, [&](std::string_view line) {
    text += std::string{line} + " ";
    return true;
  });
  if (read != nullptr) *read = done;
  return text;
}

std::string whole_file(const fs::path& path) {
  std::ifstream in{path, std::ios::binary};
  return {std::istreambuf_iterator<char>{in}, {}};
}

BOOST_AUTO_TEST_CASE(what_was_written_is_read_by_time) {
  const TestDirectory directory;
  {
    auto ring = open(directory);
    ring->append(100, "a");
    ring->append(150, "b");
    ring->flush();
    ring->append(200, "c");
    BOOST_TEST(lines(*ring) == "a b c ");  // also what waits
  }
  auto ring = open(directory);
  ring->append(300, "d");
  BOOST_TEST(lines(*ring) == "a b c d ");
  BOOST_TEST(lines(*ring, 160, 250) == "c ");
  BOOST_TEST(lines(*ring, 120, 200) == "a b c ");  // blocks that hold some of it
  BOOST_TEST(lines(*ring, 400) == "");
}

store::FlowLines two_lines(const std::string& what) {
  store::FlowLines flows;
  flows.add(what + "1", 100);
  flows.add(what + "2", 200);
  return flows;
}

// Lines with whose they are, of the nodes that are wanted.
std::string whose(FlowRing& ring, const std::string& only = {}) {
  std::string text;
  std::string node;
  static_cast<void>(ring.read(
      0, 1'000'000,
      [&](std::string_view line) {
        text += node + ":" + std::string{line} + " ";
        return true;
      },
      [&](const FlowBlockOrigin& origin) {
        node = origin.code();
        return only.empty() || node == only;
      }));
  return text;
}

BOOST_AUTO_TEST_CASE(a_batch_of_another_node_is_there_once) {
  const TestDirectory directory;
  const auto of = [](const char* node, std::uint64_t epoch, std::uint64_t sequence) {
    return FlowBlockOrigin::of(node, epoch, sequence);
  };
  {
    auto ring = open(directory);
    ring->append(50, "own");
    BOOST_TEST(ring->append(of("360121", 7, 1), two_lines("a")));
    BOOST_TEST(ring->append(of("360121", 7, 1), two_lines("again")));
    BOOST_TEST(ring->append(of("360122", 7, 1), two_lines("b")));
    BOOST_TEST(ring->append(of("360121", 8, 1), two_lines("c")));
    BOOST_TEST(ring->append(of("360121", 7, 9), two_lines("old")));
    BOOST_TEST(whose(*ring) == ":own 360121:a1 360121:a2 360122:b1 360122:b2 360121:c1 360121:c2 ");
    BOOST_TEST(whose(*ring, "360122") == "360122:b1 360122:b2 ");
  }
  auto ring = open(directory);  // another run knows what this one has
  BOOST_TEST(ring->append(of("360121", 8, 1), two_lines("again")));
  BOOST_TEST(ring->append(of("360122", 7, 2), two_lines("d")));
  BOOST_TEST(whose(*ring, "360121") == "360121:a1 360121:a2 360121:c1 360121:c2 ");
  BOOST_TEST(whose(*ring, "360122") == "360122:b1 360122:b2 360122:d1 360122:d2 ");
}

// The machine stops while a batch is written: what is not whole is not there, and comes again.
BOOST_AUTO_TEST_CASE(a_batch_that_was_written_by_half_is_taken_again) {
  const TestDirectory directory;
  const auto origin = FlowBlockOrigin::of("360121", 7, 1);
  BOOST_TEST(open(directory)->append(origin, two_lines("a")));
  const auto path = directory.path / "flows" / "flows-0000000001.mgf";
  const auto whole = whole_file(path);
  for (std::size_t cut = kFlowFileMagic.size(); cut <= whole.size(); cut += 3) {
    const TestDirectory copy;
    fs::create_directories(copy.path / "flows");
    std::ofstream{copy.path / "flows" / "flows-0000000001.mgf", std::ios::binary}
        << whole.substr(0, cut) << std::string(cut % 2 == 0 ? 0 : whole.size() - cut, '\0');
    auto ring = open(copy);
    BOOST_TEST(ring->append(origin, two_lines("a")));
    BOOST_TEST(whose(*ring) == "360121:a1 360121:a2 ", cut);
  }
}

// Files of before had no origins.
BOOST_AUTO_TEST_CASE(a_file_of_before_is_read) {
  const TestDirectory directory;
  fs::create_directories(directory.path / "flows");
  const std::string_view hex{
      "4d47464c4f57533146424c4b0d00000004000000020000006400000000000000c800000000000000"
      "7ee6aa873edb055a28b52ffd2004210000610a620a"};
  std::string packed;
  for (std::size_t i = 0; i < hex.size(); i += 2) {
    packed += static_cast<char>(std::stoi(std::string{hex.substr(i, 2)}, nullptr, 16));
  }
  std::ofstream{directory.path / "flows" / "flows-0000000001.mgf", std::ios::binary} << packed;
  auto ring = open(directory);
  ring->append(300, "c");
  BOOST_TEST(whose(*ring) == ":a :b :c ");
}

BOOST_AUTO_TEST_CASE(no_more_is_kept_than_the_cap) {
  const TestDirectory directory;
  auto ring = open(directory, 64 << 10);
  std::uint32_t random = 1;
  for (int i = 0; i < 4000; ++i) {
    std::string line = std::to_string(i) + ":";
    for (int k = 0; k < 100; ++k) {
      random = random * 1664525 + 1013904223;
      line += static_cast<char>('0' + (random >> 24) % 64);
    }
    ring->append(i, line);
    if (i % 10 == 0) ring->flush();
  }
  ring->flush();
  BOOST_TEST(ring->bytes() <= 64U << 10);
  BOOST_TEST(ring->bytes() > 48U << 10);
  const auto text = lines(*ring);
  BOOST_TEST(text.find("3999:") != std::string::npos);
  BOOST_TEST(text.find(" 100:") == std::string::npos);
  BOOST_TEST(ring->lost() == 0U);
}

BOOST_AUTO_TEST_CASE(torn_and_changed_blocks_are_counted_and_passed_over) {
  const TestDirectory directory;
  fs::path path;
  {
    auto ring = open(directory);
    for (int i = 0; i < 3; ++i) {
      ring->append(i, std::string(200, static_cast<char>('a' + i)));
      ring->flush();
    }
  }
  path = fs::directory_iterator { directory.path / "flows" } -> path();
  const auto good = whole_file(path);
  const std::string a(200, 'a');
  const std::string b(200, 'b');
  const std::string c(200, 'c');
  // Cut anywhere, and any one byte changed: never a line that was not written.
  for (std::size_t at = 0; at < 2 * good.size(); ++at) {
    auto bad = good;
    if (at < good.size()) {
      bad.resize(at);
    } else {
      bad[at - good.size()] = static_cast<char>(bad[at - good.size()] ^ 0x41);
    }
    std::size_t count = 0;
    const auto read = read_flow_file(std::as_bytes(std::span{bad}), 0, 1'000'000,
                                     [&](std::string_view line) {
                                       ++count;
                                       return line == a || line == b || line == c;
                                     });
    BOOST_TEST_INFO(at);
    BOOST_REQUIRE(!read.enough);
    BOOST_REQUIRE(count <= 3U);
    if (at >= good.size() && count == 3) BOOST_REQUIRE(at < good.size());
  }
  { std::ofstream{path, std::ios::binary | std::ios::trunc} << good.substr(0, good.size() - 5); }
  auto ring = open(directory);
  ring->append(10, "later");
  FlowFileRead read;
  BOOST_TEST(lines(*ring, 0, 100, &read) == a + " " + b + " later ");
  BOOST_TEST(read.damaged == 1U);
}

BOOST_AUTO_TEST_CASE(a_killed_writer_leaves_what_it_wrote) {
  const TestDirectory directory;
  const pid_t child = ::fork();
  BOOST_REQUIRE(child >= 0);
  if (child == 0) {
    auto ring = FlowRing::open(directory.path / "flows", 1 << 20);
    (*ring)->append(1, "written");
    (*ring)->flush();
    (*ring)->append(2, "not yet");
    ::kill(::getpid(), SIGKILL);
    ::_exit(0);
  }
  int status = 0;
  BOOST_REQUIRE(::waitpid(child, &status, 0) == child);
  BOOST_TEST(lines(*open(directory)) == "written ");
}

}  // namespace
}  // namespace meiguan::report
