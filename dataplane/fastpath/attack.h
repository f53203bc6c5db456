#pragma once

// The kinds of attacks that are told of.

#include <array>
#include <cstdint>
#include <string_view>

namespace meiguan::fastpath {

enum class AttackType : std::uint8_t {
  kNone = 0,
  kSynFlood = 1,
  kUdpFlood = 2,
  kIcmpFlood = 3,
  kVerticalScan = 4,    // many ports from one source
  kHorizontalScan = 5,  // many targets from one source
  kFanOut = 6,          // file sharing or remote desktop of many targets from one source
};

struct AttackInfo {
  AttackType type;
  std::string_view name;  // never changes
  std::string_view english;
  std::string_view chinese;
  bool by_target;  // one target, many sources; else one source, many targets
};

inline constexpr std::array<AttackInfo, 6> kAttacks{{
    {AttackType::kSynFlood, "syn-flood",
     "more connections are opened towards the target than it completes",
     "对目标发起的连接远多于其完成的连接", true},
    {AttackType::kUdpFlood, "udp-flood",
     "more new UDP flows towards the target than any use explains", "对目标新建的 UDP 流数量异常",
     true},
    {AttackType::kIcmpFlood, "icmp-flood",
     "more ICMP requests towards the target than any use explains", "对目标的 ICMP 请求数量异常",
     true},
    {AttackType::kVerticalScan, "vertical-scan", "the source tries many ports in vain",
     "该源地址尝试大量端口未果", false},
    {AttackType::kHorizontalScan, "horizontal-scan", "the source tries many targets in vain",
     "该源地址尝试大量目标未果", false},
    {AttackType::kFanOut, "fan-out",
     "the source turns to file sharing or remote desktop of many targets, as worms do",
     "该源地址连接大量目标的文件共享或远程桌面端口（蠕虫特征）", false},
}};

[[nodiscard]] constexpr const AttackInfo* find_attack(AttackType type) noexcept {
  for (const AttackInfo& info : kAttacks) {
    if (info.type == type) return &info;
  }
  return nullptr;
}

}  // namespace meiguan::fastpath
