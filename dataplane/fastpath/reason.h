#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace meiguan::fastpath {

enum class Verdict : std::uint8_t { kForward, kDrop, kLocal };

// How a packet ended. The verdict follows from the reason, so that the two cannot contradict.
// The value of an enumerator is the reason's lasting code.
enum class Reason : std::uint8_t {
#define REASON(enumerator, name, verdict, code, english, chinese) enumerator = code,
#include "dataplane/fastpath/reason.def"
#undef REASON
};
inline constexpr std::size_t kReasonCodes = 128;  // counters are indexed by code

struct ReasonInfo {
  Reason reason;
  Verdict verdict;
  std::string_view name;
  std::string_view english;
  std::string_view chinese;
};

inline constexpr ReasonInfo kReasons[] = {
#define REASON(enumerator, name, verdict, code, english, chinese) \
  {Reason::enumerator, Verdict::verdict, name, english, chinese},
#include "dataplane/fastpath/reason.def"
#undef REASON
};

// By code. Not inside the function, which would build it anew for every packet.
inline constexpr auto kVerdicts = [] {
  std::array<Verdict, kReasonCodes> table{};
  table.fill(Verdict::kDrop);
  for (const ReasonInfo& info : kReasons) {
    table[static_cast<std::size_t>(info.reason)] = info.verdict;
  }
  return table;
}();

// A code that no reason has reads as a drop.
[[nodiscard]] constexpr Verdict verdict_of(Reason reason) noexcept {
  return kVerdicts[static_cast<std::size_t>(reason) % kReasonCodes];
}

// Nothing for a code that no reason has.
[[nodiscard]] constexpr const ReasonInfo* find_reason(Reason reason) noexcept {
  for (const ReasonInfo& info : kReasons) {
    if (info.reason == reason) return &info;
  }
  return nullptr;
}
[[nodiscard]] constexpr const ReasonInfo* find_reason(std::string_view name) noexcept {
  for (const ReasonInfo& info : kReasons) {
    if (info.name == name) return &info;
  }
  return nullptr;
}

[[nodiscard]] constexpr std::string_view name_of(Verdict verdict) noexcept {
  switch (verdict) {
    case Verdict::kForward: return "forward";
    case Verdict::kLocal: return "local";
    case Verdict::kDrop: break;
  }
  return "drop";
}

}  // namespace meiguan::fastpath
