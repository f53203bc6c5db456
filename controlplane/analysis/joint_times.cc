#include "controlplane/analysis/joint_times.h"

#include <vector>

#include "controlplane/analysis/cell_times.h"
#include "controlplane/analysis/instants.h"
#include "dataplane/fastpath/decide.h"

namespace meiguan::analysis {
namespace {

using image::Cell;
using image::Image;
using image::kNone;

bool is_branch(const Answer& answer) {
  return answer.cell != kNone && (answer.cell & image::kBranchBit) != 0;
}

}  // namespace

WhenDiffers JointTimes::of(const Sides<Answer>& answers) {
  if (!is_branch(answers[0]) && !is_branch(answers[1])) {
    const bool before = lets_by(0, answers[0], {});
    const bool after = lets_by(1, answers[1], {});
    WhenDiffers result;
    if (after && !before) result.gains = from_;
    if (before && !after) result.loses = from_;
    return result;
  }
  const std::tuple key{answers[0].cell, answers[0].isolation.bits, answers[1].cell,
                       answers[1].isolation.bits};
  const auto [it, is_new] = known_.try_emplace(key);
  if (is_new) it->second = sweep(answers);
  return it->second;
}

bool JointTimes::lets_by(std::size_t side, const Answer& answer,
                         const image::Moment& moment) const {
  if (answer.cell == kNone) return false;
  const Image& image = *sides_[side].image;
  return fastpath::decide(image, answer.isolation, image.outcome(answer.cell, moment))
      .decision.forwards();
}

WhenDiffers JointTimes::sweep(const Sides<Answer>& answers) const {
  std::vector<ConditionRef> refs;
  std::vector<std::size_t> side_of;
  for (const std::size_t side : {kBefore, kAfter}) {
    if (!is_branch(answers[side])) continue;
    for (const auto condition : conditions_of(*sides_[side].image, answers[side].cell)) {
      refs.push_back({sides_[side].image, condition});
      side_of.push_back(side);
    }
  }
  WhenDiffers result;
  const auto all = constellations(refs, from_);
  result.timed = all.size() > 1;
  for (const Constellation& one : all) {
    Sides<image::Moment> moments;
    for (std::size_t i = 0; i < refs.size(); ++i) {
      moments[side_of[i]].suppose(refs[i].condition, one.holds[i]);
    }
    const bool before = lets_by(0, answers[0], moments[0]);
    const bool after = lets_by(1, answers[1], moments[1]);
    if (after && !before && !result.gains) result.gains = one.first;
    if (before && !after && !result.loses) result.loses = one.first;
  }
  return result;
}

}  // namespace meiguan::analysis
