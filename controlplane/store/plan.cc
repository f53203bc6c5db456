#include "controlplane/store/plan.h"

#include <algorithm>
#include <limits>

namespace meiguan::store {
namespace {

// The coarsest that steps of so many seconds are made of.
std::size_t coarsest_within(std::int64_t step) {
  std::size_t best = 0;
  for (std::size_t i = 1; i < kLongest; ++i) {
    if (step % kResolution[i].step == 0) best = i;
  }
  return best;
}

// The finest of those from `from` on that is kept for what was then.
std::size_t kept_at(std::int64_t time, std::size_t from, std::int64_t now, const Options& options) {
  while (from + 1 < kLongest && time < now - options.retention[from]) ++from;
  return from;
}

// Whether a row of the resolution stands for all from `time` on until a step later.
bool begins(std::int64_t time, std::int64_t step, const OffsetAt& offset) {
  return bucket_of(time, step, offset) == time &&
         bucket_of(time + step - 1, step, offset) == time &&
         bucket_of(time + step, step, offset) == time + step;
}

// One step of all: at each instant the coarsest row that begins there and ends within.
void cover(const Query& query, const Options& options, std::int64_t longest_since, Plan& plan) {
  // Its files go with those of the days, but a row of it may begin in the file before theirs.
  const auto longest_from = std::max(longest_since, query.now - options.retention[kLongest]);
  const auto finest = kept_at(query.since, 0, query.now, options);
  plan.since = bucket_of(query.since, kResolution[finest].step, options.offset);
  const auto end = bucket_of(query.until + kMinute - 1, kMinute, options.offset);
  for (auto at = plan.since; at < plan.until;) {
    const auto least = kept_at(at, 0, query.now, options);
    auto resolution = at >= longest_from ? kLongest : kLongest - 1;
    while (resolution > least && (at + kResolution[resolution].step > end ||
                                  !begins(at, kResolution[resolution].step, options.offset))) {
      --resolution;
    }
    const auto step = kResolution[resolution].step;
    // Also where an offset changed meanwhile: to the next row, whatever its length.
    const auto next = std::max(bucket_of(at, step, options.offset) + step, at + kMinute);
    if (!plan.parts.empty() && plan.parts.back().resolution == resolution) {
      plan.parts.back().until = next;
    } else {
      plan.parts.push_back({resolution, at, next});
    }
    at = next;
  }
}

}  // namespace

std::int64_t longest_since(bool empty, std::int64_t minute, const Options& options) {
  // Clocks may be ahead by a day: one more is between.
  constexpr std::int64_t kBehind = 2 * kResolution[kLongest].step;
  if (empty) return std::numeric_limits<std::int64_t>::min();
  return bucket_of(minute, kResolution[kLongest].step, options.offset) + kBehind;
}

Plan plan_of(const Query& query, const Options& options, std::int64_t longest_since) {
  Plan plan;
  plan.until = query.until;
  if (query.step == 0) {
    cover(query, options, longest_since, plan);
    return plan;
  }
  const auto resolution = kept_at(query.since, coarsest_within(query.step), query.now, options);
  const std::int64_t fine = kResolution[resolution].step;
  plan.step = (query.step + fine - 1) / fine * fine;
  plan.since = bucket_of(query.since, plan.step, options.offset);
  plan.parts.push_back({resolution, plan.since, plan.until});
  return plan;
}

}  // namespace meiguan::store
