#include "controlplane/store/store.h"

#include <algorithm>
#include <limits>

namespace meiguan::store {
namespace {

// The coarsest whose rows fall into the steps asked for; of one step, by how long it is.
std::size_t wanted_resolution(const Query& query) {
  const std::int64_t span = query.until - query.since;
  const auto fits = [&](std::int64_t step) {
    if (query.step > 0) return query.step % step == 0;
    return step == kMinute || (step == 5 * kMinute && span >= 12 * kHour) ||
           (step == kHour && span >= 7 * kDay) || (step == kDay && span >= 100 * kDay);
  };
  std::size_t best = 0;
  for (std::size_t i = 1; i < kResolutions; ++i) {
    if (fits(kResolution[i].step)) best = i;
  }
  return best;
}

}  // namespace

Plan plan_of(const Query& query, const Options& options) {
  Plan plan;
  plan.resolution = wanted_resolution(query);
  while (plan.resolution + 1 < kResolutions &&
         query.since < query.now - options.retention[plan.resolution]) {
    ++plan.resolution;
  }
  const std::int64_t fine = kResolution[plan.resolution].step;
  plan.step = query.step == 0 ? 0 : (query.step + fine - 1) / fine * fine;
  plan.since = bucket_of(query.since, plan.step == 0 ? fine : plan.step, options.offset);
  plan.until = query.until;
  return plan;
}

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

Gather::Gather(const Query& query, const Plan& plan, const OffsetAt& offset)
    : query_{query},
      plan_{plan},
      offset_{offset},
      last_time_{std::numeric_limits<std::int64_t>::min()} {}

std::optional<std::size_t> Gather::group_of(const Key& key) {
  for (const auto& [dimension, values] : query_.filter) {
    if (std::ranges::find(values, key[dimension]) == values.end()) return std::nullopt;
  }
  std::vector<std::string> names;
  for (const auto dimension : query_.by) names.emplace_back(key[dimension]);
  const auto [found, is_new] = groups_.emplace(std::move(names), groups_.size());
  if (is_new) names_.push_back(&found->first);
  return found->second;
}

std::int64_t Gather::step_of(std::int64_t time) {
  return plan_.step == 0 ? plan_.since
                         : std::max(bucket_of(time, plan_.step, offset_), plan_.since);
}

void Gather::add(std::int64_t time, std::size_t group, const Sums& sums, bool dropped) {
  if (time != last_time_ || last_cells_ == nullptr) {
    last_time_ = time;
    last_step_ = step_of(time);
    last_cells_ = &steps_[last_step_];
  }
  auto& cells = *last_cells_;
  if (cells.size() <= group) cells.resize(groups_.size());
  cells[group].sums.add(sums);
  if (dropped) cells[group].denied += sums.packets;
}

void Gather::watch(std::int64_t time, const std::string& node, const Watch& watch) {
  if (const auto wanted = query_.filter.find(Dimension::kNode); wanted != query_.filter.end()) {
    if (std::ranges::find(wanted->second, node) == wanted->second.end()) return;
  }
  watched_[{step_of(time), node}].add(watch);
}

void Gather::add(const Batch& batch) {
  if (batch.minute < plan_.since || batch.minute >= plan_.until) return;
  for (const auto& row : batch.rows) {
    if (const auto group = group_of(row.key)) {
      add(batch.minute, *group, row.sums, row.key.verdict() == "drop");
    }
  }
  watch(batch.minute, batch.node, batch.watch);
}

Answer Gather::take() {
  Answer answer;
  answer.resolution = kResolution[plan_.resolution].step;
  answer.watched = std::move(watched_);
  for (const auto& [time, cells] : steps_) {
    const auto first = answer.rows.size();
    for (std::size_t group = 0; group < cells.size(); ++group) {
      const auto& cell = cells[group];
      if (cell.sums == Sums{}) continue;
      answer.rows.push_back({time, *names_[group], cell.sums, cell.denied});
    }
    std::sort(answer.rows.begin() + static_cast<std::ptrdiff_t>(first), answer.rows.end(),
              [](const AnswerRow& a, const AnswerRow& b) { return a.names < b.names; });
  }
  return answer;
}

}  // namespace meiguan::store
