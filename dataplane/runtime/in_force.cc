#include "dataplane/runtime/in_force.h"

namespace meiguan::runtime {

std::unique_ptr<InForce> after_time(const InForce& now, std::int64_t wall_seconds) {
  if (now.moment.covers(wall_seconds)) return nullptr;
  auto next = std::make_unique<InForce>(now);
  next->moment = image::Moment{now.image(), wall_seconds};
  // A time at which nothing changed after all is no change to any flow.
  if (!next->moment.same_conditions(now.moment)) ++next->generation;
  return next;
}

}  // namespace meiguan::runtime
