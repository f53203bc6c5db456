#include "controlplane/daemon/service.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <future>
#include <utility>

#include "controlplane/api/protocol.h"
#include "controlplane/daemon/answers.h"
#include "controlplane/lifecycle/files.h"

namespace meiguan::daemon {
namespace {

namespace json = boost::json;

constexpr std::size_t kMaxCatalogBytes = std::size_t{1} << 30;
constexpr std::size_t kFlowsShown = 10000;

policy::Diagnostics one_diagnostic(const std::filesystem::path& path, const Text& message) {
  policy::Diagnostic diagnostic;
  diagnostic.file = path.string();
  diagnostic.message = message;
  return {diagnostic};
}

json::object diagnostics_answer(const policy::Diagnostics& diagnostics) {
  auto answer = api::refusal(
      {"the policy has errors; the one in force stays", "策略有错误；继续使用现行策略"});
  answer.emplace("diagnostics", api::to_json(diagnostics));
  return answer;
}

}  // namespace

Service::Service(Settings settings, Log log)
    : settings_{std::move(settings)},
      log_{log},
      recorder_{make_recorder()},
      collector_{recorder_.get()},
      link_{settings_.run_dir / "dataplane.sock", collector_, log},
      blocks_{settings_.state_dir, link_, std::move(log)} {
  in_force_.policy = settings_.policy;
  in_force_.gateway = settings_.gateway;
  blocks_.start();
}

std::optional<policy::Catalog> Service::previous_catalog() const {
  if (const auto now = in_force(); now.bundle) return now.bundle->compiled.catalog;
  const auto path = settings_.state_dir / "catalog.json";
  std::error_code error;
  if (!std::filesystem::exists(path, error)) return std::nullopt;
  const auto text = lifecycle::read_file(path, kMaxCatalogBytes);
  auto catalog = text ? policy::catalog_from_json(*text)
                      : Result<policy::Catalog>{std::unexpected{text.error()}};
  if (catalog) return std::move(*catalog);
  // Ids start anew: counters of the time before lose their names, no packet is judged otherwise.
  log_({path.string() + " is not used: " + catalog.error().message.english,
        path.string() + " 不可用：" + catalog.error().message.chinese});
  return std::nullopt;
}

std::expected<bool, policy::Diagnostics> Service::load(const std::filesystem::path& policy,
                                                       const std::filesystem::path& gateway) {
  const auto previous = previous_catalog();
  auto loaded = lifecycle::load_bundle(policy, gateway, previous ? &*previous : nullptr,
                                       lifecycle::decide_from_now(), &loader_, &compiler_);
  if (!loaded) return std::unexpected{std::move(loaded.error())};
  const std::shared_ptr<const lifecycle::Bundle> bundle = std::move(*loaded);
  const auto& catalog = bundle->compiled.catalog;
  // Written beside the image on its way: it takes as long.
  auto text = std::async(std::launch::async, [&] { return policy::to_json(catalog) + "\n"; });
  const auto published = link_.publish(bundle);
  if (!published) return std::unexpected{one_diagnostic(policy, published.error().message)};
  collector_.set_extent({.ports = catalog.ports.size(),
                         .units = catalog.units.size(),
                         .services = catalog.services.size(),
                         .rules = catalog.rules.size()});
  recorder_->set_policy(catalog, bundle->gateway ? bundle->gateway->node_code : std::string{},
                        fmt::format("{:016x}", bundle->image.checksum()));
  if (auto kept = lifecycle::write_atomically(settings_.state_dir / "catalog.json", text.get());
      !kept) {
    log_(kept.error().message);
  }
  const std::lock_guard lock{mutex_};
  in_force_ = {policy, gateway, bundle, std::chrono::system_clock::now()};
  return *published;
}

std::expected<bool, policy::Diagnostics> Service::reload() {
  const std::lock_guard one_at_a_time{loading_};
  const auto now = in_force();
  return load(now.policy, now.gateway);
}

Service::InForce Service::in_force() const {
  const std::lock_guard lock{mutex_};
  return in_force_;
}

json::object Service::apply(const json::object& request) {
  const bool other = api::string_at(request, "command") == "apply";
  auto target = in_force();
  if (other) {
    target.policy = api::string_at(request, "policy");
    if (const auto gateway = api::string_at(request, "gateway"); !gateway.empty()) {
      target.gateway = gateway;
    }
    if (!target.policy.is_absolute() || !target.gateway.is_absolute()) {
      return api::refusal({"apply needs absolute paths", "apply 需要绝对路径"});
    }
  }
  const std::unique_lock one_at_a_time{loading_, std::try_to_lock};
  if (!one_at_a_time) {
    return api::refusal({"another policy is being loaded", "正在加载另一策略"});
  }
  const auto loaded = load(target.policy, target.gateway);
  if (!loaded) {
    log_({fmt::format("{}: {} errors, nothing loaded", target.policy.string(),
                      loaded.error().size()),
          fmt::format("{}：{} 处错误，没有加载", target.policy.string(), loaded.error().size())});
    return diagnostics_answer(loaded.error());
  }
  return {{"ok", true},
          {"schema", "meiguan.apply/v1"},
          {"policy", target.policy.string()},
          {"gateway", target.gateway.string()},
          {"published", *loaded},
          {"image", fmt::format("{:016x}", in_force().bundle->image.checksum())}};
}

json::object Service::answer(const json::object& request, const api::Peer& peer) {
  static_cast<void>(peer);
  const auto command = api::string_at(request, "command");
  if (command == "reload" || command == "apply") return apply(request);
  const auto now = in_force();
  if (command == "status") {
    return status_answer({now.policy, now.gateway, now.bundle.get(), now.since,
                          *lifecycle::decide_from_now().from, link_.status(), collector_.readings(),
                          collector_.attacks(), std::chrono::system_clock::now(),
                          recorder_->status(), blocks_.size(), blocks_.alarms()});
  }
  if (command.starts_with("block-")) return blocks_.answer(request, peer, now.bundle.get());
  if (!now.bundle) return api::refusal({"no policy is in force", "没有生效的策略"});
  const auto& catalog = now.bundle->compiled.catalog;
  if (auto past = past_answer(now, request)) return std::move(*past);
  if (command == "ports") return ports_answer(catalog, link_.status(), collector_.readings());
  if (command == "top") {
    auto rows = top_answer(api::string_at(request, "what"), catalog, collector_.readings());
    if (rows) return std::move(*rows);
    return api::refusal({"top units, services, rules, ports or reasons",
                         "top 后为 units、services、rules、ports 或 reasons"});
  }
  if (command == "flows") {
    std::size_t limit = kFlowsShown;
    if (const auto* const wanted = request.if_contains("limit"); wanted && wanted->is_int64()) {
      limit = static_cast<std::size_t>(
          std::clamp<std::int64_t>(wanted->get_int64(), 0, kFlowsShown));
    }
    const auto flows = link_.flows(limit);
    if (!flows) return api::refusal(flows.error().message);
    return flows_answer(catalog, *flows);
  }
  if (command == "drops") return drops_answer(*now.bundle, collector_);
  if (command == "port-blocks") {
    auto rows = port_blocks_answer(*now.bundle, collector_, api::string_at(request, "about"));
    if (rows) return std::move(*rows);
    return api::refusal(
        {"port-blocks of what? an address, or a pool address with a port: "
         "203.0.113.40:4711",
         "port-blocks 之后应为地址，或带端口的地址池地址，如 203.0.113.40:4711"});
  }
  if (command == "attacks") {
    return attacks_answer(catalog, collector_, std::chrono::system_clock::now());
  }
  return api::refusal({fmt::format("no command `{}`", command.substr(0, 64)),
                       fmt::format("没有命令 `{}`", command.substr(0, 64))});
}

}  // namespace meiguan::daemon
