// Packets in, attacks out: ordinary traffic of a morning is none, and every real attack is one.

#include <boost/test/unit_test.hpp>

#include <cmath>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "controlplane/report/attack_book.h"
#include "dataplane/fastpath/pipeline_fixture.h"

namespace meiguan::report {
namespace {

using namespace fastpath;
using namespace fastpath::test;
using fastpath::test::address;

constexpr unsigned kHosts = 3000;
constexpr WallTime kEpoch{std::chrono::hours{500'000}};

std::string host(unsigned i) {
  return "20.0." + std::to_string(i / 250) + "." + std::to_string(1 + i % 250);
}
std::string server(unsigned i) { return "59.205.16." + std::to_string(20 + i % 200); }
std::string far_away(unsigned i) {
  return "172.20." + std::to_string(i / 250 % 250) + "." + std::to_string(1 + i % 250);
}

// A gateway, and the book that its events are written into.
struct Watched {
  explicit Watched(const image::GatewayLimits& own = {})
      : world{{.gateway_limits = own, .extra_units = 32}},
        gate{{.flow_capacity = 1U << 18, .assume_resolved = true, .hash_seed = 9}} {}

  void pass_to(Tick time) {
    if (time <= gate.now) return;
    gate.now = time;
    gate.pipeline->expire(gate.now);
    write();
  }
  void write() {
    for (const Event& e : gate.events()) {
      if (e.kind == EventKind::kAttack) book.take(e, kEpoch + std::chrono::milliseconds{e.time});
    }
  }
  Reason forth(std::string_view from, std::string_view to, std::uint8_t protocol,
               const Bytes& payload) {
    return send(kLan, from, to, protocol, payload);
  }
  Reason back(std::string_view from, std::string_view to, std::uint8_t protocol,
              const Bytes& payload) {
    return send(kCore, from, to, protocol, payload);
  }
  Reason send(PortId in, std::string_view from, std::string_view to, std::uint8_t protocol,
              const Bytes& payload) {
    const Reason reason =
        gate.send(in, ethernet(ipv4(from, to, protocol, payload)), world).fate.reason;
    if (++sent % 256 == 0) write();
    return reason;
  }
  std::vector<Attack> attacks() {
    write();
    return book.list();
  }

  World world;
  Gate gate;
  AttackBook book;
  std::uint64_t sent{0};
};

// What the people of 3,000 desks do between half past eight and a quarter to nine.
class Morning {
 public:
  explicit Morning(unsigned seed) : random_{seed} {
    for (unsigned k = 0; k < 200; ++k) sums_.push_back((k ? sums_.back() : 0) + 1.0 / (k + 1));
  }

  void play(Watched& w, unsigned seconds) {
    for (unsigned s = 0; s < seconds; ++s) {
      w.pass_to(1000 + Tick{s} * 1000);
      // All come in within five minutes; each then does something every few seconds.
      const unsigned here = std::min(kHosts, kHosts * (s + 1) / 300);
      for (unsigned n = 0; n < here / 12; ++n) {
        if (n % 16 == 0) w.pass_to(w.gate.now + 4);
        act(w, static_cast<unsigned>(random_() % here));
      }
      serve(w, here);
    }
  }

 private:
  [[nodiscard]] bool chance(double share) {
    return std::uniform_real_distribution{}(random_) < share;
  }
  [[nodiscard]] unsigned zipf() {
    const double at = std::uniform_real_distribution{0.0, sums_.back()}(random_);
    return static_cast<unsigned>(std::ranges::lower_bound(sums_, at) - sums_.begin());
  }
  std::uint16_t port() { return static_cast<std::uint16_t>(1024 + next_port_++ % 60'000); }

  void query(Watched& w, const std::string& who, const std::string& whom, double answered) {
    const std::uint16_t from = port();
    w.forth(who, whom, 17, udp(from, 53));
    if (chance(answered)) w.back(whom, who, 17, udp(53, from, 200));
  }
  // A connection that does what it should, is refused, or nobody answers.
  void connect(Watched& w, const std::string& who, const std::string& whom, std::uint16_t to,
               double good) {
    const std::uint16_t from = port();
    if (w.forth(who, whom, 6, tcp(from, to, "S", {.sequence = 1})) != Reason::kAllowed) return;
    if (!chance(good)) {
      if (chance(0.5)) {
        w.back(whom, who, 6, tcp(to, from, "RA", {.sequence = 0, .acknowledgment = 2}));
      }
      return;
    }
    w.back(whom, who, 6, tcp(to, from, "SA", {.sequence = 7, .acknowledgment = 2}));
    w.forth(who, whom, 6, tcp(from, to, "A", {.sequence = 2, .acknowledgment = 8}));
    if (chance(0.3)) return;  // stays open
    w.forth(who, whom, 6, tcp(from, to, "RA", {.sequence = 2, .acknowledgment = 8}));
  }

  void act(Watched& w, unsigned number) {
    const std::string who = host(number);
    query(w, who, "59.205.16.10", 0.99);
    connect(w, who, server(zipf()), 8080, 0.97);
    if (chance(0.2)) connect(w, who, "59.205.16.10", 443, 0.99);
    // Files and printers: a few servers each; asked for, whatever the rules say.
    if (chance(0.1)) connect(w, who, server(number % 4), 445, 1.0);
    // Telephone homes: refused, again and again, a handful of addresses.
    if (chance(0.3)) {
      w.forth(who, "198.51.100." + std::to_string(1 + random_() % 12), 6, tcp(port(), 443, "S"));
    }
    if (chance(0.02)) w.forth(who, server(zipf()), 1, icmp(8, 0));
  }

  // What stands in the rack: a resolver that asks the world, a proxy, a monitor that pings.
  void serve(Watched& w, unsigned here) {
    const std::string resolver = host(1), proxy = host(2), monitor = host(3);
    for (unsigned n = 0; n < here / 30; ++n) {
      query(w, resolver, far_away(static_cast<unsigned>(random_() % 20'000)), 0.95);
      connect(w, proxy, far_away(zipf() * 97 + static_cast<unsigned>(random_() % 40)), 8080, 0.97);
    }
    for (unsigned n = 0; n < 10; ++n) {
      const std::string whom = server(static_cast<unsigned>(random_() % 200));
      w.forth(monitor, whom, 1, icmp(8, 0, static_cast<std::uint16_t>(n + 1)));
      w.back(whom, monitor, 1, icmp(0, 0, static_cast<std::uint16_t>(n + 1)));
    }
  }

  std::mt19937 random_;
  std::vector<double> sums_;
  unsigned next_port_{0};
};

std::string words(const Attack& a) {
  const auto* const info = find_attack(a.type);
  return std::string{info != nullptr ? info->name : "?"} + " from " + net::to_string(a.source) +
         " to " + net::to_string(a.destination) + ", " + std::to_string(a.packets) + " packets, " +
         std::to_string(a.distinct) + " distinct";
}

BOOST_AUTO_TEST_CASE(an_ordinary_morning_raises_no_alarm) {
  const unsigned seed = std::random_device{}();
  Watched w;
  Morning morning{seed};
  morning.play(w, 600);
  // It was a busy one.
  BOOST_TEST(w.gate.counters.totals().flows_created.value() > 200'000U);
  for (const Attack& a : w.attacks()) BOOST_TEST(false, words(a) << ", seed " << seed);
}

struct Case {
  std::string name;
  std::function<void(Watched&, Tick)> each_second;
  AttackType type;
  std::string source;       // of a scan
  std::string destination;  // of a flood
  image::GatewayLimits own{};
};

image::GatewayLimits lower(std::uint32_t image::GatewayLimits::*which, std::uint32_t to) {
  image::GatewayLimits own;
  own.*which = to;
  return own;
}

const std::vector<Case> kAttacks{
    {"SYNs of made-up sources",
     [](Watched& w, Tick second) {
       for (unsigned i = 0; i < 3000; ++i) {
         w.forth(host(static_cast<unsigned>(second) * 7 + i), "59.205.16.10", 6,
                 tcp(static_cast<std::uint16_t>(1024 + i), 443, "S"));
       }
     },
     AttackType::kSynFlood, "", "59.205.16.10"},
    {"UDP to one server",
     [](Watched& w, Tick second) {
       for (unsigned i = 0; i < 4000; ++i) {
         w.forth(host(i % kHosts), "59.205.16.30", 17,
                 udp(static_cast<std::uint16_t>(1024 + second * 4000 + i), 53));
       }
     },
     AttackType::kUdpFlood, "", "59.205.16.30", lower(&image::GatewayLimits::udp_flood, 2000)},
    {"pings to one server",
     [](Watched& w, Tick) {
       for (unsigned i = 0; i < 4000; ++i) w.forth(host(i % kHosts), "59.205.16.10", 1, icmp(8, 0));
     },
     AttackType::kIcmpFlood, "", "59.205.16.10"},
    {"all ports of one server",
     [](Watched& w, Tick second) {
       for (unsigned i = 0; i < 40; ++i) {
         w.forth(host(40), "59.205.16.30", 6,
                 tcp(4000, static_cast<std::uint16_t>(1 + second * 40 + i), "S"));
       }
     },
     AttackType::kVerticalScan, "20.0.0.41", ""},
    {"one port of all",
     [](Watched& w, Tick second) {
       for (unsigned i = 0; i < 40; ++i) {
         w.forth(host(40), far_away(static_cast<unsigned>(second) * 40 + i), 6, tcp(4000, 22, "S"));
       }
     },
     AttackType::kHorizontalScan, "20.0.0.41", ""},
    {"a worm",
     [](Watched& w, Tick second) {
       for (unsigned i = 0; i < 5; ++i) {
         w.forth(host(40), server(static_cast<unsigned>(second) * 5 + i), 6, tcp(4000, 445, "S"));
       }
     },
     AttackType::kFanOut, "20.0.0.41", ""},
};

// In the middle of the morning, once, and with who, whom and when.
BOOST_AUTO_TEST_CASE(every_attack_is_told_of_once) {
  for (const Case& c : kAttacks) {
    Watched w{c.own};
    Morning morning{1};
    morning.play(w, 10);
    const Tick begun = w.gate.now;
    for (Tick second = 0; second < 20; ++second) {
      w.pass_to(begun + second * 1000);
      c.each_second(w, second);
    }
    w.pass_to(begun + 20'000);
    const auto attacks = w.attacks();
    BOOST_TEST_CONTEXT(c.name) {
      BOOST_TEST(attacks.size() == 1U);
      for (const Attack& a : attacks) {
        BOOST_TEST_MESSAGE(words(a));
        BOOST_TEST((a.type == c.type), words(a));
        if (!c.source.empty()) BOOST_TEST((a.source == address(c.source)), words(a));
        if (!c.destination.empty()) BOOST_TEST((a.destination == address(c.destination)), words(a));
        const auto at = [](Tick time) { return kEpoch + std::chrono::milliseconds{time}; };
        BOOST_TEST((a.first >= at(begun) && a.first <= at(begun + 8'000)), words(a));
        BOOST_TEST((a.last >= at(begun + 18'000) && a.last <= at(begun + 20'000)), words(a));
        BOOST_TEST(a.packets > 20U);
      }
    }
  }
}

}  // namespace
}  // namespace meiguan::report
