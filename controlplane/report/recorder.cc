#include "controlplane/report/recorder.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "controlplane/report/flow_lines.h"
#include "controlplane/store/gather.h"

namespace meiguan::report {
namespace {

constexpr std::chrono::milliseconds kWorkEvery{1000};
constexpr std::size_t kMostWaiting = 24 * 60;
constexpr std::size_t kMostUrgent = 1'000;
constexpr std::chrono::hours kDropEvery{1};

WallMs ms_of(WallTime time) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count();
}

}  // namespace

Recorder::Recorder(OpenStore open, std::unique_ptr<FlowRing> flows, Clock clock, Log log)
    : open_{std::move(open)},
      flows_{std::move(flows)},
      clock_{std::move(clock)},
      log_{std::move(log)},
      rollup_{RollupOptions{}},
      thread_{[this] { run(); }} {}

Recorder::~Recorder() {
  {
    const std::lock_guard lock{mutex_};
    stopping_ = true;
  }
  wake_.notify_all();
  thread_.join();
  {
    const std::lock_guard lock{mutex_};
    // What live flows did not tell yet, the next recorder counts from its own start on.
    rollup_.detach(ms_of(clock_()));
    put_in_line(rollup_.take_all());
  }
  if (flows_) flows_->flush();
  store_line();
}

void Recorder::run() {
  std::unique_lock lock{mutex_};
  while (!stopping_) {
    lock.unlock();
    work();
    lock.lock();
    wake_.wait_for(lock, kWorkEvery, [this] { return stopping_; });
  }
}

void Recorder::set_policy(const policy::Catalog& catalog, const std::string& node,
                          const std::string& revision) {
  const std::lock_guard lock{mutex_};
  // Rows of before belong to the node of before.
  if (!node_.empty() && node != node_) put_in_line(rollup_.take_all());
  node_ = node;
  revision_ = revision;
  catalog_ = catalog;
  rollup_.set_node(node);
  rollup_.set_catalog(catalog);
}

std::string Recorder::node() const {
  const std::lock_guard lock{mutex_};
  return node_;
}

void Recorder::attached(const Sums& counters) {
  const std::lock_guard lock{mutex_};
  rollup_.attach(counters);
}

void Recorder::detached() {
  const std::lock_guard lock{mutex_};
  rollup_.detach(ms_of(clock_()));
}

void Recorder::heard(const fastpath::Event& event, std::size_t ring, WallTime at) {
  std::string line;
  {
    const std::lock_guard lock{mutex_};
    rollup_.take(event, ring, ms_of(at));
    if (flows_ && event.kind == fastpath::EventKind::kFlowEnd) {
      line = flow_line(event, catalog_, revision_, ms_of(at));
    }
  }
  if (!line.empty()) flows_->append(ms_of(at), line);
}

void Recorder::counted(const Sums& counters, WallTime at, std::chrono::milliseconds elapsed) {
  const std::lock_guard lock{mutex_};
  rollup_.count(counters, ms_of(at), elapsed.count());
}

void Recorder::put_in_line(std::vector<store::Batch> batches) {
  for (auto& batch : batches) {
    if (batch.node.empty() || (batch.rows.empty() && batch.watch == store::Watch{})) continue;
    line_.push_back(std::move(batch));
  }
  // The first may have been applied in part under its number, and must be finished.
  while (line_.size() > kMostWaiting) {
    line_.erase(line_.begin() + 1);
    ++status_.dropped;
  }
}

void Recorder::report_alarms(std::vector<store::Alarm> alarms, std::int64_t now) {
  const std::lock_guard lock{mutex_};
  if (node_.empty()) return;
  store::Batch batch;
  batch.node = node_;
  batch.stream = store::Stream::kAlarms;
  batch.told = now;
  batch.minute = store::bucket_of(now, store::kMinute, {});
  batch.alarms = std::move(alarms);
  urgent_.push_back(std::move(batch));
  if (urgent_.size() <= kMostUrgent) return;
  urgent_.erase(urgent_.begin() + 1);  // see put_in_line()
  ++status_.dropped;
}

void Recorder::complain(const Text& text) {
  {
    const std::lock_guard lock{mutex_};
    if (status_.trouble_en == text.english) return;
    status_.trouble_en = text.english;
    status_.trouble_zh = text.chinese;
  }
  log_(text);
}

void Recorder::work() {
  const WallTime now = clock_();
  {
    const std::lock_guard lock{mutex_};
    put_in_line(rollup_.take_over(ms_of(now)));
  }
  if (flows_) flows_->flush();
  store_line();
  const std::lock_guard lock{storing_};
  if (!store_) return;
  // By a clock that was just put ahead, everything would be old.
  const auto steady = std::chrono::steady_clock::now();
  if (steady - dropped_at_steady_ < kDropEvery) return;
  const auto ran = steady - dropped_at_steady_;
  const bool jumped = now - dropped_at_ > ran + kDropEvery;
  const bool first = dropped_at_ == WallTime{};
  dropped_at_ = now;
  dropped_at_steady_ = steady;
  if (jumped && !first) return;
  if (auto dropped = store_->drop_old(ms_of(now) / 1000); !dropped) {
    complain(dropped.error().message);
  }
}

