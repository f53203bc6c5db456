#pragma once

// A client of unit 0 and a server of unit 2 talk through a gate, for tests.

#include <boost/test/unit_test.hpp>

#include <string>
#include <string_view>
#include <vector>

#include "dataplane/fastpath/pipeline_fixture.h"

namespace meiguan::fastpath::test {

inline constexpr std::string_view kClient = "10.64.37.9";
inline constexpr std::string_view kServer = "59.205.16.10";

inline Bytes request(const Bytes& payload, std::uint8_t protocol = 6, const Ipv4Options& o = {}) {
  return ethernet(ipv4(kClient, kServer, protocol, payload, o));
}
inline Bytes answer(const Bytes& payload, std::uint8_t protocol = 6, const Ipv4Options& o = {}) {
  return ethernet(ipv4(kServer, kClient, protocol, payload, o));
}

// One packet of a conversation: who sends it, and how it ends.
struct Step {
  char who;  // c: the client; s: the server
  Bytes payload;
  std::string want;
  Tick wait{0};  // milliseconds before it
};

inline void converse(const std::string& name, std::uint8_t protocol,
                     const std::vector<Step>& steps) {
  const World world;
  Gate gate;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const Step& step = steps[i];
    gate.now += step.wait;
    const bool client = step.who == 'c';
    const Gate::Out got =
        gate.send(client ? kLan : kCore,
                  client ? request(step.payload, protocol) : answer(step.payload, protocol), world);
    BOOST_TEST(got.reason() == step.want, name << ", packet " << i);
    if (got.fate.reason == Reason::kAllowed) {
      BOOST_TEST(got.fate.reply == !client, name << ", packet " << i);
      BOOST_TEST((got.fate.unit == UnitId{0} && got.fate.to_unit == UnitId{2}), name);
      BOOST_TEST((got.fate.rule == RuleId{0} && got.fate.service == ServiceId{0}), name);
      BOOST_TEST((got.fate.out == (client ? kCore : kLan)), name);
    }
  }
}

}  // namespace meiguan::fastpath::test
