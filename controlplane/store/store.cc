#include "controlplane/store/store.h"

#include <algorithm>

namespace meiguan::store {
Applied judge(const std::optional<Watermark>& mark, const Batch& batch) noexcept {
  if (!mark) return Applied::kNow;
  if (batch.epoch < mark->epoch) return Applied::kBefore;
  const std::uint64_t last = batch.epoch == mark->epoch ? mark->sequence : 0;
  if (batch.sequence <= last) return Applied::kBefore;
  const std::uint64_t behind = batch.sequence - 1 - std::min(batch.lost, batch.sequence - 1);
  return behind <= last ? Applied::kNow : Applied::kGap;
}

Result<Applied> Store::append(const Batch& batch) {
  const auto all = append(std::span{&batch, 1});
  if (!all) return std::unexpected{all.error()};
  return all->front();
}

}  // namespace meiguan::store
