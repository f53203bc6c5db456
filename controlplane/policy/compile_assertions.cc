#include "controlplane/policy/compile_assertions.h"

#include <cstddef>
#include <utility>

namespace meiguan::policy {

std::vector<AssertionPoints> find_assertion_points(const CheckedPolicy& policy,
                                                   const TargetPlan& targets,
                                                   const SourcePoints& sources,
                                                   const TargetPoints& target_points,
                                                   const ZoneColumns& columns) {
  std::vector<AssertionPoints> result;
  const std::size_t zones = policy.zones.size();
  const std::size_t width = zones + 1;
  for (const Assertion& assertion : policy.assertions) {
    const Bits from = sources.matching(assertion.from, assertion.except_from);
    const Bits to = target_points.matching(assertion);
    AssertionPoints points{Bits{sources.groups().size() * width},
                           Bits{targets.targets.size() * width}};
    for (std::size_t zone = 0; zone <= zones; ++zone) {
      const std::size_t column = zone == zones
                                     ? columns.objects()
                                     : columns.of(ZoneId{static_cast<std::uint16_t>(zone)});
      for (std::size_t g = 0; g < sources.groups().size(); ++g) {
        if (from.test(sources.point(g, column))) points.sources.set(g * width + zone);
      }
      for (std::size_t t = 0; t < targets.targets.size(); ++t) {
        if (to.test(target_points.point(t, column))) points.targets.set(t * width + zone);
      }
    }
    result.push_back(std::move(points));
  }
  return result;
}

}  // namespace meiguan::policy
