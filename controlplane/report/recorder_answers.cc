// What a recorder says when it is asked.

#include "controlplane/report/recorder.h"
#include "controlplane/store/gather.h"

namespace meiguan::report {

Result<std::vector<store::AlarmRow>> Recorder::alarms(std::int64_t since) {
  const std::lock_guard storing{storing_};
  if (!store_) return fail("the statistics store is not open", "统计库尚未打开");
  return store_->alarms(since);
}

std::vector<store::AlarmRow> Recorder::alarms_below() const {
  const std::lock_guard lock{mutex_};
  std::vector<store::AlarmRow> rows;
  for (const auto& [node, alarms] : standing_) {
    if (node == node_) continue;
    for (const auto& alarm : alarms) rows.push_back({node, alarm, std::nullopt});
  }
  return rows;
}

Result<std::optional<store::Watermark>> Recorder::watermark(const std::string& source) {
  const std::lock_guard storing{storing_};
  if (!store_) return fail("the statistics store is not open", "统计库尚未打开");
  return store_->watermark(source);
}

Result<std::vector<store::Source>> Recorder::sources() {
  const std::lock_guard storing{storing_};
  if (!store_) return fail("the statistics store is not open", "统计库尚未打开");
  return store_->sources();
}

Result<store::Answer> Recorder::query(const store::Query& query) {
  // Nothing moves from the line into the store meanwhile.
  const std::lock_guard storing{storing_};
  std::vector<store::Batch> fresh;
  {
    const std::lock_guard lock{mutex_};
    fresh = rollup_.open_minutes();
    fresh.insert(fresh.end(), line_.begin(), line_.end());
  }
  if (!store_) {
    return fail("the statistics store is not open", "统计库尚未打开");
  }
  return store_->query(query, fresh);
}

Result<store::Answer> Recorder::ten_seconds(const store::Query& query) {
  std::vector<store::Batch> slots;
  {
    const std::lock_guard lock{mutex_};
    slots = rollup_.ten_seconds(query.since * 1000);
  }
  store::Plan plan;
  plan.since = query.since;
  plan.until = query.until;
  plan.step = query.step;
  const store::OffsetAt none;
  store::Gather gather{query, plan, none};
  for (const auto& slot : slots) gather.add(slot);
  return gather.take();
}

Result<std::vector<store::HitsRow>> Recorder::hits(const std::string& node) {
  const std::lock_guard storing{storing_};
  if (!store_) return fail("the statistics store is not open", "统计库尚未打开");
  return store_->hits(node);
}

Recorder::Status Recorder::status() const {
  const std::lock_guard lock{mutex_};
  Status status = status_;
  status.waiting = line_.size() + urgent_.size() + flow_line_.size();
  status.untold_packets = rollup_.untold_packets();
  status.unfollowed = rollup_.unfollowed();
  return status;
}

}  // namespace meiguan::report
