// What must still be done though it failed: a return to the revision before, the record of one,
// the image to start with. Each is tried again until it is done, and is an alarm meanwhile.

#include <fmt/format.h>

#include <chrono>
#include <utility>

#include "controlplane/daemon/changes.h"

namespace meiguan::daemon {
namespace {

constexpr std::chrono::milliseconds kLookEvery{200};

bool waits(const lifecycle::Revision& revision) { return revision.deadline && !revision.confirmed; }

}  // namespace

const lifecycle::Revision* Changes::waiting_revision() const {
  return store_ && !owed_record_ ? store_->unconfirmed() : nullptr;
}

void Changes::watch() {
  std::unique_lock lock{mutex_};
  while (!stopping_) {
    wake_.wait_for(lock, kLookEvery, [this] { return stopping_; });
    if (stopping_) return;
    const auto now = settings_.clock().boot_milliseconds;
    const auto& revision = in_force_.revision;
    const bool is_overdue = waits(revision) && store_ && store_->milliseconds_left(revision) == 0;
    const bool must_return = is_overdue && return_again_.is_due(now);
    const bool must_record = owed_record_ && record_again_.is_due(now);
    const bool must_keep = !not_kept_.empty() && !waits(revision) && keep_again_.is_due(now);
    if (!must_return && !must_record && !must_keep) continue;
    const auto number = revision.number;
    lock.unlock();
    {
      const Turn turn{*this, kSelf};
      // Nobody can have changed anything meanwhile but by a turn of their own.
      if (turn.mine() && in_force().revision.number == number) {
        if (must_return) return_overdue(now);
        if (must_record) record_owed(now);
        if (must_keep) keep_owed(now);
      }
    }
    lock.lock();
  }
}

void Changes::return_overdue(std::int64_t now) {
  const auto overdue = in_force().revision;
  Change change;
  change.origin = lifecycle::Origin::kReturn;
  change.author = kSelf;
  change.comment = fmt::format("revision {} of {} was not confirmed in time", overdue.number,
                               overdue.author);
  const auto back = go_back(change);
  if (back && tell_return_) tell_return_(back->revision);
  const std::lock_guard lock{mutex_};
  if (back) {
    not_returned_.clear();
    return_again_.done();
  } else {
    not_returned_ = fmt::format("{}, and is still in force: {}", change.comment,
                                back.error().why.english);
    return_again_.failed(now);
  }
}

void Changes::record_owed(std::int64_t now) {
  const auto held = in_force();
  std::optional<Owed> owed;
  {
    const std::lock_guard lock{mutex_};
    owed = owed_record_;
  }
  if (!owed) return;
  const auto content = content_of(held.revision);
  const auto written = content ? write_down(*content, lifecycle::pack(*content), *held.bundle,
                                            owed->change, owed->repeats)
                               : std::unexpected{content.error()};
  if (written) {
    log_({fmt::format("the return to revision {} is written down", owed->repeats),
          fmt::format("恢复第 {} 版一事已记录", owed->repeats)});
  }
  const std::lock_guard lock{mutex_};
  if (written) {
    in_force_.revision = *written;
    owed_record_.reset();
    record_again_.done();
  } else {
    record_again_.failed(now);
  }
}

void Changes::keep_owed(std::int64_t now) {
  const auto kept = link_.keep();
  const std::lock_guard lock{mutex_};
  not_kept_ = kept ? std::string{} : kept.error().message.english;
  if (kept) {
    keep_again_.done();
  } else {
    keep_again_.failed(now);
  }
}

}  // namespace meiguan::daemon