void Recorder::store_line() {
  const std::lock_guard storing{storing_};
  for (;;) {
    if (!store_) {
      if (auto opened = open_store(); !opened) return complain(opened.error().message);
    }
    store::Batch batch;
    std::deque<store::Batch>* line = nullptr;
    {
      const std::lock_guard lock{mutex_};
      line = urgent_.empty() ? &line_ : &urgent_;
      if (line->empty()) return;
      batch = line->front();
    }
    if (auto begun = begin_epoch(batch.node); !begun) return complain(begun.error().message);
    const auto batches = numbered(std::move(batch));
    if (forward_) {
      if (auto done = forward_(batches); !done) return complain(done.error().message);
    }
    const auto done = store_->append(batches);
    for (const auto& alarm : store_->take_alarms()) complain(alarm);
    if (!done) return complain(done.error().message);
    const bool fits = std::ranges::all_of(*done, [](store::Applied applied) {
      return applied == store::Applied::kNow;
    });
    const bool gap = std::ranges::find(*done, store::Applied::kGap) != done->end();
    // A store that knows more of us than we do: its watermark was put there by another.
    if (!fits) epoch_ = 0;
    if (gap) continue;
    for (const auto& one : batches) {
      sequences_[static_cast<std::size_t>(one.stream)] = one.sequence;
    }
    const std::lock_guard lock{mutex_};
    for (const auto& one : batches) {
      if (one.stream == store::Stream::kAlarms) standing_[one.node] = one.alarms;
    }
    line->pop_front();
    if (fits) {
      status_.trouble_en.clear();
      status_.trouble_zh.clear();
    }
  }
}

Result<void> Recorder::open_store() {
  auto opened = open_();
  if (!opened) return std::unexpected{opened.error()};
  const auto standing = (*opened)->alarms(std::numeric_limits<std::int64_t>::max());
  if (!standing) return std::unexpected{standing.error()};
  store_ = std::move(*opened);
  const std::lock_guard lock{mutex_};
  status_.open = true;
  standing_.clear();
  for (const auto& row : *standing) standing_[row.node].push_back(row.alarm);
  return {};
}

Result<void> Recorder::begin_epoch(const std::string& node) {
  store::Batch of;
  of.node = node;
  std::array<std::optional<store::Watermark>, store::kStreams> marks;
  if (node != numbered_node_) epoch_ = 0;
  numbered_node_ = node;
  const bool asks = epoch_ == 0 || forward_;
  for (std::size_t i = 0; asks && i < marks.size(); ++i) {
    of.stream = static_cast<store::Stream>(i);
    const auto mark = store_->watermark(of.source());
    if (!mark) return std::unexpected{mark.error()};
    marks[i] = *mark;
    // What was passed on under a number that the store will not have would count twice above.
    const bool ours = !*mark || (*mark)->epoch < epoch_ ||
                      ((*mark)->epoch == epoch_ && (*mark)->sequence <= sequences_[i] + 1);
    if (!ours) epoch_ = 0;
  }
  if (epoch_ != 0) return {};
  // Later than any before, also where the clock went back meanwhile.
  epoch_ = static_cast<std::uint64_t>(std::max<WallMs>(ms_of(clock_()), 1));
  for (const auto& mark : marks) {
    if (mark) epoch_ = std::max(epoch_, mark->epoch + 1);
  }
  sequences_ = {};
  return {};
}

std::vector<store::Batch> Recorder::numbered(store::Batch batch) const {
  std::vector<store::Batch> batches;
  batch.epoch = epoch_;
  batch.sequence = sequences_[static_cast<std::size_t>(batch.stream)] + 1;
  if (forward_ && batch.stream == store::Stream::kBulk) {
    store::Batch denied;
    denied.node = batch.node;
    denied.stream = store::Stream::kDenied;
    denied.epoch = epoch_;
    denied.sequence = sequences_[static_cast<std::size_t>(store::Stream::kDenied)] + 1;
    denied.minute = batch.minute;
    const auto rest = std::ranges::stable_partition(batch.rows, [](const store::Row& row) {
      return row.key.verdict() != "drop";
    });
    denied.rows.assign(std::make_move_iterator(rest.begin()), std::make_move_iterator(rest.end()));
    batch.rows.erase(rest.begin(), rest.end());
    if (!denied.rows.empty()) batches.push_back(std::move(denied));
  }
  batches.push_back(std::move(batch));
  return batches;
}

void Recorder::set_forward(Forward forward) {
  const std::lock_guard storing{storing_};
  forward_ = std::move(forward);
}

Result<std::vector<store::Applied>> Recorder::append(std::span<const store::Batch> batches,
                                                     const std::function<Result<void>()>& before) {
  const std::lock_guard storing{storing_};
  if (!store_) return fail("the statistics store is not open", "统计库尚未打开");
  if (auto done = before(); !done) return std::unexpected{done.error()};
  auto said = store_->append(batches);
  for (const auto& alarm : store_->take_alarms()) complain(alarm);
  if (!said) return said;
  const std::lock_guard lock{mutex_};
  for (std::size_t i = 0; i < batches.size() && i < said->size(); ++i) {
    const bool stands = batches[i].stream == store::Stream::kAlarms &&
                        (*said)[i] == store::Applied::kNow;
    if (stands) standing_[batches[i].node] = batches[i].alarms;
  }
  return said;
}

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
  status.waiting = line_.size() + urgent_.size();
  status.untold_packets = rollup_.untold_packets();
  status.unfollowed = rollup_.unfollowed();
  return status;
}

}  // namespace meiguan::report
