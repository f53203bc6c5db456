#pragma once

// Attacks, put together from what the workers tell of them once a second: what goes on against one
// target, or from one source, is one attack from its first event until nothing has been told of it
// for a while.

#include <chrono>
#include <cstdint>
#include <vector>

#include "dataplane/fastpath/event.h"

namespace meiguan::report {

using WallTime = std::chrono::system_clock::time_point;

struct Attack {
  fastpath::AttackType type{};
  SpaceId space;
  net::Address source;       // of a flood: the latest of many
  net::Address destination;  // of a scan: the latest of many
  std::uint8_t protocol{0};
  std::uint16_t destination_port{0};  // the latest
  PortId in;                          // likewise
  UnitId unit;                        // of the source
  UnitId to_unit;
  ServiceId service;
  std::uint64_t packets{0};   // that were told of: at least so many
  std::uint64_t distinct{0};  // of a scan: the most ports or targets told of at once
  WallTime first;
  WallTime last;

  // Whether it may still go on; after that an event begins another one.
  [[nodiscard]] bool goes_on(WallTime now) const noexcept;
};

class AttackBook {
 public:
  static constexpr std::size_t kKept = 1024;

  // An event of kind kAttack. Beyond kKept the one that was heard of longest ago is forgotten.
  void take(const fastpath::Event& event, WallTime at);
  [[nodiscard]] std::vector<Attack> list() const;  // the latest first
  [[nodiscard]] std::uint64_t forgotten() const noexcept { return forgotten_; }
  void clear();

 private:
  std::vector<Attack> attacks_;
  std::uint64_t forgotten_{0};
};

}  // namespace meiguan::report
