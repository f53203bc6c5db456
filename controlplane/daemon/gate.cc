#include "controlplane/daemon/gate.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <boost/json.hpp>
#include <chrono>
#include <optional>
#include <utility>

#include "controlplane/api/protocol.h"
#include "controlplane/audit/answers.h"
#include "controlplane/lifecycle/digest.h"
#include "controlplane/lifecycle/files.h"

namespace meiguan::daemon {
namespace {

namespace json = boost::json;

constexpr std::size_t kMostRecords = 10'000;
constexpr std::int64_t kSessionSeconds = 900;  // after so long a silence a user's session is over
constexpr std::size_t kMostSessions = 4096;
constexpr unsigned kKeyMode = 0600;
constexpr std::size_t kMostOfValue = 8 * 1024;
constexpr std::size_t kMostOfRequest = 12 * 1024;  // a record has room for it

std::int64_t monotonic_seconds() {
  return std::chrono::duration_cast<std::chrono::seconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

std::int64_t wall_milliseconds() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

// The appliance's own key, made at the first start where none is configured.
Result<crypto::PrivateKey> key_of(const std::filesystem::path& configured,
                                  const std::filesystem::path& directory) {
  if (!configured.empty()) return crypto::PrivateKey::load(configured);
  const auto path = directory / "private.pem";
  std::error_code error;
  if (std::filesystem::exists(path, error)) return crypto::PrivateKey::load(path);
  auto key = crypto::PrivateKey::generate(crypto::KeyKind::kEd25519);
  if (!key) return key;
  std::filesystem::create_directories(directory, error);
  if (auto kept = lifecycle::write_atomically(path, std::string_view{key->to_pem()}, kKeyMode);
      !kept) {
    return std::unexpected{std::move(kept.error())};
  }
  return key;
}

bool is_ok(const json::object& answer) {
  const auto* const ok = answer.if_contains("ok");
  return ok != nullptr && ok->is_bool() && ok->get_bool();
}

json::object where_from(const access::Peer& peer) {
  if (peer.certificate.empty()) return {{"by", "local socket"}, {"pid", peer.pid}};
  return {{"by", "https"}, {"certificate", peer.certificate}, {"address", peer.address}};
}

// What is written down of a request: a long value, such as a whole block list, by its length and
// SHA-256. Nothing where it is too long even so.
std::optional<json::object> recorded(const json::object& request) {
  json::object detail;
  for (const auto& [key, value] : request) {
    if (key == "command") continue;
    const auto text = json::serialize(value);
    if (text.size() <= kMostOfValue) {
      detail.emplace(key, value);
      continue;
    }
    const auto plain = value.is_string() ? std::string_view{value.get_string()}
                                         : std::string_view{text};
    detail.emplace(key,
                   json::object{{"bytes", plain.size()}, {"sha256", lifecycle::sha256_hex(plain)}});
  }
  if (json::serialize(detail).size() > kMostOfRequest) return std::nullopt;
  return detail;
}

json::object ok(json::object answer) {
  answer.emplace("ok", true);
  return answer;
}

}  // namespace

Gate::Gate(access::Appliance appliance, const std::filesystem::path& state_dir, Say say)
    : appliance_{std::move(appliance)},
      directory_{state_dir / "audit"},
      say_{std::move(say)},
      lockout_{appliance_.roles.lock_after, appliance_.roles.lock_minutes, state_dir / "lockouts"},
      signed_policy_{appliance_.trust, appliance_.two_persons, state_dir / "signed"} {
  const std::lock_guard lock{mutex_};
  if (auto have = have_log(); !have) say_(have.error().message);
  if (!appliance_.roles.configured) {
    say_({"no [roles] are configured: root may do all, nobody else anything",
          "未配置 [roles]：root 可执行一切操作，其他用户均不可"});
  }
}

Gate::~Gate() = default;

Result<void> Gate::have_log() {
  if (log_) return {};
  auto key = key_of(appliance_.audit.key, directory_);
  if (!key) {
    not_written_ = key.error().message;
    return std::unexpected{std::move(key.error())};
  }
  audit::Settings settings;
  settings.directory = directory_;
  settings.hash = appliance_.audit.hash;
  settings.file_bytes = appliance_.audit.file_bytes;
  settings.total_bytes = appliance_.audit.total_bytes;
  settings.keep_days = appliance_.audit.keep_days;
  auto opened = audit::Log::open(std::move(settings), std::move(*key), wall_milliseconds);
  if (!opened) {
    not_written_ = opened.error().message;
    return std::unexpected{std::move(opened.error())};
  }
  log_ = std::move(*opened);
  not_written_ = {};
  if (const auto& problem = log_->problem(); !problem.english.empty()) {
    say_({"the audit log was tampered with: " + problem.english,
          "审计日志曾被篡改：" + problem.chinese});
  }
  return {};
}

Result<void> Gate::record(const audit::Event& event, bool needs_room) {
  const std::lock_guard lock{mutex_};
  auto done = have_log();
  if (done && needs_room) done = log_->reserve();
  if (done) done = log_->append(event);
  if (!done && not_written_.english.empty()) say_(done.error().message);
  not_written_ = done ? Text{} : done.error().message;
  return done;
}

void Gate::note(const std::string& event, json::object detail) {
  static_cast<void>(record({"meiguan-controld", static_cast<std::uint32_t>(::geteuid()), "", event,
                            "noted", std::move(detail)},
                           false));
  if (event != "stop") return;
  const std::lock_guard lock{mutex_};
  if (log_) log_->sign_now();
}

std::expected<Gate::First, SignedPolicy::Refused> Gate::first_policy(
    const std::filesystem::path& policy) {
  auto standing = signed_policy_.standing(wall_milliseconds() / 1000);
  if (!standing) return std::unexpected{std::move(standing.error())};
  if (*standing && (*standing)->unreadable) {
    const auto damage = signed_policy_.damage();
    const auto why = damage.english.empty() ? signed_policy_.problem() : damage;
    say_(why);
    note("signed-policy-unreadable", {{"why", why.english}});
    return First{policy, {}, {}, true};
  }
  if (*standing) {
    First first{(*standing)->policy,
                {(*standing)->policy},
                std::move((*standing)->signature),
                false};
    if (!(*standing)->waiting.empty()) first.only.push_back(std::move((*standing)->waiting));
    return first;
  }
  if (appliance_.trust.required) {
    say_(
        {"no signed policy was taken yet: until then the one in force before is, or the one of "
         "the command line",
         "尚未采用过签名策略：在此之前使用先前生效的策略或命令行指定的策略"});
  }
  return First{policy, {}, {}, false};
}

void Gate::began(const lifecycle::Revision& in_force) {
  note("in-force", {{"revision", in_force.number},
                    {"image", in_force.checksum},
                    {"signature", in_force.signature}});
  if (const auto settled = signed_policy_.settle(in_force); !settled) {
    say_(settled.error().message);
  }
}

void Gate::returned(const lifecycle::Revision& revision) {
  signed_policy_.returned();
  note("return",
       {{"revision", revision.number}, {"repeats", revision.repeats}, {"why", revision.comment}});
}

json::object Gate::refuse(const access::Peer& peer, access::Role role, const std::string& command) {
  const auto now = lifecycle::system_instant();
  if (const auto left = lockout_.seconds_left(peer.uid, now); left > 0) {
    return api::refusal({fmt::format("{} is locked out for {} s more", peer.user, left),
                         fmt::format("{} 已被锁定，还有 {} 秒", peer.user, left)});
  }
  const bool locked = lockout_.refused(peer.uid, now);
  const std::string role_name{access::name_of(role)};
  auto detail = where_from(peer);
  detail.emplace("locked_out", locked);
  static_cast<void>(
      record({peer.user, peer.uid, role_name, command.substr(0, 64), "refused", std::move(detail)},
             false));
  return api::refusal(
      {role == access::Role::kNone
           ? fmt::format("{} has no role that may `{}`; roles stand in [roles] of the appliance "
                         "file, without it only root may",
                         peer.user, command.substr(0, 64))
           : fmt::format("`{}` is not for the {} administrator", command.substr(0, 64), role_name),
       role == access::Role::kNone
           ? fmt::format("{} 没有可执行 `{}` 的角色；角色写在设备文件的 [roles]，未配置时仅限 root",
                         peer.user, command.substr(0, 64))
           : fmt::format("`{}` 不属于该管理员角色（{}）", command.substr(0, 64), role_name)});
}

// A session begins with what a user asks after a long silence: his name and role are then recorded.
void Gate::greet(const access::Peer& peer, access::Role role) {
  const auto now = monotonic_seconds();
  {
    const std::lock_guard lock{mutex_};
    if (seen_.size() >= kMostSessions) {
      std::erase_if(seen_, [&](const auto& one) { return now - one.second > kSessionSeconds; });
    }
    const auto [seen, is_new] = seen_.try_emplace({peer.uid, peer.certificate + peer.address}, now);
    const auto silence = now - std::exchange(seen->second, now);
    if (!is_new && silence <= kSessionSeconds) return;
  }
  static_cast<void>(record({peer.user, peer.uid, std::string{access::name_of(role)}, "login",
                            "done", where_from(peer)},
                           false));
}

json::object Gate::make_change(const json::object& request, const access::Peer& peer,
                               const Go& go) {
  const auto command = api::string_at(request, "command");
  if (command == "audit-sign") {
    const std::lock_guard lock{mutex_};
    log_->sign_now();
    return ok({});
  }
  const auto now = wall_milliseconds() / 1000;
  if (command == "approve") {
    const auto hash = api::string_at(request, "hash");
    const auto done = signed_policy_.approve(hash, peer, now);
    if (!done) return api::refusal(done.error().message);
    return ok({{"schema", "meiguan.approve/v1"}, {"hash", hash}});
  }
  auto prepared = signed_policy_.prepare(request, peer, now);
  if (!prepared) {
    auto answer = api::refusal(prepared.error().why);
    if (const auto& diagnostics = prepared.error().diagnostics; !diagnostics.empty()) {
      answer.emplace("diagnostics", api::to_json(diagnostics));
    }
    return answer;
  }
  auto answer = go(prepared->request);
  const bool is_done = is_ok(answer);
  if (is_done && prepared->offer) answer["signature"] = prepared->offer->admitted.signature;
  const auto kept = signed_policy_.done(*prepared, is_done, api::flag_at(answer, "unchanged"));
  if (!kept) say_(kept.error().message);
  return answer;
}

json::object Gate::change(audit::Event event, const json::object& request, const access::Peer& peer,
                          const Go& go) {
  event.outcome = "begun";
  if (auto begun = record(event, true); !begun) {
    const auto& why = begun.error().message;
    return api::refusal({"nothing was changed, because it could not be recorded: " + why.english,
                         "无法记录审计，因此未做任何更改：" + why.chinese});
  }
  auto answer = make_change(request, peer, go);
  event.outcome = is_ok(answer) ? "done" : "failed";
  event.detail.clear();
  if (!is_ok(answer)) {
    event.detail.emplace("error", api::refusal_text(answer).english);
    const auto diagnostics = api::diagnostics_of(answer);
    if (!diagnostics.empty()) event.detail.emplace("first", diagnostics[0].message.english);
  } else {
    for (const char* const key : {"revision", "number", "image", "signature", "hash"}) {
      if (const auto* const value = answer.if_contains(key)) event.detail.emplace(key, *value);
    }
  }
  static_cast<void>(record(event, false));
  return answer;
}

json::object Gate::ask_log(const std::string& command, const json::object& request) {
  if (command == "audit-verify") {
    const auto verdict = audit::verify_directory(directory_);
    return verdict ? ok(audit::to_json(*verdict)) : api::refusal(verdict.error().message);
  }
  audit::Wanted wanted{api::string_at(request, "user"), api::string_at(request, "event"),
                       api::string_at(request, "since")};
  if (const auto* const last = request.if_contains("last"); last && last->is_int64()) {
    wanted.last = static_cast<std::size_t>(
        std::clamp<std::int64_t>(last->get_int64(), 0, kMostRecords));
  }
  auto rows = audit::records(directory_, wanted);
  return rows ? ok(std::move(*rows)) : api::refusal(rows.error().message);
}

void Gate::add_alarms(json::object& answer) {
  auto* const alarms = answer.if_contains("alarms");
  if (alarms == nullptr || !alarms->is_array()) return;
  const auto add = [&](const std::string& name, const std::string& about) {
    alarms->get_array().push_back(json::object{{"alarm", name}, {"about", about}});
  };
  if (more_alarms_) {
    for (const auto& alarm : more_alarms_()) add(alarm.name, alarm.about);
  }
  if (const auto problem = lockout_.problem(); !problem.english.empty()) {
    add("lockouts-not-kept", problem.english);
  }
  if (const auto problem = signed_policy_.problem(); !problem.english.empty()) {
    add("signed-policy-not-kept", problem.english);
  }
  if (const auto damage = signed_policy_.damage(); !damage.english.empty()) {
    add("signed-policy-damaged", damage.english);
  }
  const std::lock_guard lock{mutex_};
  if (!not_written_.english.empty()) add("audit-not-written", not_written_.english);
  if (log_ && !log_->problem().english.empty()) add("audit-tampered", log_->problem().english);
}

access::Role Gate::role_of(const access::Peer& peer) const {
  // Whoever is the daemon's own user can do as he likes with its files anyway.
  if (!appliance_.roles.configured && peer.certificate.empty() && peer.uid == ::geteuid()) {
    return access::Role::kRoot;
  }
  return access::role_of(peer, appliance_.roles);
}

bool Gate::may_ask(const json::object& request, const access::Peer& peer) {
  return access::may(role_of(peer), api::string_at(request, "command")) &&
         lockout_.seconds_left(peer.uid, lifecycle::system_instant()) == 0;
}

json::object Gate::answer(const json::object& request, const access::Peer& peer, const Go& go) {
  const auto command = api::string_at(request, "command");
  const auto role = role_of(peer);
  if (!access::may(role, command) ||
      lockout_.seconds_left(peer.uid, lifecycle::system_instant()) > 0) {
    return refuse(peer, role, command);
  }
  greet(peer, role);
  const auto* const known = access::find_command(command);
  const bool asks_log = command == "audit-show" || command == "audit-verify";
  if (asks_log || (known != nullptr && known->changes)) {
    auto detail = recorded(request);
    if (!detail) {
      return api::refusal({"the request is too long to be recorded, so nothing is done",
                           "请求过长，无法记录，因此不予执行"});
    }
    audit::Event event{peer.user, peer.uid, std::string{access::name_of(role)},
                       command,   "done",   std::move(*detail)};
    if (!asks_log) return change(std::move(event), request, peer, go);
    static_cast<void>(record(event, false));
    return ask_log(command, request);
  }
  auto answer = go(request);
  if (command == "status") add_alarms(answer);
  if (command == "dry-run" && !appliance_.two_persons) answer.erase("approval");
  return answer;
}

}  // namespace meiguan::daemon
