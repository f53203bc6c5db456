#include "controlplane/report/port_block_log.h"

#include <boost/test/unit_test.hpp>
#include <fstream>

#include "controlplane/report/test_directory.h"

namespace meiguan::report {
namespace {

using fastpath::EventKind;

fastpath::Event event(EventKind kind, std::uint32_t inside, std::uint16_t first) {
  fastpath::Event e;
  e.kind = kind;
  e.source = net::Address::v4(inside);
  e.space = SpaceId{3};
  e.destination = net::Address::v4(0xcb007128);
  e.source_port = first;
  e.destination_port = static_cast<std::uint16_t>(first + 511);
  return e;
}
WallTime at(int seconds) { return WallTime{std::chrono::seconds{1'800'000'000 + seconds}}; }

std::unique_ptr<PortBlockLog> open(const TestDirectory& directory) {
  auto log = PortBlockLog::open(directory.path / "port-blocks", 1 << 20,
                                [](SpaceId space, const net::Address& inside) {
                                  return space == SpaceId{3} && inside == net::Address::v4(1)
                                             ? "czj"
                                             : "";
                                });
  BOOST_REQUIRE(log.has_value());
  return std::move(*log);
}

BOOST_AUTO_TEST_CASE(who_held_a_port_is_known_after_a_restart) {
  const TestDirectory directory;
  {
    const auto log = open(directory);
    log->attached("one", at(0));
    log->take(event(EventKind::kBlockTaken, 1, 1024), at(10));
    log->take(event(EventKind::kBlockTaken, 2, 2048), at(20));
    log->take(event(EventKind::kBlockReturned, 1, 1024), at(30));
  }
  const auto log = open(directory);
  log->attached("one", at(40));
  const auto past = log->read(at(0), at(100));
  BOOST_REQUIRE(past.blocks.size() == 2U);
  BOOST_TEST((past.blocks[0].inside == net::Address::v4(2) && !past.blocks[0].returned));
  const auto& returned = past.blocks[1];
  BOOST_TEST(returned.unit == "czj");
  BOOST_TEST((returned.space == SpaceId{3} && returned.taken == at(10) &&
              returned.returned == at(30) && returned.last_port == 1535));
}

BOOST_AUTO_TEST_CASE(with_another_data_plane_nothing_is_held_any_more) {
  const TestDirectory directory;
  const auto log = open(directory);
  log->attached("one", at(0));
  log->take(event(EventKind::kBlockTaken, 1, 1024), at(10));
  log->attached("one", at(20));  // the control plane came back, the data plane never went
  BOOST_TEST(!log->read(at(0), at(100)).blocks[0].returned.has_value());
  log->attached("two", at(30));
  BOOST_TEST((log->read(at(0), at(100)).blocks[0].returned == at(30)));
}

BOOST_AUTO_TEST_CASE(what_was_over_before_is_not_told) {
  const TestDirectory directory;
  const auto log = open(directory);
  log->attached("one", at(0));
  log->take(event(EventKind::kBlockTaken, 1, 1024), at(10));
  log->take(event(EventKind::kBlockReturned, 1, 1024), at(20));
  log->take(event(EventKind::kBlockTaken, 2, 2048), at(50));
  BOOST_TEST(log->read(at(0), at(100)).blocks.size() == 2U);
  BOOST_TEST(log->read(at(15), at(100)).blocks.size() == 2U);
  const auto later = log->read(at(40), at(100)).blocks;
  BOOST_REQUIRE(later.size() == 1U);
  BOOST_TEST((later[0].inside == net::Address::v4(2)));
  BOOST_TEST(log->read(at(0), at(45)).blocks.size() == 1U);
}

BOOST_AUTO_TEST_CASE(lines_that_nobody_wrote_are_passed_over) {
  const TestDirectory directory;
  const auto log = open(directory);
  log->attached("one", at(0));
  auto ring = FlowRing::open(directory.path / "port-blocks", 1 << 20);
  BOOST_REQUIRE(ring.has_value());
  for (const char* const line :
       {"", "{", "[]", "{\"at_ms\":-1}", R"({"at_ms":1800000001000,"event":"taken"})",
        R"({"at_ms":1800000001000,"event":"taken","inside":"10.0.0.1","outside":"x","space":0,)"
        R"("first_port":1,"last_port":2,"data_plane":"one"})",
        R"({"at_ms":1800000001000,"event":"taken","inside":"10.0.0.1","outside":"10.0.0.2",)"
        R"("space":70000,"first_port":1,"last_port":65536,"data_plane":"one"})"}) {
    (*ring)->append(1'800'000'001'000, line);
  }
  ring->reset();
  BOOST_TEST(log->read(at(0), at(100)).blocks.empty());
}

}  // namespace
}  // namespace meiguan::report
