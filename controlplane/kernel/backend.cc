#include "controlplane/kernel/backend.h"

#include <utility>

#include "controlplane/host/host_check.h"
#include "controlplane/host/netlink.h"
#include "controlplane/kernel/expressible.h"
#include "controlplane/kernel/policy_table.h"
#include "controlplane/kernel/verdicts.h"
#include "controlplane/policy/message.h"

namespace meiguan::kernel {
namespace {

constexpr std::chrono::hours kShown{24};  // so long `status` tells of a change that was put right

std::int64_t wall_seconds() {
  return std::chrono::duration_cast<std::chrono::seconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

}  // namespace

// Marks that flows have from a process before this one are of other generations, most likely.
Backend::Backend(Log log, Record record, std::chrono::seconds look_every)
    : log_{std::move(log)},
      record_{std::move(record)},
      look_every_{look_every},
      generation_{static_cast<std::uint32_t>(wall_seconds()) << 8},
      thread_{[this](const std::stop_token& stop) { run(stop); }} {}

Result<void> Backend::compile(const lifecycle::Bundle& bundle, std::int64_t now) {
  const image::Moment moment{bundle.image, now};
  const auto verdicts = find_verdicts(bundle.image, moment);
  if (!verdicts) {
    return fail("the policy is too large for `--backend kernel`: this box needs the data plane",
                "策略过大，`--backend kernel` 无法承担：本机需要数据面");
  }
  auto netlink = host::Netlink::open();
  if (!netlink) return std::unexpected{netlink.error()};
  auto table = policy_table(bundle.image, bundle.compiled.catalog, *verdicts, generation_ + 1);
  if (auto put = host::put_table(*netlink, table); !put) return put;
  ++generation_;
  moment_ = moment;
  table_ = std::move(table);
  return {};
}

Result<void> Backend::put(std::shared_ptr<const lifecycle::Bundle> bundle) {
  if (const auto wrong = inexpressible(*bundle); !wrong.empty()) {
    return std::unexpected{Error{wrong.front().message}};
  }
  const std::lock_guard lock{mutex_};
  auto done = compile(*bundle, wall_seconds());
  if (!done) return done;
  bundle_ = std::move(bundle);
  log_(policy::say("the policy is in force in the kernel, generation {}",
                   "策略已在内核中生效，第 {} 代", generation_));
  return {};
}

void Backend::pass_time(std::int64_t now) {
  if (!bundle_ || moment_.covers(now)) return;
  const image::Moment next{bundle_->image, now};
  if (next.same_conditions(moment_)) {
    moment_ = next;
    return;
  }
  if (auto done = compile(*bundle_, now); !done) {
    if (std::exchange(trouble_, done.error().message.english) != trouble_) {
      log_(done.error().message);
    }
    return;
  }
  trouble_.clear();
}

void Backend::look() {
  if (!bundle_) return;
  auto netlink = host::Netlink::open();
  const auto difference = netlink ? host::check_table(*netlink, table_)
                                  : Result<host::Difference>{std::unexpected{netlink.error()}};
  if (!difference) return unguarded(difference.error());
  if (difference->none()) {
    unguarded_.clear();
    return;
  }
  const auto words = difference->words();
  const Text text = policy::say("the table `inet {0}` was changed from outside: {1}",
                                "表 `inet {0}` 被外部改动：{2}", table_.name, words.english,
                                words.chinese);
  log_(text);
  changed_ = text.english;
  changed_at_ = std::chrono::steady_clock::now();
  const auto put = host::put_table(*netlink, table_);
  record_(words.english, put.has_value());
  if (!put) return unguarded(put.error());
  unguarded_.clear();
}

void Backend::unguarded(const Error& why) {
  if (std::exchange(unguarded_, why.message.english) != unguarded_) log_(why.message);
}

std::string Backend::alarm() {
  const std::lock_guard lock{mutex_};
  for (const auto& now : {trouble_, unguarded_}) {
    if (!now.empty()) return now;
  }
  return std::chrono::steady_clock::now() - changed_at_ < kShown ? changed_ : std::string{};
}

void Backend::run(const std::stop_token& stop) {
  auto due = std::chrono::steady_clock::now() + look_every_;
  std::unique_lock lock{mutex_};
  while (!stop.stop_requested()) {
    pass_time(wall_seconds());
    if (std::chrono::steady_clock::now() >= due) {
      look();
      due = std::chrono::steady_clock::now() + look_every_;
    }
    wake_.wait_for(lock, stop, std::chrono::milliseconds{500}, [] { return false; });
  }
}

Result<void> close_unless_open() {
  auto netlink = host::Netlink::open();
  if (!netlink) return std::unexpected{netlink.error()};
  const auto found = host::read_table(*netlink, kPolicyTable);
  if (!found) return std::unexpected{found.error()};
  return found->empty() ? host::put_table(*netlink, closed_table()) : Result<void>{};
}

}  // namespace meiguan::kernel
