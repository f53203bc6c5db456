#pragma once

#include "dataplane/base/strong_id.h"
#include "dataplane/fastpath/reason.h"

namespace meiguan::fastpath {

// What is decided of a packet. Born a drop; carries no verdict that could contradict the reason.
struct Decision {
  Reason reason{Reason::kDefaultDeny};
  RuleId rule;  // the deciding rule; none before the rules and for default-deny

  [[nodiscard]] constexpr Verdict verdict() const noexcept { return verdict_of(reason); }
  [[nodiscard]] constexpr bool forwards() const noexcept { return verdict() == Verdict::kForward; }
};

}  // namespace meiguan::fastpath
