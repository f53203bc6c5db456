#include "controlplane/daemon/changes.h"

#include <fmt/format.h>

#include <future>
#include <utility>

#include "controlplane/lifecycle/files.h"

namespace meiguan::daemon {
namespace {

using lifecycle::Content;
using lifecycle::Origin;
using lifecycle::Revision;

std::unexpected<Refusal> refuse(std::string english, std::string chinese) {
  return std::unexpected{Refusal{{std::move(english), std::move(chinese)}, {}}};
}

std::unexpected<Refusal> refuse(policy::Diagnostics diagnostics) {
  return std::unexpected{
      Refusal{{"the policy has errors; the one in force stays", "策略有错误；继续使用现行策略"},
              std::move(diagnostics)}};
}

std::unexpected<Refusal> refuse(const Error& error, const char* english, const char* chinese) {
  return refuse(fmt::format("{}: {}", english, error.message.english),
                fmt::format("{}：{}", chinese, error.message.chinese));
}

}  // namespace

Changes::Turn::Turn(Changes& changes, const std::string& author)
    : changes_{changes}, lock_{changes.turn_, std::try_to_lock} {
  if (!lock_) return;
  const std::lock_guard guard{changes_.mutex_};
  changes_.holder_ = author;
}

Changes::Turn::~Turn() {
  if (!lock_) return;
  const std::lock_guard guard{changes_.mutex_};
  changes_.holder_.clear();
}

Changes::Changes(Settings settings, Link& link, Log log)
    : settings_{std::move(settings)}, link_{link}, log_{std::move(log)} {
  auto store = lifecycle::RevisionStore::open(settings_.state_dir / "revisions", settings_.clock,
                                              settings_.keep);
  if (store) {
    store_.emplace(std::move(*store));
    for (const auto& problem : store_->problems()) log_(problem);
  } else {
    no_store_ = store.error().message;
    log_(*no_store_);
  }
}

Changes::~Changes() {
  {
    const std::lock_guard lock{mutex_};
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

std::optional<Refusal> Changes::busy(const Turn& turn) const {
  const std::lock_guard lock{mutex_};
  if (!turn.mine()) {
    const auto& who = holder_.empty() ? std::string{"somebody"} : holder_;
    return Refusal{{fmt::format("{} is changing the policy just now; try again when that is done",
                                who),
                    fmt::format("{} 正在更改策略，请待其完成后重试", who)},
                   {}};
  }
  const auto* const waiting = waiting_revision();
  if (waiting == nullptr) return std::nullopt;
  return Refusal{
      {fmt::format("revision {} of {} waits to be confirmed: `meiguan confirm` or `meiguan abort` "
                   "first",
                   waiting->number, waiting->author),
       fmt::format("{} 的第 {} 版尚待确认：请先执行 meiguan confirm 或 meiguan abort",
                   waiting->author, waiting->number)},
      {}};
}

std::optional<policy::Catalog> Changes::previous_catalog() const {
  const std::lock_guard lock{mutex_};
  if (in_force_.bundle) return in_force_.bundle->compiled.catalog;
  // Ids only grow over revisions: the newest catalog that is whole has the most of them.
  if (!store_) return std::nullopt;
  for (const auto& revision : store_->list()) {
    const auto text = store_->catalog(revision);
    auto catalog = text ? policy::catalog_from_json(*text)
                        : Result<policy::Catalog>{std::unexpected{text.error()}};
    if (catalog) return std::move(*catalog);
    log_({fmt::format("the names of revision {} are not used: {}", revision.number,
                      catalog.error().message.english),
          fmt::format("第 {} 版的名称表不可用：{}", revision.number,
                      catalog.error().message.chinese)});
  }
  return std::nullopt;
}

Changes::Loaded Changes::load(const Content& content, lifecycle::DecideAssertions assertions) {
  const auto previous = previous_catalog();
  auto loaded = lifecycle::load_bundle(content, previous ? &*previous : nullptr, assertions,
                                       &loader_, &compiler_);
  if (!loaded) return std::unexpected{std::move(loaded.error())};
  if (settings_.objections) {
    if (auto wrong = settings_.objections(**loaded); !wrong.empty()) {
      return std::unexpected{std::move(wrong)};
    }
  }
  return std::shared_ptr<const lifecycle::Bundle>{std::move(*loaded)};
}

std::expected<Content, Refusal> Changes::read(std::filesystem::path policy,
                                              std::filesystem::path gateway) const {
  const auto now = in_force();
  if (policy.empty()) policy = now.bundle ? now.revision.policy : settings_.policy.string();
  if (gateway.empty()) gateway = now.bundle ? now.revision.gateway : settings_.gateway.string();
  if (!policy.is_absolute() || !gateway.is_absolute()) {
    return refuse("apply needs absolute paths", "apply 需要绝对路径");
  }
  auto content = lifecycle::read_content(policy, gateway);
  if (!content) return refuse(std::move(content.error()));
  return std::move(*content);
}

std::expected<Applied, Refusal> Changes::apply_files(std::filesystem::path policy,
                                                     std::filesystem::path gateway,
                                                     const Change& change) {
  const bool keeps = change.keeps_gateway && gateway.empty();
  auto content = read(std::move(policy), std::move(gateway));
  if (!content) return std::unexpected{std::move(content.error())};
  if (keeps) {
    auto known = revision(in_force().revision.number);
    if (!known) {
      return refuse(known.error(), "name the gateway file, so that it is approved, too",
                    "请指明网关文件，使其一并获得批准");
    }
    content->gateway = std::move(known->second.gateway);
  }
  return apply(std::move(*content), change);
}

std::expected<Applied, Refusal> Changes::apply(Content content, const Change& change) {
  const Turn turn{*this, change.author};
  if (auto refused = busy(turn)) return std::unexpected{std::move(*refused)};
  if (change.confirm_seconds < 0 || change.confirm_seconds > kMostConfirmSeconds) {
    return refuse("the time to confirm is 1 second to 7 days", "确认时限应为 1 秒至 7 天");
  }
  if (!lifecycle::is_one_line(change.ticket, 200) ||
      !lifecycle::is_one_line(change.comment, 1000)) {
    return refuse("ticket and comment are one line, of at most 200 and 1000 bytes",
                  "工单号与备注应各为一行，至多 200 与 1000 字节");
  }
  return load_and_put_in_force(content, change, 0);
}

std::expected<Applied, Refusal> Changes::load_and_put_in_force(const Content& content,
                                                               const Change& change,
                                                               std::uint32_t repeats) {
  auto packing = std::async(std::launch::async, [&content] { return lifecycle::pack(content); });
  auto bundle = load(content, lifecycle::decide_from_now());
  if (!bundle) {
    log_({fmt::format("{}: {} errors, nothing loaded", content.tree.read_from.string(),
                      bundle.error().size()),
          fmt::format("{}：{} 处错误，没有加载", content.tree.read_from.string(),
                      bundle.error().size())});
    return refuse(std::move(bundle.error()));
  }
  return put_in_force(content, packing.get(), std::move(*bundle), change, repeats);
}

Result<Revision> Changes::write_down(const Content& content, const lifecycle::Packed& packed,
                                     const lifecycle::Bundle& bundle, const Change& change,
                                     std::uint32_t repeats) {
  auto names = policy::to_json(bundle.compiled.catalog) + "\n";
  Revision revision;
  revision.origin = change.origin;
  revision.repeats = repeats;
  revision.author = change.author;
  revision.uid = change.uid;
  revision.ticket = change.ticket;
  revision.comment = change.comment;
  revision.signature = lifecycle::signature_that_fits(change.signature);
  revision.checksum = fmt::format("{:016x}", bundle.image.checksum());
  revision.policy = content.tree.read_from.string();
  revision.gateway = content.gateway_read_from.string();
  if (auto kept = lifecycle::write_atomically(settings_.state_dir / "catalog.json", names); !kept) {
    return std::unexpected{kept.error()};
  }
  const std::lock_guard lock{mutex_};
  if (!store_) return std::unexpected{Error{*no_store_}};
  return store_->add(std::move(revision), {packed, bundle.compiled.bytes.span(), names},
                     change.confirm_seconds);
}

void Changes::hold(const Revision& revision, std::shared_ptr<const lifecycle::Bundle> bundle) {
  if (tell_) tell_(bundle);
  const std::lock_guard lock{mutex_};
  in_force_ = {revision, std::move(bundle), settings_.clock().wall};
  files_differ_ = false;
}

std::expected<Applied, Refusal> Changes::put_in_force(
    const Content& content, const lifecycle::Packed& packed,
    std::shared_ptr<const lifecycle::Bundle> bundle, const Change& change, std::uint32_t repeats) {
  const Link::Terms terms{.provisional = change.confirm_seconds > 0,
                          .may_reopen = change.may_reopen};
  const auto now = in_force();
  // What somebody else answers for is another revision, be it the same content.
  const bool same_word = change.signature.empty() ||
                         lifecycle::signature_that_fits(change.signature) == now.revision.signature;
  if (now.revision.number != 0 && same_word && packed.digest == now.revision.content) {
    const auto published = link_.publish(bundle, {.may_reopen = change.may_reopen});
    if (!published) return refuse(published.error(), "nothing has changed", "未作更改");
    auto same = now.revision;
    if (!content.tree.read_from.empty()) same.policy = content.tree.read_from.string();
    if (!content.gateway_read_from.empty()) same.gateway = content.gateway_read_from.string();
    hold(same, std::move(bundle));
    return Applied{same, *published, true};
  }
  // Before it is in force: what is not written down would be another policy with the next start,
  // and nobody would know of its deadline.
  const auto written = write_down(content, packed, *bundle, change, repeats);
  if (!written) {
    return refuse(written.error(), "the change cannot be written down, so nothing has changed",
                  "无法记录此次更改，因此未作更改");
  }
  const auto published = link_.publish(bundle, terms);
  if (!published) {
    const std::lock_guard lock{mutex_};
    store_->withdraw(written->number);
    return refuse(published.error(), "the data plane refuses the policy; the one in force stays",
                  "数据面拒绝该策略；继续使用现行策略");
  }
  hold(*written, std::move(bundle));
  {
    const std::lock_guard lock{mutex_};
    // What it takes the place of is nobody's to go back to, or to write down, any more.
    owed_record_.reset();
    not_returned_.clear();
    if (!terms.provisional && *published) not_kept_.clear();
  }
  log_({fmt::format("revision {} of {} is in force{}", written->number, written->author,
                    terms.provisional
                        ? fmt::format(" and must be confirmed within {} s", change.confirm_seconds)
                        : ""),
        fmt::format("{} 的第 {} 版已生效{}", written->author, written->number,
                    terms.provisional ? fmt::format("，须在 {} 秒内确认", change.confirm_seconds)
                                      : "")});
  return Applied{*written, *published, false};
}

std::expected<Applied, Refusal> Changes::roll_back(std::uint32_t number, Change change) {
  const Turn turn{*this, change.author};
  if (auto refused = busy(turn)) return std::unexpected{std::move(*refused)};
  auto kept = revision(number);
  if (!kept) return std::unexpected{Refusal{kept.error().message, {}}};
  change.origin = Origin::kRollback;
  change.signature = kept->first.signature;
  auto applied = load_and_put_in_force(kept->second, change, number);
  if (applied) look_at_files();
  return applied;
}

std::expected<Revision, Refusal> Changes::confirm(const std::string& author) {
  const Turn turn{*this, author};
  if (!turn.mine()) return std::unexpected{*busy(turn)};
  Revision confirmed;
  {
    const std::lock_guard lock{mutex_};
    const auto* const waiting = waiting_revision();
    if (waiting == nullptr) {
      return refuse("no revision waits to be confirmed", "没有待确认的版本");
    }
    confirmed = *waiting;
    if (const auto done = store_->confirm(confirmed.number, author); !done) {
      return refuse(done.error(), "not confirmed", "未能确认");
    }
    confirmed.confirmed = true;
    confirmed.confirmed_by = author;
    in_force_.revision = confirmed;
  }
  const auto kept = link_.keep();
  if (!kept) log_(kept.error().message);
  {
    const std::lock_guard lock{mutex_};
    not_kept_ = kept ? std::string{} : kept.error().message.english;
  }
  log_({fmt::format("revision {} is confirmed by {}", confirmed.number, author),
        fmt::format("第 {} 版已由 {} 确认", confirmed.number, author)});
  return confirmed;
}

std::expected<Changes::DryRun, Refusal> Changes::dry_run(std::filesystem::path policy,
                                                         std::filesystem::path gateway,
                                                         const std::string& author) {
  const Turn turn{*this, author};
  if (!turn.mine()) return std::unexpected{*busy(turn)};
  const bool names_gateway = !gateway.empty();
  auto content = read(std::move(policy), std::move(gateway));
  if (!content) return std::unexpected{std::move(content.error())};
  auto bundle = load(*content, lifecycle::decide_from_now());
  if (!bundle) return refuse(std::move(bundle.error()));
  DryRun tried{lifecycle::digest_of(*content),
               {},
               content->tree.read_from,
               content->gateway_read_from,
               std::move(*bundle)};
  if (!names_gateway) content->gateway.reset();
  tried.approval = lifecycle::digest_of(*content);
  return tried;
}

PolicyInForce Changes::in_force() const {
  const std::lock_guard lock{mutex_};
  return in_force_;
}

std::vector<Revision> Changes::history() const {
  const std::lock_guard lock{mutex_};
  return store_ ? store_->list() : std::vector<Revision>{};
}

std::int64_t Changes::milliseconds_left(const Revision& revision) const {
  const std::lock_guard lock{mutex_};
  return store_ ? store_->milliseconds_left(revision) : 0;
}

Result<std::pair<Revision, Content>> Changes::revision(std::uint32_t number) const {
  const std::lock_guard lock{mutex_};
  const auto* const found = store_ ? store_->find(number) : nullptr;
  if (found == nullptr) {
    return fail(fmt::format("there is no revision {}; `meiguan history` lists them", number),
                fmt::format("没有第 {} 版；meiguan history 列出全部版本", number));
  }
  auto content = store_->content(*found);
  if (!content) return std::unexpected{content.error()};
  content->tree.read_from = found->policy;
  content->gateway_read_from = found->gateway;
  return std::pair{*found, std::move(*content)};
}

std::vector<Alarm> Changes::alarms() const {
  const std::lock_guard lock{mutex_};
  std::vector<Alarm> alarms;
  if (no_store_) alarms.push_back({"revision-store-unusable", no_store_->english});
  if (store_) {
    for (const auto& problem : store_->problems()) {
      alarms.push_back({"revision-store-damaged", problem.english});
    }
    if (const auto* const waiting = waiting_revision()) {
      alarms.push_back(
          {"revision-unconfirmed",
           fmt::format("revision {} of {} returns in {} s", waiting->number, waiting->author,
                       (store_->milliseconds_left(*waiting) + 999) / 1000)});
    }
  }
  if (in_force_.revision.origin == Origin::kReturn && in_force_.bundle) {
    alarms.push_back({"revision-returned", in_force_.revision.comment});
  }
  if (files_differ_) {
    alarms.push_back(
        {"policy-files-differ", fmt::format("{} is not revision {}, which is in force",
                                            in_force_.revision.policy, in_force_.revision.number)});
  }
  if (!not_returned_.empty()) alarms.push_back({"revision-not-returned", not_returned_});
  if (owed_record_) {
    alarms.push_back({"revision-not-recorded", "the state directory cannot be written"});
  }
  if (!not_kept_.empty()) alarms.push_back({"image-not-kept", not_kept_});
  return alarms;
}

}  // namespace meiguan::daemon
