// What a control connection opens, where nothing is translated (RFC 959, RFC 2428).

#include "dataplane/fastpath/helped_fixture.h"

namespace meiguan::fastpath {
namespace {

using namespace test;

constexpr const char* kClient = "10.64.37.9";
constexpr const char* kServer = "59.205.16.10";

const World& world() {
  static const World the_world{{.helper = image::Helper::kFtp}};
  return the_world;
}

struct Control : Talk {
  explicit Control(Gate& gate, const World& by = world(), const char* client = kClient,
                   const char* server = kServer, std::uint16_t port = 40000)
      : Talk{gate, by, kLan, client, port, kCore, server, 443} {
    BOOST_TEST(connect() == "allowed");
  }
};
Talk from_client(Gate& gate, std::uint16_t port, const char* client = kClient,
                 const char* server = kServer) {
  return {gate, world(), kLan, client, 50000, kCore, server, port};
}
Talk from_server(Gate& gate, std::uint16_t port, const char* server = kServer,
                 const char* client = kClient) {
  return {gate, world(), kCore, server, 20, kLan, client, port};
}

BOOST_AUTO_TEST_CASE(a_data_connection_opens_as_announced_and_once) {
  struct Case {
    const char* name;
    const char* client;
    const char* server;
    const char* command;
    const char* reply;  // of a passive one
    std::uint16_t port;
  };
  const Case cases[] = {
      {"active", kClient, kServer, "PORT 10,64,37,9,195,80\r\n", "", 50000},
      {"active, behind another command", kClient, kServer, "NOOP\r\nPORT 10,64,37,9,195,80\r\n", "",
       50000},
      {"active, extended", kClient, kServer, "EPRT |1|10.64.37.9|50000|\r\n", "", 50000},
      {"active, IPv6", "2001:db8:1::9", "2001:db8:2::10", "EPRT |2|2001:db8:1::9|50000|\r\n", "",
       50000},
      {"passive", kClient, kServer, "PASV\r\n",
       "227 Entering Passive Mode (59,205,16,10,200,1)\r\n", 51201},
      {"passive, extended", kClient, kServer, "EPSV\r\n",
       "229 Entering Extended Passive Mode (|||51201|)\r\n", 51201},
      {"passive, IPv6", "2001:db8:1::9", "2001:db8:2::10", "EPSV 2\r\n", "229 Here (|||51201|)\r\n",
       51201},
  };
  for (const Case& c : cases) {
    BOOST_TEST_CONTEXT(c.name) {
      Gate gate;
      Control control{gate, world(), c.client, c.server};
      BOOST_TEST(control.say(0, c.command) == c.command);
      const bool passive = *c.reply != 0;
      if (passive) BOOST_TEST(control.say(1, c.reply) == c.reply);
      // Not by another port, and not from the other side.
      const auto data = [&](std::uint16_t port, bool by_client) {
        return by_client ? from_client(gate, port, c.client, c.server)
                         : from_server(gate, port, c.server, c.client);
      };
      BOOST_TEST(data(static_cast<std::uint16_t>(c.port + 1), passive).connect() == "default-deny");
      BOOST_TEST(data(c.port, !passive).connect() == "default-deny");
      Talk first = data(c.port, passive);
      BOOST_TEST(first.connect() == "allowed");
      BOOST_TEST(first.say(0, "some data") == "some data");
      BOOST_TEST(first.say(1, "PORT 10,64,37,9,200,1\r\n") == "PORT 10,64,37,9,200,1\r\n");
      // Used up; and what the data said opens nothing.
      Talk again = data(c.port, passive);
      again.ends[0].own_port = 21000;
      BOOST_TEST(again.connect() == "default-deny");
      BOOST_TEST(from_server(gate, 51201, c.server, c.client).connect() == "default-deny");
      // It is told of as a flow of the control connection's rule, service and unit.
      const std::vector<Event> events = gate.events();
      BOOST_REQUIRE(events.size() >= 2U);
      unsigned starts = 0;
      for (const Event& event : events) {
        if (event.kind != EventKind::kFlowStart) continue;
        ++starts;
        BOOST_TEST((event.rule == RuleId{0} && event.service == ServiceId{0}));
        BOOST_TEST((event.unit == UnitId{0} && event.to_unit == UnitId{2}));
        BOOST_TEST((event.translated_source == net::Address{}));
      }
      BOOST_TEST(starts == 2U);
      BOOST_TEST(control.say(0, "NOOP\r\n") == "NOOP\r\n");
    }
  }
}

// Each is dropped with its reason, and opens nothing.
BOOST_AUTO_TEST_CASE(what_may_not_be_announced) {
  struct Case {
    const char* name;
    bool asks;  // PASV has been said
    unsigned who;
    const char* text;
    const char* want;
  };
  const Case cases[] = {
      {"a third party (RFC 2577 section 3)", false, 0, "PORT 10,64,37,10,195,80\r\n",
       "helper-refused"},
      {"the server itself", false, 0, "PORT 59,205,16,10,195,80\r\n", "helper-refused"},
      {"a well-known port", false, 0, "PORT 10,64,37,9,3,255\r\n", "helper-refused"},
      {"extended, a third party", false, 0, "EPRT |1|10.64.37.10|50000|\r\n", "helper-refused"},
      {"by a reply, a third party", true, 1, "227 Mode (59,205,16,11,200,1)\r\n", "helper-refused"},
      {"by a reply, the client", true, 1, "227 Mode (10,64,37,9,200,1)\r\n", "helper-refused"},
      {"by a reply, a well-known port", true, 1, "229 Mode (|||139|)\r\n", "helper-refused"},
      {"badly written", false, 0, "PORT 10,64,37,9,195\r\n", "helper-invalid"},
      {"badly written reply", true, 1, "227 Mode\r\n", "helper-invalid"},
      {"two at once", false, 0, "PORT 10,64,37,9,195,80\r\nPORT 10,64,37,9,195,81\r\n",
       "helper-invalid"},
      {"a reply that nobody asked for", false, 1, "227 Mode (59,205,16,10,200,1)\r\n", ""},
      {"text in a reply of several lines", false, 1, "220-\r\n227 (59,205,16,10,200,1)\r\n", ""},
      {"in the middle of a line", false, 0, "SITE PORT 10,64,37,9,195,80\r\n", ""},
      {"a line that is too long", false, 0, nullptr, ""},
  };
  const std::string long_line = std::string(200, ' ') + "\nNOOP PORT 10,64,37,9,195,80\r\n";
  for (const Case& c : cases) {
    BOOST_TEST_CONTEXT(c.name) {
      Gate gate;
      Control control{gate};
      if (c.asks) (void)control.say(0, "PASV\r\n");
      const std::string text = c.text != nullptr ? c.text : long_line;
      BOOST_TEST(control.say(c.who, text) == (*c.want != 0 ? c.want : text));
      BOOST_TEST(from_server(gate, 50000).connect() == "default-deny");
      BOOST_TEST(from_client(gate, 51201).connect() == "default-deny");
    }
  }
}

BOOST_AUTO_TEST_CASE(only_what_is_read_whole_and_in_order_passes) {
  Gate gate;
  Control control{gate};
  const std::string_view port = "PORT 10,64,37,9,195,80\r\n";
  BOOST_TEST(control.send(0, control.frame(0, "PA", port, 1)).reason == "helper-invalid");
  Bytes wrong = control.frame(0, "PA", port);
  wrong.back() ^= 0x20;
  BOOST_TEST(control.send(0, wrong).reason == "helper-invalid");
  // In fragments.
  const Bytes whole = control.frame(0, "PA", port);
  const auto fragment = [&](std::size_t from, std::size_t to, std::uint16_t bits) {
    const Bytes part(whole.begin() + 34 + static_cast<std::ptrdiff_t>(from),
                     whole.begin() + 34 + static_cast<std::ptrdiff_t>(to));
    return ethernet(ipv4(kClient, kServer, 6, part, {.fragment = bits}));
  };
  std::vector<Bytes> memory{fragment(0, 24, 0x2000), fragment(24, whole.size() - 34, 3)};
  std::vector<Frame> frames;
  for (Bytes& bytes : memory) {
    const auto length = static_cast<std::uint32_t>(bytes.size());
    bytes.insert(bytes.begin(), Frame::kHeadroom, 0);
    frames.push_back({bytes.data() + Frame::kHeadroom, length, kLan});
  }
  std::vector<Fate> fates(2);
  gate.pipeline->process(world().image(), gate.moment, gate.generation, gate.now, frames, fates);
  BOOST_TEST(gate.pipeline->released(frames, fates) == 2U);
  BOOST_TEST((fates[0].reason == Reason::kHelperInvalid));
  BOOST_TEST(from_server(gate, 50000).connect() == "default-deny");
  // Cut over two segments, it is put together; and said again, it opens nothing anew.
  BOOST_TEST(control.say(0, "PORT 10,64,37") == "PORT 10,64,37");
  BOOST_TEST(control.say(0, ",9,195,80\r") == ",9,195,80\r");
  BOOST_TEST(from_server(gate, 50000).connect() == "default-deny");
  BOOST_TEST(control.say(0, "\n") == "\n");
  BOOST_TEST(from_server(gate, 50000).connect() == "allowed");
  const Bytes late = control.frame(0, "PA", port, -static_cast<int>(port.size()));
  BOOST_TEST(control.send(0, late).reason == "allowed");
  Talk again = from_server(gate, 50000);
  again.ends[0].own_port = 21;
  BOOST_TEST(again.connect() == "default-deny");
  // A SYN that says something.
  Talk eager{gate, world(), kLan, kClient, 40001, kCore, kServer, 443};
  BOOST_TEST(eager.send(0, eager.frame(0, "S", "PASV\r\n")).reason == "helper-invalid");
  // Without the helper nobody listens.
  const World deaf;
  Gate other;
  Control plain{other, deaf};
  BOOST_TEST(plain.say(0, port) == port);
  BOOST_TEST(Talk(other, deaf, kCore, kServer, 20, kLan, kClient, 50000).connect() ==
             "default-deny");
}

void wait(Gate& gate, std::uint64_t seconds) {
  for (std::uint64_t ms = 0; ms < seconds * 1000; ms += 500) {
    gate.now += 500;
    gate.pipeline->expire(gate.now);
  }
}

BOOST_AUTO_TEST_CASE(an_announcement_is_forgotten) {
  Gate gate;
  Control control{gate};
  (void)control.say(0, "PORT 10,64,37,9,195,80\r\n");
  wait(gate, 59);
  BOOST_TEST(from_server(gate, 50000).connect() == "allowed");
  (void)control.say(0, "PORT 10,64,37,9,195,81\r\n");
  wait(gate, 61);
  BOOST_TEST(from_server(gate, 50001).connect() == "default-deny");
  // By the next one.
  (void)control.say(0, "PORT 10,64,37,9,195,82\r\n");
  (void)control.say(0, "PASV\r\n");
  (void)control.say(1, "227 Mode (59,205,16,10,200,1)\r\n");
  BOOST_TEST(from_server(gate, 50002).connect() == "default-deny");
  // And with the control connection, what it has opened, too.
  Talk data = from_client(gate, 51201);
  BOOST_TEST(data.connect() == "allowed");
  (void)control.say(0, "PORT 10,64,37,9,195,83\r\n");
  BOOST_TEST(control.send(1, control.frame(1, "R")).reason == "allowed");
  BOOST_TEST(from_server(gate, 50003).connect() == "default-deny");
  BOOST_TEST(data.say(0, "more") == "tcp-no-state");
  BOOST_TEST(gate.pipeline->live_flows() == 0U);
}

BOOST_AUTO_TEST_CASE(a_control_connection_lives_while_its_data_flow) {
  Gate gate;
  Control control{gate};
  (void)control.say(0, "PASV\r\n");
  (void)control.say(1, "227 Mode (59,205,16,10,200,1)\r\n");
  Talk data = from_client(gate, 51201);
  BOOST_TEST(data.connect() == "allowed");
  for (int i = 0; i < 5; ++i) {
    wait(gate, 7000);  // RFC 5382 REQ-5: idle for longer, both would be forgotten
    BOOST_TEST(data.say(1, "more") == "more");
  }
  BOOST_TEST(control.say(1, "226 Done\r\n") == "226 Done\r\n");
}

// A flow that was opened stands and falls with the one that announced it.
BOOST_AUTO_TEST_CASE(data_is_judged_again_with_its_control_connection) {
  const World same{{.helper = image::Helper::kFtp}};
  const World denies{{.allow = false, .helper = image::Helper::kFtp}};
  const World deaf;
  struct Case {
    const char* name;
    const World& next;
    const char* want;
    const char* control;
  };
  const Case cases[] = {{"the same again", same, "more", "NOOP\r\n"},
                        {"no rule any more", denies, "revoked", "tcp-no-state"},
                        {"no helper any more", deaf, "revoked", "NOOP\r\n"}};
  for (const Case& c : cases) {
    for (const bool control_first : {false, true}) {
      BOOST_TEST_CONTEXT(c.name << (control_first ? ", the control connection first" : "")) {
        Gate gate;
        Control control{gate};
        (void)control.say(0, "PASV\r\n");
        (void)control.say(1, "227 Mode (59,205,16,10,200,1)\r\n");
        Talk data = from_client(gate, 51201);
        BOOST_TEST(data.connect() == "allowed");
        (void)control.say(0, "PORT 10,64,37,9,195,80\r\n");
        ++gate.generation;
        control.live_under(c.next);
        data.live_under(c.next);
        if (control_first) {
          const bool denied = &c.next == &denies;
          BOOST_TEST(control.say(0, "NOOP\r\n") == (denied ? "revoked" : "NOOP\r\n"));
          const bool stands = &c.next == &same;
          BOOST_TEST(data.say(1, "more") == (stands ? "more" : "tcp-no-state"));
        } else {
          BOOST_TEST(data.say(1, "more") == c.want);
          BOOST_TEST(control.say(0, "NOOP\r\n") == c.control);
        }
        Talk active = from_server(gate, 50000);
        active.live_under(c.next);
        BOOST_TEST(active.connect() == (&c.next == &same ? "allowed" : "default-deny"));
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(tables_of_the_helper_run_out_by_name) {
  Gate gate{{.flow_capacity = 1024, .assume_resolved = true, .hash_seed = 1, .helpers = 2}};
  Control first{gate, world(), kClient, kServer, 1};
  Control second{gate, world(), kClient, kServer, 2};
  Talk third{gate, world(), kLan, kClient, 3, kCore, kServer, 443};
  BOOST_TEST(third.connect() == "helper-full");
  // Of eight data connections that there is room for, the last is for another unit.
  std::vector<std::string> fates;
  for (std::uint16_t i = 0; i < 9; ++i) {
    const std::string text = "PORT 10,64,37,9,195," + std::to_string(i) + "\r\n";
    fates.push_back(first.say(0, text));
    if (fates.back() != text) break;
    BOOST_TEST(from_server(gate, static_cast<std::uint16_t>(195 * 256 + i)).connect() == "allowed");
  }
  BOOST_TEST(fates.size() == 8U);
  BOOST_TEST(fates.back() == "helper-full");
  BOOST_TEST(first.send(0, first.frame(0, "RA")).reason == "allowed");
  BOOST_TEST(gate.pipeline->live_flows() == 1U);
  BOOST_TEST(third.connect() == "allowed");
}

}  // namespace
}  // namespace meiguan::fastpath
