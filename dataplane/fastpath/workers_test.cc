// Two workers at once, with all that threads share of the fast path: the policies in force one
// after the other, the neighbours that somebody else writes, counters and events that somebody else
// reads. Each packet is judged by one policy, and each is counted once.

#include <boost/test/unit_test.hpp>

#include <array>
#include <atomic>
#include <thread>
#include <vector>

#include "dataplane/fastpath/neighbour_table.h"
#include "dataplane/fastpath/pipeline_fixture.h"

namespace meiguan::fastpath::test {
namespace {

constexpr unsigned kSwaps = 300;
constexpr unsigned kBursts = 2000;
constexpr std::size_t kBurst = 32;

struct InForce {
  const World* world{nullptr};
  bool allows{false};
  std::uint32_t generation{0};
};

struct Worker {
  explicit Worker(unsigned number, const NeighbourTable& neighbours)
      : gate{{.flow_capacity = 4096, .hash_seed = number + 1, .workers = 2, .worker = number},
             &neighbours} {
    for (std::uint16_t n = 0; n < kBurst; ++n) {
      frames.push_back(ethernet(ipv4("10.64.37.9", "59.205.16.10", 17,
                                     udp(static_cast<std::uint16_t>(2000 + n), 53, 20))));
    }
  }

  void run(const std::atomic<const InForce*>& in_force) {
    for (unsigned burst = 0; burst < kBursts; ++burst) {
      const InForce& now = *in_force.load(std::memory_order_acquire);
      gate.generation = now.generation;
      for (const Gate::Out& out : gate.send(kLan, frames, *now.world)) {
        // Without a neighbour it waits for one; that is asked when it may go.
        const bool goes = out.fate.reason == Reason::kAllowed;
        if (goes != now.allows) ++misjudged;
      }
      gate.now += 10;
      gate.pipeline->expire(gate.now);
    }
    done.store(true, std::memory_order_release);
  }

  Gate gate;
  std::vector<Bytes> frames;
  unsigned misjudged{0};
  std::atomic<bool> done{false};
};

BOOST_AUTO_TEST_CASE(two_workers_share_what_others_write_and_read) {
  const World allows{{.allow = true}};
  const World denies{{.allow = false}};
  std::vector<InForce> policies(kSwaps);
  for (std::uint32_t i = 0; i < kSwaps; ++i) {
    const bool allow = i % 2 == 0;
    policies[i] = {allow ? &allows : &denies, allow, i + 1};
  }
  std::atomic<const InForce*> in_force{policies.data()};
  NeighbourTable neighbours{64};
  std::array<Worker, 2> workers{Worker{0, neighbours}, Worker{1, neighbours}};
  std::array<std::thread, 2> threads;
  for (std::size_t i = 0; i < 2; ++i) {
    threads[i] = std::thread{[&, i] { workers[i].run(in_force); }};
  }
  std::array<std::uint64_t, 2> seen{};
  std::size_t events = 0;
  bool falls = false;
  std::array<Event, 64> taken;
  for (unsigned round = 0; !workers[0].done.load(std::memory_order_acquire) ||
                           !workers[1].done.load(std::memory_order_acquire);
       ++round) {
    if (round < kSwaps) in_force.store(&policies[round], std::memory_order_release);
    const net::Address hop = net::Address::v4(0x3bcd'1000U + round % 80);
    if (round % 3 == 0) {
      neighbours.forget(kCore, hop);
    } else {
      static_cast<void>(neighbours.set(kCore, hop, {2, 0, 0, 0, 0, 1}));
    }
    for (std::size_t i = 0; i < 2; ++i) {
      const std::uint64_t packets = workers[i].gate.counters.totals().packets.value();
      falls = falls || packets < seen[i];
      seen[i] = packets;
      events += workers[i].gate.ring.pop(taken);
    }
  }
  for (std::thread& thread : threads) thread.join();
  BOOST_TEST(!falls);
  BOOST_TEST(events != 0U);
  for (const Worker& worker : workers) {
    BOOST_TEST(worker.misjudged == 0U);
    std::uint64_t by_reason = 0;
    for (std::size_t r = 0; r < kReasonCodes; ++r) {
      by_reason += worker.gate.counters.reason(static_cast<Reason>(r)).traffic.packets.value();
    }
    BOOST_TEST(by_reason == worker.gate.counters.totals().packets.value());
  }
}

}  // namespace
}  // namespace meiguan::fastpath::test
