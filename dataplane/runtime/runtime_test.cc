// The small parts: cores, options, devices' arguments, buckets, shared memory, images, the server.

#include <sys/socket.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <cstring>
#include <fstream>
#include <thread>

#include "dataplane/fastpath/test_image.h"
#include "dataplane/runtime/channel_server.h"
#include "dataplane/runtime/cores.h"
#include "dataplane/runtime/device_args.h"
#include "dataplane/runtime/first_image.h"
#include "dataplane/runtime/loaded_image.h"
#include "dataplane/runtime/options.h"
#include "dataplane/runtime/segments.h"
#include "dataplane/runtime/token_bucket.h"

namespace meiguan::runtime {
namespace {

struct Directory {
  std::filesystem::path path;
  Directory() {
    char name[] = "/tmp/meiguan-runtime-test.XXXXXX";
    path = ::mkdtemp(name);
  }
  ~Directory() { std::filesystem::remove_all(path); }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(parts)

BOOST_AUTO_TEST_CASE(cores_are_planned) {
  struct Case {
    const char* name;
    std::vector<int> allowed;
    int main;
    std::vector<int> workers;
    int want_main;
    std::vector<int> want_workers;  // empty: refused
    bool shared;
  };
  const Case cases[] = {
      {"the first for main, the others for workers", {0, 1, 2}, -1, {}, 0, {1, 2}, false},
      {"one core for both", {3}, -1, {}, 3, {3}, true},
      {"main is put beside the workers", {0, 1, 2}, -1, {0, 1}, 2, {0, 1}, false},
      {"as told", {0, 1}, 1, {0}, 1, {0}, false},
      {"two workers on one core", {0, 1}, 0, {1, 1}, 0, {1, 1}, true},
      {"not allowed", {0, 1}, -1, {2}, 0, {}, false},
      {"main not allowed", {0, 1}, 5, {}, 0, {}, false},
      {"too many", {0, 1}, -1, std::vector<int>(16, 1), 0, {}, false},
  };
  for (const Case& c : cases) {
    BOOST_TEST_CONTEXT(c.name) {
      const auto plan = plan_cores(c.allowed, c.main, c.workers);
      BOOST_REQUIRE_EQUAL(plan.has_value(), !c.want_workers.empty());
      if (!plan) continue;
      BOOST_TEST(plan->main == c.want_main);
      BOOST_TEST(plan->workers == c.want_workers, boost::test_tools::per_element());
      BOOST_TEST(plan->shared == c.shared);
    }
  }
}

BOOST_AUTO_TEST_CASE(lists_of_cores_are_read) {
  const auto good = parse_cores("2,4-6");
  BOOST_REQUIRE(good.has_value());
  BOOST_TEST((*good == std::vector<int>{2, 4, 5, 6}));
  for (const char* bad : {"", ",", "1,", "1-", "-1", "3-1", "a", "1,,2", "1 ", "99999"}) {
    BOOST_TEST(!parse_cores(bad).has_value(), bad);
  }
}

BOOST_AUTO_TEST_CASE(devices_become_arguments) {
  using image::DeviceKind;
  struct Case {
    const char* name;
    DeviceRequest request;
    const char* want;  // null: refused
  };
  const Case cases[] = {
      {"af_packet",
       {DeviceKind::kAfPacket, "eth1", 3, 1, 1500},
       "vdev net_af_packet3 "
       "iface=eth1,qpairs=1,blocksz=65536,framesz=2048,framecnt=2048,qdisc_bypass=1"},
      {"af_packet, jumbo frames",
       {DeviceKind::kAfPacket, "eth1", 0, 2, 9000},
       "vdev net_af_packet0 "
       "iface=eth1,qpairs=2,blocksz=65536,framesz=16384,framecnt=256,qdisc_bypass=1"},
      {"af_xdp",
       {DeviceKind::kAfXdp, "eth1", 1, 2, 1500},
       "vdev net_af_xdp1 iface=eth1,start_queue=0,queue_count=2,busy_budget=0"},
      {"tap", {DeviceKind::kTap, "mg0", 0, 1, 1500}, "vdev net_tap0 iface=mg0"},
      {"pci", {DeviceKind::kPci, "0000:04:00.0", 0, 1, 1500}, "pci 0000:04:00.0 "},
      {"vdev as it stands",
       {DeviceKind::kVdev, "net_pcap0,rx_pcap=a,infinite_rx=1", 0, 1, 1500},
       "vdev net_pcap0 rx_pcap=a,infinite_rx=1"},
      {"vdev without arguments", {DeviceKind::kVdev, "net_null0", 0, 1, 1500}, "vdev net_null0 "},
      {"another argument smuggled in", {DeviceKind::kAfPacket, "a,qpairs=9", 0, 1, 1500}, nullptr},
      {"a name too long", {DeviceKind::kTap, "abcdefghijklmnop", 0, 1, 1500}, nullptr},
      {"no name", {DeviceKind::kAfXdp, "", 0, 1, 1500}, nullptr},
      {"no network device", {DeviceKind::kVdev, "crypto_null0", 0, 1, 1500}, nullptr},
  };
  for (const Case& c : cases) {
    const auto args = device_args(c.request);
    const std::string got = args ? args->bus + " " + args->name + " " + args->arguments : "refused";
    BOOST_TEST(got == (c.want != nullptr ? c.want : "refused"), c.name << ": " << got);
  }
  BOOST_TEST(buffer_room(1500) == 2048U);
  BOOST_TEST(buffer_room(9000) == 16384U);
  BOOST_TEST(device_target("af_packet:eth1") == "eth1");
  BOOST_TEST(device_target("0000:04:00.0") == "0000:04:00.0");
}

BOOST_AUTO_TEST_CASE(a_bucket_lets_through_what_it_says) {
  TokenBucket bucket{10, 2};
  BOOST_TEST(bucket.take(1000));
  BOOST_TEST(bucket.take(1000));
  BOOST_TEST(!bucket.take(1000));
  BOOST_TEST(!bucket.take(1099));
  BOOST_TEST(bucket.take(1100));
  BOOST_TEST(!bucket.take(500));  // a clock that goes back gives nothing
  BOOST_TEST(bucket.take(100'000));
  BOOST_TEST(bucket.take(100'000));
  BOOST_TEST(!bucket.take(100'000));
}

BOOST_AUTO_TEST_CASE(segments_hold_a_block_for_each_and_cannot_be_written_from_outside) {
  const fastpath::CounterCapacity capacity{4, 8, 8, 8};
  auto segments = Segments::create(2, capacity, 1024, 64);
  BOOST_REQUIRE(segments.has_value());
  segments->block(2).port(PortId{3}).local.add(7);
  segments->block(0).reason(fastpath::Reason::kAllowed).traffic.add(1, 60);
  BOOST_TEST(segments->block(2).port(PortId{3}).local.value() == 7U);
  BOOST_TEST(segments->block(1).port(PortId{3}).local.value() == 0U);
  const auto descriptors = segments->descriptors();
  BOOST_REQUIRE_EQUAL(descriptors.size(), 3U);
  const char byte = 1;
  BOOST_TEST(::pwrite(descriptors[0], &byte, 1, 0) < 0);
  BOOST_TEST(::ftruncate(descriptors[1], 0) < 0);
  fastpath::SegmentHeader header{};
  BOOST_TEST(::pread(descriptors[0], &header, sizeof header, 0) ==
             static_cast<ssize_t>(sizeof header));
  BOOST_TEST(header.magic == fastpath::SegmentHeader::kMagic);
  BOOST_TEST(header.blocks == 3U);
}

BOOST_AUTO_TEST_CASE(the_last_image_is_replaced_whole) {
  const Directory directory;
  const auto state = directory.path / "state";
  const fastpath::test::World world;
  BOOST_TEST(save_last_image(state, world.image().bytes(), true).has_value());
  BOOST_TEST(save_last_image(state, world.image().bytes(), true).has_value());
  BOOST_TEST(!std::filesystem::exists(state / "image.tmp"));
  const auto loaded = LoadedImage::from_file(last_image_file(state), false);
  BOOST_REQUIRE(loaded.has_value());
  BOOST_TEST((*loaded)->image().checksum() == world.image().checksum());
  BOOST_TEST(check_capacity((*loaded)->image(), fastpath::CounterCapacity{}).has_value());
  const auto full = check_capacity((*loaded)->image(), fastpath::CounterCapacity{256, 1, 8, 8});
  BOOST_REQUIRE(!full.has_value());
  BOOST_TEST(full.error().exit_code == kExitConfiguration);

  BOOST_TEST(LoadedImage::from_file(image_before_file(state), false).has_value());
  Options options;
  options.state_dir = state;
  options.no_huge = true;
  const auto first = first_image(options);
  BOOST_REQUIRE(first.has_value());
  BOOST_TEST((first->is_last && !first->damaged));

  // image.before is another file by now, or the damage would be its, too.
  std::filesystem::copy_file(last_image_file(state), state / "copy");
  std::filesystem::rename(state / "copy", last_image_file(state));
  std::filesystem::resize_file(last_image_file(state), 100);
  const auto second = first_image(options);
  BOOST_REQUIRE(second.has_value());
  BOOST_TEST((second->loaded != nullptr && !second->is_last && second->damaged));
  std::filesystem::remove(image_before_file(state));
  const auto none = first_image(options);
  BOOST_REQUIRE(none.has_value());
  BOOST_TEST((none->loaded == nullptr && none->damaged));
  const auto cut = LoadedImage::from_file(last_image_file(state), false);
  BOOST_REQUIRE(!cut.has_value());
  BOOST_TEST(cut.error().message.english.find("image.last") != std::string::npos);
  BOOST_TEST(!LoadedImage::from_file(directory.path, false).has_value());
  BOOST_TEST(!save_last_image("/proc/nowhere", world.image().bytes(), false).has_value());
}

BOOST_AUTO_TEST_CASE(the_server_answers_refuses_and_survives_its_clients) {
  const Directory directory;
  auto server = ChannelServer::listen(directory.path, [](channel::Message& request) {
    if (request.header.type == 3) return Result<Answer>{Answer{request.payload, {}}};
    return Result<Answer>{fail("no", "不")};
  });
  BOOST_REQUIRE(server.has_value());
  const auto second = ChannelServer::listen(directory.path, nullptr);
  BOOST_REQUIRE(!second.has_value());
  BOOST_TEST(second.error().message.english.find("another data plane") != std::string::npos);

  std::jthread serving{[&](const std::stop_token& stop) {
    while (!stop.stop_requested()) server->serve(std::chrono::milliseconds{5});
  }};
  const auto socket = directory.path / "dataplane.sock";
  auto one = channel::Client::connect(socket);
  auto two = channel::Client::connect(socket);
  BOOST_REQUIRE(one.has_value() && two.has_value());
  const std::vector<std::byte> payload(5);
  auto answer = one->ask(channel::Request::kStatus, payload);
  BOOST_REQUIRE(answer.has_value());
  BOOST_TEST(answer->payload.size() == 5U);
  auto refused = two->ask(channel::Request::kTrace);
  BOOST_REQUIRE(!refused.has_value());
  BOOST_TEST(refused.error().message.chinese == "不");
  // One that leaves in the middle of a request does no harm.
  *two = std::move(*channel::Client::connect(socket));
  BOOST_TEST(one->ask(channel::Request::kStatus, payload).has_value());
  BOOST_TEST(two->ask(channel::Request::kStatus, payload).has_value());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace meiguan::runtime
