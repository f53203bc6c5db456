// The machine itself behind the gateway's ports: TAPs, and what may be reached by them.

#include <algorithm>
#include <array>
#include <map>

#include "controlplane/policy/check_gateway.h"
#include "controlplane/policy/message.h"
#include "controlplane/policy/read_policy.h"
#include "controlplane/policy/syntax.h"
#include "dataplane/net/wire.h"

namespace meiguan::policy {
namespace {

constexpr std::size_t kMostLocals = 1024;  // prefixes times services: they are walked one by one

// Echo is answered in any case, and nothing else of ICMP is a service.
bool may_be_offered(const PortMatch& match) {
  return match.protocol != net::protocol::kIcmp && match.protocol != net::protocol::kIcmp6;
}

void check_taps(GatewayChecking& checking) {
  std::map<std::string, std::size_t> users;
  for (const GatewayPort& port : checking.gateway.ports) {
    const bool of_kernel = port.device_kind && *port.device_kind != DeviceKind::kPci &&
                           *port.device_kind != DeviceKind::kVdev;
    if (of_kernel) users.try_emplace(port.device, users.size());
  }
  for (std::size_t i = 0; i < checking.gateway.ports.size(); ++i) {
    const std::string& tap = checking.gateway.ports[i].tap;
    const GatewayPort& port = checking.gateway.ports[i];
    const bool has_mac = port.mac ||
                         (port.parent.is_some() && checking.gateway.ports[port.parent.index()].mac);
    if (!tap.empty() && !has_mac) {
      checking.reporter.error(
          checking.draft.ports[i].tap_place,
          say("a port with a `tap` has no `mac`, which it must have", "带 `tap` 的端口缺少 `mac`"),
          say("the device gets another one, so that the kernel takes nothing past "
              "the gateway",
              "设备自身会改用另一个 MAC，使内核不会绕过网关收包"));
    }
    if (tap.empty() || users.try_emplace(tap, i).second) continue;
    checking.reporter.error(checking.draft.ports[i].tap_place,
                            say("`tap` is `{}`, an interface that another port uses already",
                                "`tap` 为 `{}`，该接口已被另一端口使用", printable(tap)),
                            say("give each port a name of its own", "请为每个端口另取名称"));
  }
}

// The kernel's routes are those by TAPs: without one there is nothing to take.
void check_kernel_routes(GatewayChecking& checking) {
  const Place& place = checking.draft.kernel_routes;
  const bool has_tap = std::ranges::any_of(checking.draft.ports, [](const DraftPort& draft) {
    return draft.tap_place.line != 0;
  });
  if (place.line == 0 || has_tap) return;
  checking.reporter.error(place,
                          say("`routes` is `kernel`, but no [[port]] has a `tap`, one at least "
                              "expected",
                              "`routes` 为 `kernel`，但没有带 `tap` 的 [[port]]，至少应有一个"),
                          say("routing daemons speak by the `tap` of a port, and the routes by it "
                              "are taken",
                              "路由守护进程经端口的 `tap` 通信，采用的是经 `tap` 的路由"));
}

}  // namespace

void read_tap(TableView& table, DraftPort& draft, Reporter& reporter) {
  const auto tap = table.word("tap");
  if (!tap) return;
  draft.tap_place = tap->place;
  if (is_interface_name(tap->text)) {
    draft.port.tap = tap->text;
    return;
  }
  reporter.error(tap->place,
                 say("`tap` is `{}`, a name of 1 to 15 characters without / : , expected",
                     "`tap` 为 `{}`，应为 1 至 15 个字符的接口名，不含 / : ,",
                     printable(tap->text)));
}

void read_routes_source(TableView& table, GatewayDraft& draft, Reporter& reporter) {
  constexpr std::array<std::pair<std::string_view, bool>, 2> kSources{
      {{"file", false}, {"kernel", true}}};
  const auto word = table.word("routes");
  if (choose(word, "routes", kSources, reporter).value_or(false)) {
    draft.kernel_routes = word->place;
  }
}

void read_local(TableView& table, GatewayDraft& gateway, Reporter& reporter) {
  DraftLocal draft;
  draft.local.place = table.place();
  draft.port = table.required_word("port");
  for (const Word& word : table.required_words("from", TableView::Empty::kRefused)) {
    if (auto prefix = parse_prefix(word.text)) {
      draft.local.from.push_back(*prefix);
    } else {
      report(reporter, word.place, std::move(prefix.error()));
    }
  }
  for (const Word& word : table.required_words("services", TableView::Empty::kRefused)) {
    auto match = parse_ports(word.text);
    if (!match) {
      report(reporter, word.place, std::move(match.error()));
    } else if (!may_be_offered(*match)) {
      reporter.error(word.place,
                     say("`{}` is no service of the machine, tcp, udp, sctp, proto-N or "
                         "any expected",
                         "`{}` 不是本机服务，应为 tcp、udp、sctp、proto-N 或 any",
                         printable(word.text)),
                     say("echo requests are answered without it", "回显请求无需列出即会应答"));
    } else {
      draft.local.services.push_back(*match);
    }
  }
  gateway.locals.push_back(std::move(draft));
}

void check_local(GatewayChecking& checking) {
  check_taps(checking);
  check_kernel_routes(checking);
  std::size_t entries = 0;
  for (DraftLocal& draft : checking.draft.locals) {
    if (!draft.port) continue;
    const auto port = checking.ports.resolve(draft.port->text, draft.port->place,
                                             checking.reporter);
    if (!port) continue;
    const bool has_bad_tap = checking.draft.ports[*port].tap_place.line != 0;
    if (checking.gateway.ports[*port].tap.empty() && !has_bad_tap) {
      checking.reporter.error(
          draft.port->place,
          say("port `{}` has no `tap`, so that nothing of the machine itself is "
              "behind it",
              "端口 `{}` 没有 `tap`，其后没有本机服务", draft.port->text),
          say("give the [[port]] a `tap`", "请为该 [[port]] 写明 `tap`"));
    }
    entries += draft.local.from.size() * draft.local.services.size();
    draft.local.port = PortId{static_cast<std::uint16_t>(*port)};
    checking.gateway.locals.push_back(draft.local);
    if (entries <= kMostLocals) continue;
    checking.reporter.error(draft.local.place,
                            say("there are {} pairs of `from` and `services`, {} at most expected",
                                "`from` 与 `services` 的组合有 {} 个，最多允许 {} 个", entries,
                                kMostLocals));
    break;
  }
}

}  // namespace meiguan::policy
