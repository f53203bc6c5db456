#pragma once

// Floods and scans, found by what came to nothing.
//
//   floods   first packets in a second towards one destination, of one kind. The caller reports
//            SYNs only where they are refused or the destination already has many connections half
//            open, so that a popular server is no alarm.
//   scans    what a source tried in vain in the last minute: refused by the rules, or a flow that
//            ended without an answer. Ports and targets are told apart by a bit each out of 256
//            (linear counting: Whang et al., 1990), so that trying again adds nothing, and two
//            scans at the same time do not hide each other.
//            A resolver or a proxy of many fails here and there, too: who turned to four times as
//            many targets, in these minutes, as it failed at is busy and no scanner.
//   fan-out  targets whose file sharing or remote desktop a source turned to, answered or not.
//
// All memory is fixed. Floods are counted in shared cells (two_rows.h). Of sources only those that
// fail are held; one that is new takes the cell of one whose minute is over, or wears down the one
// with less to show, the harder the more that has: made-up sources, which fail once each, do not
// drive out a scanner.

#include <array>
#include <cstdint>
#include <vector>

#include "dataplane/fastpath/attack.h"
#include "dataplane/fastpath/flow_key.h"
#include "dataplane/fastpath/two_rows.h"

namespace meiguan::fastpath {

// From how many on something is an attack; 0: never told of.
struct AttackThresholds {
  std::uint32_t syn_flood{1000};  // first packets a second towards one destination
  std::uint32_t udp_flood{50'000};
  std::uint32_t icmp_flood{2000};      // all requests and replies
  std::uint32_t vertical_scan{100};    // ports in a minute
  std::uint32_t horizontal_scan{200};  // targets in a minute
  std::uint32_t fan_out{32};           // targets in a minute
  bool operator==(const AttackThresholds&) const = default;
};

// What is worth telling of now; type kNone: nothing.
struct Sighting {
  AttackType type{AttackType::kNone};
  std::uint32_t packets{0};   // since it was last told of
  std::uint32_t distinct{0};  // of a scan: about how many ports or targets
};

class AttackDetector {
 public:
  AttackDetector(std::uint32_t flow_capacity, std::uint64_t seed);

  // Takes on thresholds; each of several workers sees its share of the packets.
  void begin(const AttackThresholds& thresholds, std::uint32_t workers) noexcept;

  // One more packet of this kind towards the key's destination; `type` is one of the floods. `now`
  // in milliseconds.
  [[nodiscard]] Sighting flood(AttackType type, const FlowKey& key, std::uint64_t now) noexcept;
  // The key's source has tried its destination and port in vain.
  [[nodiscard]] Sighting failed(const FlowKey& key, std::uint64_t now) noexcept;
  // Fetches what it will look at.
  void prefetch(const FlowKey& key) noexcept;
  // The key's source, which has very many flows, has opened one more; it may yet fail.
  void turned(const FlowKey& key, std::uint64_t now) noexcept;
  // The key's source has turned to a port that worms use, whatever came of it.
  [[nodiscard]] Sighting spread(const FlowKey& key, std::uint64_t now) noexcept;
  [[nodiscard]] static constexpr bool is_worm_port(std::uint16_t port) noexcept {
    return port == 445 || port == 3389;
  }

 private:
  static constexpr std::uint64_t kScanWindow = 60'000;
  static constexpr unsigned kFloods = 3;

  struct FloodCell {
    std::uint32_t second{0};
    std::array<std::uint32_t, kFloods> packets{};
  };
  static_assert(sizeof(FloodCell) == 16);

  // What one source tried since `begun`.
  struct alignas(64) ScanCell {
    std::array<std::uint64_t, 4> ports{};
    std::array<std::uint64_t, 4> targets{};
    std::uint64_t worm_targets{0};
    std::uint64_t begun{0};
    std::uint32_t tag{0};
    std::uint16_t evidence{0};               // bits set
    std::uint16_t epoch{0};                  // in which `turned` was begun
    std::array<std::uint32_t, 3> untold{};   // attempts, by kind of scan
    std::array<std::uint32_t, 3> told_at{};  // the second in which it was last told of
    // One in sixteen of the targets that it opened flows to, in this epoch and in the one before.
    std::array<std::uint64_t, 2> turned{};
  };
  static_assert(sizeof(ScanCell) == 128);

  [[nodiscard]] std::array<ScanCell*, 2> cells_of(std::uint64_t hash) noexcept;
  static void pass_epoch(ScanCell& cell, std::uint64_t now) noexcept;
  [[nodiscard]] ScanCell* cell_of(const FlowKey& key, std::uint64_t now) noexcept;
  [[nodiscard]] Sighting seen(ScanCell& cell, AttackType type, unsigned bits, unsigned of,
                              std::uint32_t threshold_bits) const noexcept;
  void pass_time(std::uint64_t now) noexcept;
  [[nodiscard]] std::uint64_t mixed(const net::Address& address, std::uint64_t with) const noexcept;

  HashSeed seed_;
  AttackThresholds thresholds_;
  std::array<std::uint32_t, kFloods> flood_from_{};
  // Thresholds of scans as numbers of bits that so many different things set; 0: never.
  std::uint32_t port_bits_{0};
  std::uint32_t target_bits_{0};
  std::uint32_t worm_bits_{0};
  std::uint32_t second_{1};  // of the caller's clock, from 1
  std::uint64_t second_ends_{0};
  std::uint64_t random_;
  TwoRows<FloodCell> floods_;
  std::vector<ScanCell> scans_;
};

}  // namespace meiguan::fastpath
