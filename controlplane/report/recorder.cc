#include "controlplane/report/recorder.h"

#include <algorithm>
#include <cstdlib>
#include <limits>
#include <utility>

#include "controlplane/report/flow_lines.h"

namespace meiguan::report {
namespace {

constexpr std::chrono::milliseconds kWorkEvery{1000};
constexpr std::size_t kMostWaiting = 24 * 60;
constexpr std::size_t kMostUrgent = 1'000;
constexpr std::size_t kMostFlowBatches = 64;
constexpr std::size_t kFlowBatchBytes = std::size_t{128} << 10;
constexpr WallMs kFlowsWaitMs = 5'000;  // until a batch of them is made
constexpr std::chrono::hours kDropEvery{1};

WallMs ms_of(WallTime time) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count();
}

}  // namespace

Recorder::Recorder(OpenStore open, std::unique_ptr<FlowRing> flows, Clock clock, Log log,
                   InTree tree)
    : open_{std::move(open)},
      flows_{std::move(flows)},
      clock_{std::move(clock)},
      log_{std::move(log)},
      rollup_{RollupOptions{}},
      tree_{std::move(tree)},
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
    put_flows_in_line();
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
  if (!node_.empty() && node != node_) {
    put_in_line(rollup_.take_all());
    put_flows_in_line();
  }
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
    if ((flows_ || tree_.forwards_flows) && event.kind == fastpath::EventKind::kFlowEnd) {
      line = flow_line(event, catalog_, revision_, ms_of(at));
    }
    if (tree_.forwards_flows && !line.empty()) {
      if (fresh_flows_.count == 0) flows_since_ = ms_of(at);
      fresh_flows_.add(line, ms_of(at));
      if (fresh_flows_.text.size() >= kFlowBatchBytes) put_flows_in_line();
    }
  }
  if (!line.empty() && flows_) flows_->append(ms_of(at), line);
}

void Recorder::put_flows_in_line() {
  if (fresh_flows_.count == 0) return;
  store::Batch batch;
  batch.node = node_;
  batch.stream = store::Stream::kFlows;
  batch.minute = store::bucket_of(fresh_flows_.last_ms / 1000, store::kMinute, {});
  batch.flows = std::exchange(fresh_flows_, {});
  if (node_.empty()) return;
  flow_line_.push_back(std::move(batch));
  if (flow_line_.size() <= kMostFlowBatches) return;
  flow_line_.erase(flow_line_.begin() + 1);  // see put_in_line()
  ++status_.dropped_flows;
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
    // Also where the clock went back.
    if (std::abs(ms_of(now) - flows_since_) >= kFlowsWaitMs) put_flows_in_line();
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

std::deque<store::Batch>* Recorder::next_line() {
  for (auto* const line : {&urgent_, &line_, &flow_line_}) {
    if (!line->empty()) return line;
  }
  return nullptr;
}

void Recorder::store_line() {
  const std::lock_guard storing{storing_};
  for (;;) {
    if (!store_) {
      if (tree_.recover && node().empty()) return;
      if (auto opened = open_store(); !opened) return complain(opened.error().message);
    }
    store::Batch batch;
    std::deque<store::Batch>* line = nullptr;
    {
      const std::lock_guard lock{mutex_};
      line = next_line();
      if (line == nullptr) return;
      batch = line->front();
    }
    if (auto begun = begin_epoch(batch.node); !begun) return complain(begun.error().message);
    const auto batches = numbered(std::move(batch));
    if (tree_.forward) {
      if (auto done = tree_.forward(batches); !done) return complain(done.error().message);
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
      if (one.list) listed_ = {one.epoch, one.rules, one.minute};
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
  if (tree_.recover) {
    const auto recovered = tree_.recover([&](const store::Batch& batch) -> Result<void> {
      if (auto done = apply(**opened, std::span{&batch, 1}); !done) {
        return std::unexpected{done.error()};
      }
      return {};
    });
    if (!recovered) return std::unexpected{recovered.error()};
  }
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
  const bool asks = epoch_ == 0 || tree_.forward;
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
  if (listed_.epoch == epoch_ && listed_.rules == batch.rules &&
      std::abs(batch.minute - listed_.minute) < store::kHour) {
    batch.list = nullptr;
  }
  if (tree_.forward && batch.stream == store::Stream::kBulk) {
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

Result<std::vector<store::Applied>> Recorder::append(std::span<const store::Batch> batches,
                                                     const std::function<Result<void>()>& before) {
  const std::lock_guard storing{storing_};
  if (!store_) return fail("the statistics store is not open", "统计库尚未打开");
  if (auto done = before(); !done) return std::unexpected{done.error()};
  auto said = apply(*store_, batches);
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

// The ring first, which knows a batch that it has; then the watermarks. A ring that cannot be
// written to loses records and counts them: nothing else waits for it.
Result<std::vector<store::Applied>> Recorder::apply(store::Store& store,
                                                    std::span<const store::Batch> batches) {
  const auto own = node();
  std::map<std::string, std::optional<store::Watermark>> marks;
  for (const auto& batch : batches) {
    if (batch.stream != store::Stream::kFlows || batch.node == own || !tree_.flows_below) continue;
    auto known = marks.find(batch.node);
    if (known == marks.end()) {
      const auto mark = store.watermark(batch.source());
      if (!mark) return std::unexpected{mark.error()};
      known = marks.emplace(batch.node, *mark).first;
    }
    if (store::judge(known->second, batch) != store::Applied::kNow) continue;
    known->second = store::Watermark{batch.epoch, batch.sequence};
    static_cast<void>(
        tree_.flows_below->append(FlowBlockOrigin::of(batch.node, batch.epoch, batch.sequence),
                                  batch.flows));
  }
  return store.append(batches);
}

}  // namespace meiguan::report
