#pragma once

// Whether a statement about the whole policy holds: exactly, over all packets (policy.md section
// 7). Nothing is sampled. The matrix is walked by its classes: source points of one row and zone
// are one case, and of a block of columns that many rows share the answer is worked out once.

#include <cstdint>
#include <functional>
#include <optional>
#include <span>

#include "controlplane/analysis/cell_times.h"
#include "controlplane/analysis/reach.h"
#include "controlplane/policy/compile.h"
#include "dataplane/fastpath/decide.h"

namespace meiguan::analysis {

// Packets that all have the same fate: from each of `sources` to each of `targets`, where a family
// of addresses is common to both.
struct Packets {
  std::span<const SourcePoint* const> sources;
  std::span<const TargetPoint* const> targets;
  std::int64_t at{0};  // the first instant at which it is their fate
  bool timed{false};   // at another instant it is not
};

class Prover {
 public:
  // Every instant at or after `from` counts. `reach` must outlive it.
  Prover(const Reach& reach, std::int64_t from);

  // Shows packets inside `points` that are let by at some instant (`let_by`), or that are not, to
  // `visit`, until that answers true or all have been shown. `visit` is called for some of them
  // at least if there is any. Answers whether `visit` did.
  bool find(const policy::AssertionPoints& points, bool let_by,
            const std::function<bool(const Packets&)>& visit);

 private:
  const Reach& reach_;
  BlockTimes blocks_;
};

}  // namespace meiguan::analysis
