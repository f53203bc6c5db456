#pragma once

// Which live flows another policy would cut: each judged as its next packet would be, by the other
// policy's image, offline.

#include <cstdint>
#include <optional>
#include <vector>

#include "controlplane/lifecycle/bundle.h"
#include "dataplane/fastpath/event.h"
#include "dataplane/fastpath/judge.h"

namespace meiguan::daemon {

struct CutFlow {
  fastpath::Event event;  // ids of the policy in force
  fastpath::Reason reason{};
  RuleId rule;  // of the other policy; none where no rule decides
};

class FlowJudge {
 public:
  // At `now`, seconds since 1970. Both must outlive it.
  FlowJudge(const lifecycle::Bundle& in_force, const lifecycle::Bundle& next, std::int64_t now);

  // Nothing where the flow would go on. A terminal's MAC is not asked, and translations are taken
  // to stay what they are.
  [[nodiscard]] std::optional<CutFlow> judge(const fastpath::Event& flow) const;

 private:
  const image::Image& image_;
  image::Moment moment_;
  std::vector<PortId> port_of_;  // by PortId of the policy in force; none: it is gone
};

}  // namespace meiguan::daemon
