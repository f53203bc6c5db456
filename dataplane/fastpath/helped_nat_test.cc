// Control connections whose ends are translated: what they announce is told as the other end has to
// see it, and the connection's numbers stay right.

#include <array>
#include <memory>
#include <random>
#include <vector>

#include "dataplane/fastpath/helped_fixture.h"

namespace meiguan::fastpath {
namespace {

using namespace test;

constexpr const char* kInside = "10.64.37.9";
constexpr const char* kOutside = "198.51.100.21";  // where the service listens in the internet
constexpr const char* kRemote = "198.51.100.7";
constexpr const char* kPublic = "203.0.113.10";
constexpr const char* kBehind = "59.205.17.10";

const World& world() {
  static const World the_world{{.nat = true, .helper = image::Helper::kFtp}};
  return the_world;
}

std::string commas(const std::string& address, std::uint16_t port) {
  std::string text = address;
  for (char& c : text) c = c == '.' ? ',' : c;
  return text + "," + std::to_string(port >> 8U) + "," + std::to_string(port & 0xffU);
}

// Of "PORT h,h,h,h,p,p".
std::uint16_t port_in(const std::string& text) {
  const std::size_t second = text.rfind(',');
  const std::size_t first = text.rfind(',', second - 1);
  return static_cast<std::uint16_t>(std::stoi(text.substr(first + 1)) * 256 +
                                    std::stoi(text.substr(second + 1)));
}

Talk outwards(Gate& gate, std::uint16_t port = 443, std::uint16_t own_port = 40000) {
  return {gate, world(), kLan, kInside, own_port, kWan, kOutside, port};
}

BOOST_AUTO_TEST_CASE(an_inside_client_is_active_by_a_port_of_the_pool) {
  Gate gate;
  Talk control = outwards(gate);
  BOOST_TEST(control.connect() == "allowed");
  const std::string pool = control.ends[1].peer;
  BOOST_TEST(control.say(1, "220 Hello\r\n") == "220 Hello\r\n");
  for (std::uint16_t port = 1025; port < 1035; ++port) {
    const std::string said = "PORT " + commas(kInside, port) + "\r\n";
    const std::string arrived = control.say(0, said);
    const std::uint16_t mapped = port_in(arrived);
    BOOST_TEST(arrived == "PORT " + commas(pool, mapped) + "\r\n");
    BOOST_TEST(control.say(1, "200 Fine\r\n") == "200 Fine\r\n");
    Talk data{gate, world(), kWan, kOutside, 20, kLan, pool, mapped};
    // Not from somebody else.
    Talk other{gate, world(), kWan, kRemote, 20, kLan, pool, mapped};
    BOOST_TEST(other.connect() == "nat-unsolicited");
    BOOST_TEST(data.connect() == "allowed");
    BOOST_TEST(data.ends[1].address == kInside);
    BOOST_TEST(data.ends[1].own_port == port);
    BOOST_TEST(data.ends[1].peer == kOutside);
    BOOST_TEST(data.say(0, "listing") == "listing");
    BOOST_TEST(data.say(1, "upload") == "upload");
    BOOST_TEST(control.say(1, "226 Done\r\n") == "226 Done\r\n");
  }
  BOOST_TEST(control.say(0, "EPRT |1|10.64.37.9|2000|\r\n").starts_with("EPRT |1|" + pool + "|"));
  BOOST_TEST(control.say(0, "QUIT\r\n") == "QUIT\r\n");
}

BOOST_AUTO_TEST_CASE(an_inside_client_is_passive_to_the_internet) {
  Gate gate;
  Talk control = outwards(gate);
  BOOST_TEST(control.connect() == "allowed");
  (void)control.say(0, "PASV\r\n");
  const std::string reply = "227 Mode (198,51,100,21,200,1)\r\n";
  BOOST_TEST(control.say(1, reply) == reply);
  Talk data = outwards(gate, 51201, 50000);
  BOOST_TEST(data.connect() == "allowed");
  BOOST_TEST(data.ends[1].peer == control.ends[1].peer);  // paired
  BOOST_TEST(data.say(1, "listing") == "listing");
}

BOOST_AUTO_TEST_CASE(a_published_server_is_passive_by_its_public_address) {
  for (const char* announced : {kBehind, kPublic}) {
    Gate gate;
    Talk control{gate, world(), kWan, kRemote, 40000, kDmz, kPublic, 443};
    BOOST_TEST(control.connect() == "allowed");
    BOOST_TEST(control.ends[1].address == kBehind);
    (void)control.say(0, "PASV\r\n");
    BOOST_TEST(control.say(1, "227 Mode (" + commas(announced, 51201) + ").\r\n") ==
               "227 Mode (" + commas(kPublic, 51201) + ").\r\n");
    Talk straight{gate, world(), kWan, kRemote, 50000, kDmz, kBehind, 51201};
    BOOST_TEST(straight.connect() == "default-deny");
    Talk data{gate, world(), kWan, kRemote, 50000, kDmz, kPublic, 51201};
    BOOST_TEST(data.connect() == "allowed");
    BOOST_TEST(data.ends[1].address == kBehind);
    BOOST_TEST(data.ends[1].own_port == 51201U);
    BOOST_TEST(data.say(1, "listing") == "listing");
    // And active, from its public address.
    const std::string port = "PORT " + commas(kRemote, 50001) + "\r\n";
    BOOST_TEST(control.say(0, port) == port);
    Talk active{gate, world(), kDmz, kBehind, 20, kWan, kRemote, 50001};
    BOOST_TEST(active.connect() == "allowed");
    BOOST_TEST(active.ends[1].peer == kPublic);
    BOOST_TEST(active.ends[1].peer_port == 20U);
    BOOST_TEST(active.say(0, "listing") == "listing");
  }
}

BOOST_AUTO_TEST_CASE(an_ipv6_client_is_told_by_its_outside_prefix) {
  Gate gate;
  Talk control{gate, world(), kLan, "2001:db8:1::9", 40000, kWan, "2001:db8:77::21", 443};
  BOOST_TEST(control.connect() == "allowed");
  const std::string outside = control.ends[1].peer;
  BOOST_TEST(outside.starts_with("2001:db8:ffff:1:"));
  BOOST_TEST(control.say(0, "EPRT |2|2001:db8:1::9|50000|\r\n") ==
             "EPRT |2|" + outside + "|50000|\r\n");
  Talk data{gate, world(), kWan, "2001:db8:77::21", 20, kLan, outside, 50000};
  BOOST_TEST(data.connect() == "allowed");
  BOOST_TEST(data.ends[1].address == "2001:db8:1::9");
  BOOST_TEST(data.say(0, "listing") == "listing");
  BOOST_TEST(control.say(0, "NOOP\r\n") == "NOOP\r\n");
}

// What is sent again is told again in the same words, and parts of it do not go on alone.
BOOST_AUTO_TEST_CASE(a_changed_line_that_is_lost_comes_again) {
  Gate gate;
  Talk control = outwards(gate);
  BOOST_TEST(control.connect() == "allowed");
  const std::string line = "PORT " + commas(kInside, 50000) + "\r\n";
  const Bytes segment = control.frame(0, "PA", line);
  const Arrived lost = control.send(0, segment);
  const Arrived again = control.send(0, segment);
  BOOST_TEST(lost.text != line);
  BOOST_TEST(again.text == lost.text);
  BOOST_TEST(again.info.tcp_sequence == lost.info.tcp_sequence);
  // With more behind it, and a part of it.
  const Arrived more = control.send(0, control.frame(0, "PA", line + "NOOP\r\n"));
  BOOST_TEST(more.text == lost.text + "NOOP\r\n");
  BOOST_TEST(control.send(0, control.frame(0, "PA", line.substr(0, 9))).reason == "helper-invalid");
  const Bytes rest = control.frame(0, "PA", line.substr(9), 9);
  BOOST_TEST(control.send(0, rest).reason == "helper-invalid");
  // Another one before it is acknowledged is not told: its sender will say it again.
  control.ends[0].sent += static_cast<std::uint32_t>(line.size() + 6);
  const Bytes early = control.frame(0, "PA", "PORT " + commas(kInside, 50002) + "\r\n");
  BOOST_TEST(control.send(0, early).reason == "helper-invalid");
  control.take(1, more);
  control.acknowledge(1);
  const Arrived next = control.send(0, early);
  BOOST_TEST(next.reason == "allowed");
  BOOST_TEST(next.info.tcp_sequence == control.ends[1].received);
  // A selective acknowledgment is in the sender's numbers, too.
  const std::uint32_t left = control.ends[1].received;
  const std::uint32_t right = left + static_cast<std::uint32_t>(next.text.size());
  Bytes options{1, 5, 10};
  for (const std::uint32_t edge : {left, right}) append(options, net::Be32::from_host(edge));
  options.push_back(1);
  const Arrived sack = control.send(1, control.frame(1, "A", {}, 0, options));
  BOOST_TEST(sack.reason == "allowed");
  BOOST_TEST(sack.info.tcp_sacks);
  BOOST_TEST(sack.info.tcp_sack_end ==
             control.ends[0].sent + static_cast<std::uint32_t>(std::string{"PORT "}.size() +
                                                               commas(kInside, 50002).size() + 2));
  // A line that is cut cannot be told otherwise.
  Talk cut = outwards(gate, 443, 40001);
  BOOST_TEST(cut.connect() == "allowed");
  BOOST_TEST(cut.say(0, "PORT 10,64") == "PORT 10,64");
  BOOST_TEST(cut.say(0, ",37,9,195,80\r\n") == "helper-invalid");
}

// An error that quotes a segment behind a changed line quotes what its sender knows.
BOOST_AUTO_TEST_CASE(errors_quote_the_senders_own_numbers) {
  Gate gate;
  Talk control = outwards(gate);
  BOOST_TEST(control.connect() == "allowed");
  (void)control.say(0, "PORT " + commas(kInside, 50000) + "\r\n");
  const Bytes sent = control.frame(0, "PA", "NOOP\r\n");
  const Arrived arrived = control.send(0, sent);
  BOOST_TEST(arrived.info.tcp_sequence != control.ends[0].sent);
  for (const std::ptrdiff_t quoted : {28, 46}) {
    const auto begin = arrived.frame.begin() + arrived.info.l3_offset;
    const Bytes error = ethernet(
        ipv4("192.0.2.1", control.ends[1].peer, 1, icmp(11, 0, 0, Bytes(begin, begin + quoted))));
    const Gate::Out out = gate.send(kWan, error, world());
    BOOST_TEST(out.reason() == "allowed");
    PacketInfo info;
    parse(out.frame, info);
    BOOST_TEST(net::to_string(info.key.source) == kInside);
    BOOST_TEST(info.tcp_sequence == control.ends[0].sent);
    BOOST_TEST(wrong_checksum(std::span{out.frame}.subspan(info.l3_offset, info.ip_bytes)) == "");
  }
}

// With several workers, each packet at its owner by the image alone.
BOOST_AUTO_TEST_CASE(the_owner_of_a_control_connection_owns_what_it_opens) {
  constexpr std::uint32_t kWorkers = 3;
  const World plain{{.helper = image::Helper::kFtp}};
  struct Case {
    const char* name;
    const World& world;
    PortId client_port;
    const char* clients;  // all but the last byte
    PortId server_port;
    const char* server;
    const char* server_says;
  };
  const Case cases[] = {
      {"nothing translated", plain, kLan, "10.64.37.", kCore, "59.205.16.10", "59.205.16.10"},
      {"egress", world(), kLan, "10.64.37.", kWan, kOutside, kOutside},
      {"publish", world(), kWan, "198.51.100.", kDmz, kPublic, kBehind},
  };
  for (const Case& c : cases) {
    BOOST_TEST_CONTEXT(c.name) {
      std::vector<std::unique_ptr<Gate>> gates;
      for (std::uint32_t worker = 0; worker < kWorkers; ++worker) {
        gates.push_back(std::make_unique<Gate>(PipelineOptions{.flow_capacity = 4096,
                                                               .assume_resolved = true,
                                                               .hash_seed = 1,
                                                               .workers = kWorkers,
                                                               .worker = worker}));
      }
      const auto owner = [&](PortId in, const Bytes& frame) {
        return Pipeline::owner(c.world.image(), frame, in, kWorkers);
      };
      std::array<unsigned, kWorkers> used{};
      for (unsigned host = 30; host < 60; ++host) {
        const std::string client = c.clients + std::to_string(host);
        Talk probe{*gates[0], c.world, c.client_port, client, 40000, c.server_port, c.server, 443};
        const std::uint32_t mine = owner(c.client_port, probe.frame(0, "S"));
        ++used[mine];
        Gate& gate = *gates[mine];
        Talk control{gate, c.world, c.client_port, client, 40000, c.server_port, c.server, 443};
        BOOST_TEST(control.connect() == "allowed");
        BOOST_TEST(owner(c.server_port, control.frame(1, "A")) == mine);
        const std::string arrived = control.say(0, "PORT " + commas(client, 50000) + "\r\n");
        Talk active{gate, c.world,       c.server_port,        control.ends[1].address,
                    20,   c.client_port, control.ends[1].peer, port_in(arrived)};
        BOOST_TEST(owner(c.server_port, active.frame(0, "S")) == mine);
        BOOST_TEST(active.connect() == "allowed");
        BOOST_TEST(owner(c.client_port, active.frame(1, "A")) == mine);
        (void)control.say(0, "PASV\r\n");
        (void)control.say(1, "227 (" + commas(c.server_says, 51201) + ")\r\n");
        Talk passive{gate, c.world, c.client_port, client, 50001, c.server_port, c.server, 51201};
        BOOST_TEST(owner(c.client_port, passive.frame(0, "S")) == mine);
        BOOST_TEST(passive.connect() == "allowed");
        BOOST_TEST(owner(c.server_port, passive.frame(1, "A")) == mine);
      }
      for (const unsigned count : used) BOOST_TEST(count > 0U);
    }
  }
}

// The naive twin is the text itself: whatever is lost, said again or said in other pieces, the
// receiver has in the end what was said, but for the announced ends.
BOOST_AUTO_TEST_CASE(the_stream_stays_whole) {
  const unsigned seed = std::random_device{}();
  BOOST_TEST_MESSAGE("seed " << seed);
  std::mt19937 random{seed};
  for (int round = 0; round < 200; ++round) {
    Gate gate;
    Talk control = outwards(gate);
    BOOST_REQUIRE(control.connect() == "allowed");
    const std::string pool = control.ends[1].peer;
    TalkEnd& client = control.ends[0];
    std::string want;
    std::string got;
    for (int i = 0; i < 20; ++i) {
      const auto port = static_cast<std::uint16_t>(1024 + random() % 60000);
      const bool announces = random() % 2 == 0;
      const std::string line = announces ? "PORT " + commas(kInside, port) + "\r\n"
                                         : "STOR " + std::to_string(random()) + "\r\n";
      const Bytes segment = control.frame(0, "PA", line);
      Arrived arrived = control.send(0, segment);
      while (random() % 3 == 0) arrived = control.send(0, segment);  // lost behind the gateway
      BOOST_REQUIRE_MESSAGE(arrived.reason == "allowed", arrived.reason << " seed " << seed);
      BOOST_REQUIRE_MESSAGE(arrived.info.tcp_sequence == control.ends[1].received, seed);
      client.sent += static_cast<std::uint32_t>(line.size());
      control.ends[1].received += static_cast<std::uint32_t>(arrived.text.size());
      got += arrived.text;
      want += announces ? "PORT " + commas(pool, port_in(arrived.text)) + "\r\n" : line;
      Arrived ack = control.send(1, control.frame(1, "A"));
      BOOST_REQUIRE_MESSAGE(ack.info.tcp_acknowledgment == client.sent, seed);
      if (random() % 4 == 0) {
        const std::string reply = "200 " + std::to_string(random()) + "\r\n";
        BOOST_REQUIRE_MESSAGE(control.say(1, reply) == reply, seed);
      }
    }
    BOOST_REQUIRE_MESSAGE(got == want, "seed " << seed);
  }
}

}  // namespace
}  // namespace meiguan::fastpath
