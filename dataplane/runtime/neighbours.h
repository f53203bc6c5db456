#pragma once

// Who answers for which next hop: asks (ARP, ND), remembers, asks again, forgets, and holds packets
// meanwhile. Writes what it learns into the NeighbourTable that the workers read.
//
//   unresolved --answer--> reachable --30 s--> stale --answer--> reachable
//       |3 s without            |another MAC is claimed ^            |3 s without
//       v                       +-----------------------+            v
//   forgotten, held packets given up                             forgotten
//
// What is learned only on these conditions, so that nobody can divert traffic by a word: an answer
// that was asked for; or a request to one of our addresses from an address that is on-link at that
// very port and that we know nothing of (it must then confirm itself at once). A MAC that is known
// is never replaced while its owner still answers: another claim only makes us ask the owner.
// Static neighbours never change. Free of DPDK, clocks and I/O.

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "dataplane/fastpath/neighbour_table.h"
#include "dataplane/fastpath/pipeline.h"
#include "dataplane/runtime/interfaces.h"
#include "dataplane/runtime/outlet.h"
#include "dataplane/runtime/token_bucket.h"

namespace meiguan::runtime {

enum class NeighbourKind : std::uint8_t { kUnresolved, kReachable, kStale, kStatic };

class Neighbours {
 public:
  static constexpr std::size_t kHeldForOne = 8;
  static constexpr std::size_t kHeldInAll = 1024;
  static constexpr std::size_t kMostUnresolved = 512;  // the oldest gives way (RFC 6583)
  static constexpr unsigned kProbes = 3;
  static constexpr fastpath::Tick kProbeInterval = 1000;
  static constexpr fastpath::Tick kReachable = 30'000;

  Neighbours(fastpath::NeighbourTable& table, std::uint32_t capacity, Outlet& outlet);

  // A new image: keeps what is still true of it. `interfaces` must outlive its use here.
  void adopt(const Interfaces& interfaces, fastpath::Tick now);

  // Holds `packet` until `next_hop` answers at `out`; asks for it unless it is being asked for.
  void hold(PortId out, const net::Address& next_hop, std::unique_ptr<HeldPacket> packet,
            fastpath::Tick now);
  // `address` has sent a request to one of our addresses on `port`.
  void heard_request(const Interface& port, const net::Address& address, const net::MacAddress& mac,
                     fastpath::Tick now);
  // An answer for `address`; `solicited` is what it says of itself (of ARP: a reply to our MAC).
  void heard_answer(const Interface& port, const net::Address& address, const net::MacAddress& mac,
                    bool solicited, fastpath::Tick now);
  // Asks again, ages, forgets: whatever is due.
  void tick(fastpath::Tick now);
  // Gives up everything held: before the end.
  void give_up_all();

  struct Listed {
    PortId port;
    net::Address address;
    net::MacAddress mac;
    NeighbourKind kind;
  };
  // At most `most` neighbours from position `cursor` on.
  [[nodiscard]] std::vector<Listed> list(std::size_t cursor, std::size_t most) const;
  [[nodiscard]] std::size_t size() const noexcept { return entries_.size(); }
  [[nodiscard]] std::size_t held() const noexcept { return held_; }

 private:
  using Key = std::pair<PortId, net::Address>;
  struct Entry {
    NeighbourKind kind{NeighbourKind::kUnresolved};
    net::MacAddress mac{};
    unsigned probes{0};
    fastpath::Tick due{0};  // never of a static one
    std::vector<std::unique_ptr<HeldPacket>> held;
  };
  using Entries = std::map<Key, Entry>;

  void schedule(const Key& key, Entry& entry, fastpath::Tick due);
  void unschedule(const Key& key, const Entry& entry);
  void probe(const Key& key, Entry& entry, fastpath::Tick now);
  // Makes the MAC usable and lets the held packets go; false where the table is full.
  bool resolve(Entries::iterator at, const net::MacAddress& mac, NeighbourKind kind,
               fastpath::Tick due);
  void make_stale(const Key& key, Entry& entry, fastpath::Tick due);
  Entries::iterator forget(Entries::iterator at, fastpath::Reason reason);
  void make_room_for_unresolved();
  void adopt_static(const Interfaces& interfaces);

  fastpath::NeighbourTable& table_;
  std::size_t capacity_;
  Outlet& outlet_;
  const Interfaces* interfaces_{};
  // What the interfaces were, to see which are still the same after a new image.
  std::vector<std::pair<std::string, SpaceId>> identities_;
  Entries entries_;
  std::set<std::pair<fastpath::Tick, Key>> due_;
  std::deque<Key>
      unresolved_order_;  // oldest first; may name ones that are not unresolved any more
  std::size_t unresolved_{0};
  std::size_t held_{0};
  TokenBucket requests_{1000, 200};
};

}  // namespace meiguan::runtime
