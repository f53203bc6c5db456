#include "controlplane/kernel/expressible.h"

#include <algorithm>
#include <cstring>

#include "controlplane/kernel/policy_table.h"
#include "controlplane/policy/message.h"

namespace meiguan::kernel {
namespace {

using policy::say;

class Finder {
 public:
  explicit Finder(const lifecycle::Bundle& bundle) : bundle_{bundle}, policy_{bundle.policy} {}

  policy::Diagnostics run() {
    if (!bundle_.gateway) {
      add({}, say("there is no gateway file", "没有网关文件"));
      return std::move(found_);
    }
    ask_translations();
    ask_objects();
    ask_gateway();
    return std::move(found_);
  }

 private:
  void add(policy::Diagnostic place, const Text& what) {
    place.message = {what.english + ", which `--backend kernel` cannot do",
                     what.chinese + "，`--backend kernel` 无法实现"};
    place.hint = {"this box needs a port for the data plane, or a policy without it",
                  "本机需要数据面端口，或去掉该项的策略"};
    found_.push_back(std::move(place));
  }
  void at(const policy::Place& place, const Text& what) {
    policy::Diagnostic diagnostic;
    diagnostic.file = policy_.files[place.file];
    diagnostic.line = place.line;
    diagnostic.column = place.column;
    add(std::move(diagnostic), what);
  }
  void at_gateway(const policy::Place& place, const Text& what) {
    policy::Diagnostic diagnostic;
    diagnostic.file = bundle_.gateway->file;
    diagnostic.line = place.line;
    diagnostic.column = place.column;
    add(std::move(diagnostic), what);
  }

  // Those in force at this gateway only: a county's are nothing to a township.
  [[nodiscard]] bool is_here(NodeId node) const {
    return policy_.is_within(bundle_.gateway->node, node);
  }

  void ask_translations() {
    for (const auto& one : policy_.publishes) {
      if (is_here(one.node)) at(one.place, say("a [[publish]]", "此 [[publish]]"));
    }
    for (const auto& one : policy_.egresses) {
      if (is_here(one.node)) {
        at(one.place, say("the [[egress]] `{}`", "[[egress]] `{}`", one.id));
      }
    }
    for (const auto& one : policy_.translates) {
      if (is_here(one.node)) at(one.place, say("a [[translate]]", "此 [[translate]]"));
    }
  }

  template <typename Object>
  void ask_limits(const Object& one, const char* english, const char* chinese) {
    if (one.limits == policy::Limits{}) return;
    at(one.place, say("the limits of {0} `{2}`", "{1} `{2}` 的限制", std::string{english},
                      std::string{chinese}, one.id));
  }

  void ask_objects() {
    for (const auto& unit : policy_.units) ask_limits(unit, "unit", "单位");
    for (const auto& rule : policy_.rules) ask_limits(rule, "rule", "规则");
    for (const auto& service : policy_.services) {
      ask_limits(service, "service", "业务系统");
      if (service.helper != policy::Helper::kOff) {
        at(service.place, say("the helper of service `{}`", "业务系统 `{}` 的 helper", service.id));
      }
      if (!(service.timeouts == policy::Timeouts{})) {
        at(service.place, say("the timeouts of service `{}`", "业务系统 `{}` 的超时", service.id));
      }
    }
  }

  void ask_gateway() {
    const auto& gateway = *bundle_.gateway;
    if (gateway.kernel_routes.line != 0) {
      at_gateway(gateway.kernel_routes, say("`routes = \"kernel\"`", "`routes = \"kernel\"`"));
    }
    for (std::size_t i = 0; i < gateway.ports.size(); ++i) {
      const auto& port = gateway.ports[i];
      const PortId number{static_cast<PortId::rep>(i)};
      if (interface_of(bundle_.image, number).empty()) {
        at_gateway(port.place, say("port `{}` is no interface of the kernel's",
                                   "端口 `{}` 不是内核接口", port.name));
      } else if (interface_of(bundle_.image, number).size() > 15) {
        at_gateway(port.place, say("port `{}` has a name of more than 15 characters",
                                   "端口 `{}` 的接口名超过 15 个字符", port.name));
      }
      if (!port.tap.empty()) {
        at_gateway(port.place, say("the `tap` of port `{}`", "端口 `{}` 的 `tap`", port.name));
      }
      if (bundle_.image.ports()[i].space != 0) {
        at_gateway(port.place, say("port `{}` lies in a private zone's address space",
                                   "端口 `{}` 位于专网的地址空间", port.name));
      }
    }
    for (const auto& route : gateway.routes) {
      if (route.space != kSharedSpace) {
        at_gateway(route.place, say("the route to {} in a private zone's address space",
                                    "专网地址空间中到 {} 的路由", net::to_string(route.prefix)));
      }
    }
    const image::GatewayLimits usual;
    if (std::memcmp(&gateway.limits, &usual, sizeof usual) != 0) {
      policy::Diagnostic diagnostic;
      diagnostic.file = gateway.file;
      add(std::move(diagnostic), say("[limits] of the gateway file", "网关文件的 [limits]"));
    }
  }

  const lifecycle::Bundle& bundle_;
  const policy::CheckedPolicy& policy_;
  policy::Diagnostics found_;
};

}  // namespace

policy::Diagnostics inexpressible(const lifecycle::Bundle& bundle) { return Finder{bundle}.run(); }

}  // namespace meiguan::kernel
