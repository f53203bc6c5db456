// How the policy that was in force comes back: with a start, and where a revision was not
// confirmed.

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "controlplane/daemon/changes.h"

namespace meiguan::daemon {
namespace {

using lifecycle::Content;
using lifecycle::Origin;
using lifecycle::Revision;

Text first_of(const policy::Diagnostics& diagnostics) {
  return diagnostics.empty() ? Text{} : diagnostics.front().message;
}

}  // namespace

void Changes::tell_problem(const Text& problem) {
  log_(problem);
  const std::lock_guard lock{mutex_};
  if (store_) store_->add_problem(problem);
}

// In force first, and then the one that the data plane starts with: a full disk keeps nobody from
// going back.
Result<bool> Changes::put_back(const std::shared_ptr<const lifecycle::Bundle>& bundle, bool waits) {
  auto published = link_.publish(bundle, {.provisional = true, .may_reopen = true});
  if (!published || waits) return published;
  const auto kept = link_.keep();
  if (!kept) log_(kept.error().message);
  const std::lock_guard lock{mutex_};
  not_kept_ = kept ? std::string{} : kept.error().message.english;
  return published;
}

// What was kept; where that is damaged and the files that it was read from still say the same,
// these.
Result<Content> Changes::content_of(const Revision& revision) {
  auto kept = this->revision(revision.number);
  if (kept) return std::move(kept->second);
  tell_problem({fmt::format("revision {}: {}", revision.number, kept.error().message.english),
                fmt::format("第 {} 版：{}", revision.number, kept.error().message.chinese)});
  auto files = lifecycle::read_content(revision.policy, revision.gateway);
  if (files && lifecycle::digest_of(*files) == revision.content) return std::move(*files);
  return std::unexpected{kept.error()};
}

bool Changes::may_start_with(const Revision& revision, const Content& content) const {
  if (settings_.only_signed_before) {
    return !revision.signature.empty() && (!revision.deadline || revision.confirmed);
  }
  if (settings_.only.empty()) return true;
  return std::ranges::any_of(settings_.only, [&](const std::filesystem::path& path) {
    auto tree = policy::read_tree(path);
    if (!tree) return false;
    auto only = content;
    only.tree = std::move(*tree);
    return lifecycle::digest_of(only) == lifecycle::digest_of(content);
  });
}

std::expected<Applied, Refusal> Changes::start_kept() {
  std::vector<Revision> candidates;
  std::optional<Revision> unconfirmed;
  {
    const std::lock_guard lock{mutex_};
    if (!store_) return std::unexpected{Refusal{*no_store_, {}}};
    for (const auto* const one : store_->candidates()) candidates.push_back(*one);
    const auto* const newest = store_->list().empty() ? nullptr : &store_->list().front();
    if (newest != nullptr && newest->deadline && !newest->confirmed) unconfirmed = *newest;
  }
  for (const auto& candidate : candidates) {
    const auto content = content_of(candidate);
    if (!content) continue;
    if (!may_start_with(candidate, *content)) {
      log_({fmt::format("revision {} is not what was signed last: not taken", candidate.number),
            fmt::format("第 {} 版不是最近采用的签名策略：不予采用", candidate.number)});
      continue;
    }
    // It is in force, and a policy is never unloaded because time has passed: assertions stay
    // undecided.
    auto bundle = load(*content, lifecycle::kLeaveUndecided);
    if (!bundle) {
      tell_problem({fmt::format("revision {} does not load any more: {}", candidate.number,
                                first_of(bundle.error()).english),
                    fmt::format("第 {} 版已无法加载：{}", candidate.number,
                                first_of(bundle.error()).chinese)});
      continue;
    }
    const bool waits = milliseconds_left(candidate) > 0;
    const auto published = put_back(*bundle, waits);
    if (!published) {
      tell_problem(published.error().message);
      continue;
    }
    hold(candidate, *bundle);
    Applied applied{candidate, *published, true};
    // One that cannot be in force any more does not wait, either.
    if (unconfirmed && unconfirmed->number != candidate.number) {
      const bool over = milliseconds_left(*unconfirmed) == 0;
      Change change;
      change.origin = Origin::kReturn;
      change.author = kSelf;
      change.comment = fmt::format("revision {} of {} {}", unconfirmed->number, unconfirmed->author,
                                   over ? "was not confirmed in time"
                                        : "was not confirmed, and could not be started with");
      change.signature = candidate.signature;
      log_({change.comment + fmt::format(": revision {} is in force again", candidate.number),
            fmt::format("{} 的第 {} 版{}：第 {} 版重新生效", unconfirmed->author,
                        unconfirmed->number, over ? "未在时限内确认" : "尚未确认，且无法用于启动",
                        candidate.number)});
      const auto written = write_down(*content, lifecycle::pack(*content), **bundle, change,
                                      candidate.number);
      if (written) hold(*written, *bundle);
      if (!written) log_(written.error().message);
      if (tell_return_) tell_return_(in_force().revision);
      const std::lock_guard lock{mutex_};
      if (!written) owed_record_ = Owed{std::move(change), candidate.number};
    }
    return applied;
  }
  return std::unexpected{Refusal{}};
}

std::expected<Applied, Refusal> Changes::start() {
  auto applied = start_kept();
  if (applied) {
    look_at_files();
  } else {
    bool fresh = false;
    {
      const std::lock_guard lock{mutex_};
      fresh = store_ && store_->list().empty() && store_->problems().empty();
    }
    if (settings_.only_signed_before) {
      return std::unexpected{Refusal{
          {"no revision that was signed and confirmed can be put in force, and what was taken "
           "of signed policy cannot be read",
           "没有可用的已签名且已确认的版本，签名策略的采用记录也无法读取"},
          {}}};
    }
    if (!fresh) {
      log_({"no revision of the store can be put in force: the policy of the command line is",
            "没有可用的历史版本：改用命令行指定的策略"});
    }
    Change change;
    change.origin = Origin::kStart;
    change.author = kSelf;
    change.may_reopen = true;
    change.signature = settings_.signature;
    auto content = read(settings_.policy, settings_.gateway);
    if (!content) return std::unexpected{std::move(content.error())};
    applied = apply(std::move(*content), change);
    if (!applied) return applied;
  }
  thread_ = std::thread{[this] { watch(); }};
  return applied;
}

// Whether what lies in the files is still what is in force: it is not taken by itself.
void Changes::look_at_files() {
  const auto now = in_force();
  if (now.revision.policy.empty() || !now.revision.signature.empty()) return;
  const auto files = lifecycle::read_content(now.revision.policy, now.revision.gateway);
  if (files && lifecycle::digest_of(*files) == now.revision.content) return;
  log_({fmt::format("{} and {} are not revision {}, which is in force; `meiguan reload` takes them",
                    now.revision.policy, now.revision.gateway, now.revision.number),
        fmt::format("{} 与 {} 的内容不同于现行的第 {} 版；meiguan reload 将采用它们",
                    now.revision.policy, now.revision.gateway, now.revision.number)});
  const std::lock_guard lock{mutex_};
  files_differ_ = true;
}

std::expected<Applied, Refusal> Changes::abort(const Change& change) {
  const Turn turn{*this, change.author};
  if (!turn.mine()) return std::unexpected{*busy(turn)};
  auto back = change;
  back.origin = Origin::kReturn;
  {
    const std::lock_guard lock{mutex_};
    const auto* const waiting = waiting_revision();
    if (waiting == nullptr) {
      return std::unexpected{
          Refusal{{"no revision waits to be confirmed", "没有待确认的版本"}, {}}};
    }
    if (back.comment.empty()) {
      back.comment = fmt::format("revision {} of {} was aborted by {}", waiting->number,
                                 waiting->author, change.author);
    }
  }
  return go_back(back);
}

// Whatever can be loaded of what was in force before: its data plane, then the record of it, for
// this must not hang on a disk with room.
std::expected<Applied, Refusal> Changes::go_back(const Change& change) {
  std::vector<Revision> earlier;
  {
    const std::lock_guard lock{mutex_};
    const auto* one = store_->before(in_force_.revision.number);
    for (; one != nullptr; one = store_->before(one->number)) earlier.push_back(*one);
  }
  for (const auto& revision : earlier) {
    const auto content = content_of(revision);
    if (!content) continue;
    auto bundle = load(*content, lifecycle::kLeaveUndecided);
    if (!bundle) {
      tell_problem(first_of(bundle.error()));
      continue;
    }
    const auto published = put_back(*bundle, false);
    if (!published) {
      tell_problem(published.error().message);
      continue;
    }
    auto admitted = change;
    admitted.signature = revision.signature;
    auto written = write_down(*content, lifecycle::pack(*content), **bundle, admitted,
                              revision.number);
    if (!written) log_(written.error().message);
    auto now = revision;
    if (written) now = *written;
    now.origin = Origin::kReturn;
    now.comment = change.comment;
    hold(now, std::move(*bundle));
    {
      const std::lock_guard lock{mutex_};
      owed_record_.reset();
      if (!written) owed_record_ = Owed{std::move(admitted), revision.number};
    }
    log_({fmt::format("{}: revision {} is in force again", change.comment, revision.number),
          fmt::format("{}：第 {} 版重新生效", change.comment, revision.number)});
    look_at_files();
    return Applied{now, *published, false};
  }
  const Text none{"there is no earlier revision that could be put in force",
                  "没有可以恢复的更早版本"};
  tell_problem(none);
  return std::unexpected{Refusal{none, {}}};
}

}  // namespace meiguan::daemon
