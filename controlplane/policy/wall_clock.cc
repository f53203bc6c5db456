#include "controlplane/policy/wall_clock.h"

#include <algorithm>
#include <limits>

namespace meiguan::policy {
namespace {

constexpr std::int64_t kEarliest = std::numeric_limits<std::int64_t>::min();
constexpr std::int32_t kShanghai = 8 * 3600;

}  // namespace

std::vector<image::UtcOffset> utc_offsets(std::string_view timezone) {
  if (timezone == "Asia/Shanghai") return {{kEarliest, kShanghai, 0}};
  if (timezone == "UTC") return {{kEarliest, 0, 0}};
  return {};
}

std::int64_t instant_of(std::span<const image::UtcOffset> offsets, std::int64_t local) {
  for (std::size_t i = 0; i < offsets.size(); ++i) {
    const std::int64_t instant = local - offsets[i].seconds;
    const bool last = i + 1 == offsets.size();
    if (last || instant < offsets[i + 1].at) return std::max(instant, offsets[i].at);
  }
  return local;
}

}  // namespace meiguan::policy
