#include "controlplane/daemon/change_answers.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <utility>

#include "controlplane/analysis/names.h"
#include "controlplane/api/protocol.h"
#include "controlplane/daemon/answers.h"
#include "controlplane/policy/instant_text.h"
#include "dataplane/fastpath/reason.h"

namespace meiguan::daemon {
namespace {

namespace json = boost::json;

constexpr std::array<std::string_view, 8> kCommands{"apply", "reload",  "rollback", "confirm",
                                                    "abort", "dry-run", "history",  "revision"};
constexpr std::size_t kFlowsShown = 1000;

json::value null_if_empty(std::string_view text) {
  return text.empty() ? json::value(nullptr) : json::value(text);
}

json::object refused(const Refusal& refusal) {
  auto answer = api::refusal(refusal.why);
  if (!refusal.diagnostics.empty()) {
    answer.emplace("diagnostics", api::to_json(refusal.diagnostics));
  }
  return answer;
}

// Times by the clock of the policy in force.
std::string time_text(const PolicyInForce& now, std::int64_t time) {
  return now.bundle ? policy::instant_text(now.bundle->image.utc_offsets(), time)
                    : std::to_string(time);
}

json::object row_of(const lifecycle::Revision& revision, const Changes& changes) {
  const auto now = changes.in_force();
  const auto left = changes.milliseconds_left(revision);
  const bool is_now = revision.number == now.revision.number;
  const bool lasts = !revision.deadline || revision.confirmed;
  const char* const state = is_now  ? left > 0 ? "unconfirmed" : "in-force"
                            : lasts ? "past"
                                    : "returned";
  return {{"revision", revision.number},
          {"state", state},
          {"time", time_text(now, revision.time)},
          {"author", revision.author},
          {"origin", name_of(revision.origin)},
          {"repeats", revision.repeats == 0 ? json::value(nullptr) : json::value(revision.repeats)},
          {"ticket", null_if_empty(revision.ticket)},
          {"comment", null_if_empty(revision.comment)},
          {"signature", null_if_empty(revision.signature)},
          {"confirmed_by", null_if_empty(revision.confirmed_by)},
          {"seconds_left", left > 0 ? json::value((left + 999) / 1000) : json::value(nullptr)},
          {"content", revision.content},
          {"image", revision.checksum},
          {"policy", revision.policy},
          {"gateway", revision.gateway}};
}

json::object applied_answer(const std::expected<Applied, Refusal>& applied,
                            const Changes& changes) {
  if (!applied) return refused(applied.error());
  auto answer = row_of(applied->revision, changes);
  answer.emplace("ok", true);
  answer.emplace("schema", "meiguan.apply/v1");
  answer.emplace("published", applied->published);
  answer.emplace("unchanged", applied->unchanged);
  return answer;
}

json::object history_answer(const Changes& changes) {
  json::array rows;
  for (const auto& revision : changes.history()) rows.push_back(row_of(revision, changes));
  return {{"ok", true}, {"schema", "meiguan.history/v1"}, {"rows", std::move(rows)}};
}

json::object revision_answer(std::uint32_t number, const Changes& changes) {
  const auto kept = changes.revision(number);
  if (!kept) return api::refusal(kept.error().message);
  auto answer = row_of(kept->first, changes);
  json::array files;
  for (const auto& file : kept->second.tree.files) {
    files.push_back(json::object{{"path", file.path}, {"text", file.text}});
  }
  answer.emplace("ok", true);
  answer.emplace("schema", "meiguan.revision/v1");
  answer.emplace("single_file", kept->second.tree.single_file);
  answer.emplace("files", std::move(files));
  if (const auto& gateway = kept->second.gateway) {
    answer.emplace("gateway_file", json::object{{"path", gateway->path}, {"text", gateway->text}});
  }
  return answer;
}

// The flows that the policy would cut; null where the data plane does not answer.
json::value cut_flows(const PolicyInForce& now, const lifecycle::Bundle& next, Link& link) {
  const FlowJudge judge{*now.bundle, next, *lifecycle::decide_from_now().from};
  const analysis::Names names{now.bundle->compiled.catalog};
  const analysis::Names next_names{next.compiled.catalog};
  std::uint64_t judged = 0;
  std::uint64_t cut = 0;
  json::array rows;
  const auto walked = link.each_flow([&](const fastpath::Event& event) {
    ++judged;
    const auto lost = judge.judge(event);
    if (!lost || ++cut > kFlowsShown) return;
    auto row = event_row(names, event);
    const auto* const info = fastpath::find_reason(lost->reason);
    row.emplace("reason", info != nullptr ? json::value(info->name) : json::value(nullptr));
    row.emplace("denied_by", null_if_empty(next_names.rule_name(lost->rule)));
    rows.push_back(std::move(row));
  });
  if (!walked) return nullptr;
  return json::object{{"judged", judged}, {"cut", cut}, {"rows", std::move(rows)}};
}

json::object dry_run_answer(const json::object& request, const access::Peer& peer, Changes& changes,
                            Link& link) {
  const auto now = changes.in_force();
  const auto tried = changes.dry_run(api::string_at(request, "policy"),
                                     api::string_at(request, "gateway"), peer.user);
  if (!tried) return refused(tried.error());
  return {{"ok", true},
          {"schema", "meiguan.dry-run/v1"},
          {"base", now.revision.number},
          {"content", tried->content},
          {"approval", tried->approval},
          {"policy", tried->policy.string()},
          {"gateway", tried->gateway.string()},
          {"unchanged", tried->content == now.revision.content},
          {"flows", now.bundle ? cut_flows(now, *tried->bundle, link) : json::value(nullptr)}};
}

}  // namespace

bool is_change_command(std::string_view command) noexcept {
  return std::ranges::find(kCommands, command) != kCommands.end();
}

json::object change_answer(const json::object& request, const access::Peer& peer, Changes& changes,
                           Link& link) {
  const auto command = api::string_at(request, "command");
  const auto number = static_cast<std::uint32_t>(
      std::clamp<std::int64_t>(api::number_at(request, "revision"), 0, 0xffffffff));
  if (command == "history") return history_answer(changes);
  if (command == "revision") return revision_answer(number, changes);
  if (command == "dry-run") return dry_run_answer(request, peer, changes, link);
  // A number that is none must not mean that nobody need confirm.
  if (const auto* const seconds = request.if_contains("confirm_seconds");
      seconds != nullptr && !seconds->is_int64()) {
    return api::refusal(
        {"`confirm_seconds` is a whole number of seconds", "`confirm_seconds` 应为整数秒"});
  }
  Change change;
  change.author = peer.user;
  change.uid = peer.uid;
  change.ticket = api::string_at(request, "ticket");
  change.comment = api::string_at(request, "comment");
  change.signature = api::string_at(request, "signature");  // the gate's, never the asker's
  change.confirm_seconds = api::number_at(request, "confirm_seconds");
  change.may_reopen = api::flag_at(request, "reopen_ports");
  change.keeps_gateway = api::flag_at(request, "keeps_gateway");
  if (command == "confirm") {
    const auto confirmed = changes.confirm(peer.user);
    if (!confirmed) return refused(confirmed.error());
    auto answer = row_of(*confirmed, changes);
    answer.emplace("ok", true);
    answer.emplace("schema", "meiguan.confirm/v1");
    return answer;
  }
  if (command == "abort") return applied_answer(changes.abort(change), changes);
  if (command == "rollback") return applied_answer(changes.roll_back(number, change), changes);
  if (command == "reload") {
    change.origin = lifecycle::Origin::kReload;
    return applied_answer(changes.apply_files({}, {}, change), changes);
  }
  return applied_answer(changes.apply_files(api::string_at(request, "policy"),
                                            api::string_at(request, "gateway"), change),
                        changes);
}

}  // namespace meiguan::daemon
