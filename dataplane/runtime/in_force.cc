#include "dataplane/runtime/in_force.h"

#include <utility>

namespace meiguan::runtime {

void InForce::take_routes(std::span<const image::LearnedRoute> routes) {
  with_learned.reset();
  learned = nullptr;
  if (routes.empty()) return;
  learned = std::make_shared<const image::LearnedRoutes>(loaded->image(), routes);
  with_learned = learned->over(loaded->image());
}

void InForce::take_blocks(std::shared_ptr<LoadedBlocks> list, std::int64_t wall_seconds,
                          std::uint32_t revision) {
  blocks = std::move(list);
  block_revision = revision;
  blocked = blocks ? image::Blocks{blocks->list(), image(), wall_seconds} : image::Blocks{};
  block_span = blocks ? image::span_at(blocks->list(), wall_seconds) : image::BlockSpan{};
}

std::unique_ptr<InForce> after_time(const InForce& now, std::int64_t wall_seconds) {
  const bool blocks_change = !now.block_span.covers(wall_seconds);
  const bool conditions_may_change = !now.moment.covers(wall_seconds);
  if (!conditions_may_change && !blocks_change) return nullptr;
  auto next = std::make_unique<InForce>(now);
  bool judge_again = false;
  if (conditions_may_change) {
    next->moment = image::Moment{now.image(), wall_seconds};
    // A time at which nothing changed after all is no change to any flow.
    judge_again = !next->moment.same_conditions(now.moment);
  }
  if (blocks_change) {
    const bool went_back = wall_seconds < now.block_span.from;
    next->take_blocks(now.blocks, wall_seconds, now.block_revision + (went_back ? 1 : 0));
    judge_again = judge_again || went_back;
  }
  if (judge_again) ++next->generation;
  return next;
}

}  // namespace meiguan::runtime
