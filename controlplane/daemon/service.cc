#include "controlplane/daemon/service.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <utility>

#include "controlplane/api/protocol.h"
#include "controlplane/daemon/answers.h"
#include "controlplane/daemon/change_answers.h"
#include "controlplane/daemon/export_answers.h"
#include "controlplane/daemon/metrics.h"

namespace meiguan::daemon {
namespace {

namespace json = boost::json;

constexpr std::size_t kFlowsShown = 10000;

}  // namespace

Service::Service(Settings settings, Log log)
    : settings_{std::move(settings)},
      log_{log},
      recorder_{make_recorder()},
      block_log_{make_block_log()},
      exports_{settings_.exports, log},
      tap_{[this](const fastpath::Event& event, report::WallTime at) { tell_event(event, at); }},
      sinks_{{recorder_.get(), &exports_, &tap_}},
      collector_{&sinks_, block_log_.get()},
      backend_{make_backend()},
      link_{settings_.run_dir / "dataplane.sock", collector_, log, backend_.get()},
      captures_{link_},
      blocks_{settings_.changes.state_dir, link_, log},
      changes_{settings_.changes, link_, std::move(log)} {
  changes_.on_change(
      [this](const std::shared_ptr<const lifecycle::Bundle>& bundle) { take_names(bundle); });
  blocks_.start();
}

std::unique_ptr<kernel::Backend> Service::make_backend() {
  if (!settings_.in_kernel) return nullptr;
  const auto record = [note = settings_.note](const std::string& changed, bool put_right) {
    if (note) note("kernel-table", {{"changed", changed}, {"put-right", put_right}});
  };
  return std::make_unique<kernel::Backend>(log_, record, settings_.look_every);
}

// Counters and statistics follow the policy in force.
void Service::take_names(const std::shared_ptr<const lifecycle::Bundle>& bundle) {
  const auto& catalog = bundle->compiled.catalog;
  collector_.set_extent({.ports = catalog.ports.size(),
                         .units = catalog.units.size(),
                         .services = catalog.services.size(),
                         .rules = catalog.rules.size()});
  recorder_->set_policy(catalog, bundle->gateway ? bundle->gateway->node_code : std::string{},
                        fmt::format("{:016x}", bundle->image.checksum()));
  exports_.set_names(export_names(*bundle));
  if (settings_.tree != nullptr) {
    settings_.tree->set_policy(catalog, recorder_->node(),
                               fmt::format("{:016x}", bundle->image.checksum()));
  }
  const std::lock_guard lock{mutex_};
  bundle_ = bundle;
}

std::shared_ptr<const lifecycle::Bundle> Service::bundle() const {
  const std::lock_guard lock{mutex_};
  return bundle_;
}

std::vector<host::DataPort> Service::data_ports() const {
  const auto now = bundle();
  if (!now || !now->gateway || backend_) return {};  // the kernel's own work at its ports is wanted
  return host::data_ports(now->gateway->ports, now->gateway->locals);
}

void Service::tell_event(const fastpath::Event& event, report::WallTime at) const {
  if (!settings_.on_event) return;
  if (const auto now = bundle()) settings_.on_event(event, at, now->compiled.catalog);
}

std::expected<Applied, Refusal> Service::start() { return changes_.start(); }

std::expected<Applied, Refusal> Service::reload() {
  Change change;
  change.origin = lifecycle::Origin::kReload;
  change.author = "meiguan-controld";
  change.comment = "SIGHUP";
  return changes_.apply_files({}, {}, change);
}

StatusInput Service::status_input(const PolicyInForce& now) {
  auto alarms = changes_.alarms();
  if (auto about = backend_ ? backend_->alarm() : std::string{}; !about.empty()) {
    alarms.push_back({"kernel-table-changed", std::move(about)});
  }
  return {.policy = now.revision.policy,
          .gateway = now.revision.gateway,
          .revision = now.revision.number,
          .bundle = now.bundle.get(),
          .since = std::chrono::system_clock::from_time_t(now.since),
          .now = *lifecycle::decide_from_now().from,
          .dataplane = link_.status(),
          .readings = collector_.readings(),
          .attacks = collector_.attacks(),
          .read_at = std::chrono::system_clock::now(),
          .statistics = recorder_->status(),
          .alarms_below = recorder_->alarms_below(),
          .exports = exports_.status(),
          .blocks = blocks_.size(),
          .block_alarms = blocks_.alarms(),
          .alarms = std::move(alarms)};
}

json::array Service::alarms_since_last() {
  const auto now = changes_.in_force();
  auto input = status_input(now);
  input.readings.before = std::exchange(alarms_seen_, input.readings.now);
  return alarms_of(input);
}

std::string Service::metrics(std::size_t most, exporting::MetricsFormat format) {
  const auto now = changes_.in_force();
  return metrics_text(status_input(now), most, format);
}

json::object Service::answer(const json::object& request, const api::Peer& peer) {
  const auto command = api::string_at(request, "command");
  if (is_change_command(command)) return change_answer(request, peer, changes_, link_);
  const auto now = changes_.in_force();
  if (command == "status") {
    return status_answer(status_input(now));
  }
  if (backend_) {
    return api::refusal(
        {fmt::format("`{}`: this box has no data plane (--backend kernel); `nft list "
                     "table inet meiguan-policy` shows what rules and reasons count",
                     command.substr(0, 64)),
         fmt::format("`{}`：本机没有数据面（--backend kernel）；`nft list table inet "
                     "meiguan-policy` 可查看各规则和原因的计数",
                     command.substr(0, 64))});
  }
  if (command.starts_with("block-")) return blocks_.answer(request, peer, now.bundle.get());
  if (!now.bundle) return api::refusal({"no policy is in force", "没有生效的策略"});
  const auto& catalog = now.bundle->compiled.catalog;
  if (auto past = past_answer(*now.bundle, request)) return std::move(*past);
  if (command == "capture" || command.starts_with("capture-")) {
    return captures_.answer(request, peer, *now.bundle);
  }
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
  if (command == "routes") {
    const auto routes = link_.routes();
    if (!routes) return api::refusal(routes.error().message);
    return routes_answer(*now.bundle, *routes);
  }
  if (command == "drops") return drops_answer(*now.bundle, collector_);
  if (command == "port-blocks") {
    if (auto rows = port_blocks(*now.bundle, request)) return std::move(*rows);
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
