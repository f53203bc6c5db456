// How long an answer lasts: along the branches of its cell.

#include <algorithm>
#include <cstdint>
#include <limits>
#include <optional>

#include "controlplane/analysis/explain_words.h"

namespace meiguan::analysis {
namespace {

// Where an answer hangs on times and yet stays the same, it is not followed for ever.
constexpr int kMostSteps = 10'000;

struct Answer {
  fastpath::Decision decision;
  std::int64_t ends{std::numeric_limits<std::int64_t>::max()};  // of the conditions asked for it
};

Answer answer_at(const image::Image& image, image::Isolation isolation, image::Cell cell,
                 std::int64_t at) {
  Answer answer;
  while ((cell & image::kBranchBit) != 0) {
    const image::Branch& branch = image.branches()[cell & ~image::kBranchBit];
    const image::ConditionState state = image::condition_at(image, branch.condition, at);
    answer.ends = std::min(answer.ends, state.ends);
    cell = state.holds ? branch.when_holds : branch.otherwise;
  }
  answer.decision = fastpath::decide(image, isolation, image.outcomes()[cell]).decision;
  return answer;
}

}  // namespace

std::optional<std::int64_t> changes_at(const image::Image& image, const fastpath::Subject& subject,
                                       const fastpath::Target& target, std::int64_t at) {
  const image::Isolation isolation = fastpath::isolate(image, subject, target);
  fastpath::Reason reason{};
  if (fastpath::drops(isolation, reason)) return std::nullopt;
  const image::Cell cell = fastpath::cell_of(image, subject, target);
  const Answer first = answer_at(image, isolation, cell, at);
  Answer next = first;
  for (int step = 0; step < kMostSteps; ++step) {
    if (next.ends == std::numeric_limits<std::int64_t>::max()) return std::nullopt;
    const std::int64_t then = next.ends;
    next = answer_at(image, isolation, cell, then);
    if (next.decision.reason != first.decision.reason ||
        next.decision.rule != first.decision.rule) {
      return then;
    }
  }
  return std::nullopt;
}

}  // namespace meiguan::analysis
