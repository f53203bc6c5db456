// Lints of what is translated, of time-outs, and of helpers.

#include <algorithm>
#include <array>
#include <vector>

#include "controlplane/analysis/lint_sink.h"
#include "controlplane/policy/compile_selectors.h"
#include "controlplane/policy/message.h"
#include "controlplane/policy/nat_scope.h"
#include "dataplane/net/wire.h"

namespace meiguan::analysis {
namespace {

using policy::Bits;
using policy::CheckedPolicy;
using policy::Egress;
using policy::NatRange;
using policy::say;

constexpr std::size_t kEgressHeader = 10;   // [[egress]]
constexpr std::size_t kServiceHeader = 11;  // [[service]]

bool has_pool(const Egress& egress, net::Family family) {
  return std::ranges::any_of(egress.pool, [&](const auto& p) { return p.family() == family; });
}

// Which sources each egress covers, by what they are and where they come in.
class EgressLinter {
 public:
  EgressLinter(const CheckedPolicy& policy, LintSink& sink)
      : policy_{policy},
        sink_{sink},
        plan_{policy::plan_addresses(policy, nullptr)},
        columns_{policy},
        units_{policy},
        sources_{policy, plan_, columns_, units_} {}

  void run() {
    std::vector<Bits> covers;
    for (const Egress& egress : policy_.egresses) covers.push_back(cover_of(egress));
    for (std::size_t i = 0; i < covers.size(); ++i) {
      const Egress& egress = policy_.egresses[i];
      if (covers[i].list().empty()) {
        sink_.add("egress-covers-nothing", egress.id, egress.place, kEgressHeader,
                  say("egress {} covers no source", "出口 {} 不覆盖任何源", egress.id),
                  say("below the root it covers units of its node's subtree only",
                      "根以下节点的出口只覆盖本子树的单位"));
      } else if (is_shadowed(i, covers)) {
        sink_.add("egress-shadowed", egress.id, egress.place, kEgressHeader,
                  say("egress {} is never used: those before it at its node cover all its sources",
                      "出口 {} 不会被使用：同一节点上它之前的出口已覆盖其全部源", egress.id),
                  say("the first that covers a source is used", "以先覆盖该源的出口为准"));
      }
    }
  }

 private:
  Bits cover_of(const Egress& egress) const {
    Bits all = sources_.matching(egress.from, {});
    if (egress.node == NodeId{0}) return all;
    Bits own{sources_.size()};
    all.for_each([&](std::size_t point) {
      const UnitId unit = sources_.groups()[sources_.group_of(point)].unit;
      if (unit.is_some() && policy_.is_within(policy_.units[unit.index()].node, egress.node)) {
        own.set(point);
      }
    });
    return own;
  }

  bool is_shadowed(std::size_t i, const std::vector<Bits>& covers) const {
    const Egress& egress = policy_.egresses[i];
    return std::ranges::all_of(std::array{net::Family::kIpv4, net::Family::kIpv6},
                               [&](net::Family family) {
                                 if (!has_pool(egress, family)) return true;
                                 Bits rest = covers[i];
                                 for (std::size_t j = 0; j < i; ++j) {
                                   if (policy_.egresses[j].node == egress.node &&
                                       has_pool(policy_.egresses[j], family)) {
                                     rest.remove(covers[j]);
                                   }
                                 }
                                 return rest.list().empty();
                               });
  }

  const CheckedPolicy& policy_;
  LintSink& sink_;
  policy::AddressPlan plan_;
  policy::ZoneColumns columns_;
  policy::UnitSets units_;
  policy::SourcePoints sources_;
};

// Two publishes may share an address where protocols or ports part them.
bool share_packets(const policy::PortMatch& a, const policy::PortMatch& b) {
  if (a.any_protocol || b.any_protocol) return true;
  if (a.protocol != b.protocol) return false;
  return a.whole || b.whole || (a.first <= b.last && b.first <= a.last);
}

// What could be in force together is an error already.
void lint_meetings(const CheckedPolicy& policy, LintSink& sink) {
  const std::vector<NatRange> ranges = policy::nat_ranges(policy);
  std::vector<const NatRange*> sorted;
  for (const NatRange& range : ranges) sorted.push_back(&range);
  std::ranges::stable_sort(sorted, {}, &NatRange::prefix);
  std::vector<const NatRange*> around;
  for (const NatRange* const range : sorted) {
    while (!around.empty() && !around.back()->prefix.contains(range->prefix)) around.pop_back();
    for (const NatRange* const other : around) {
      if (range->kind == image::NatKind::kPublish && other->kind == image::NatKind::kPublish &&
          !share_packets(policy.publishes[range->object].address.match,
                         policy.publishes[other->object].address.match)) {
        continue;
      }
      const Text a = policy::nat_range_text(policy, *range);
      const Text b = policy::nat_range_text(policy, *other);
      auto& lint = sink.add(
          "translation-overlaps", net::to_string(range->prefix), range->place, 1,
          Text{fmt::format("{} overlaps {} ({})", a.english, b.english, policy.where(other->place)),
               fmt::format("{} 与 {}（{}）重叠", a.chinese, b.chinese, policy.where(other->place))},
          say("answers would come back to one of the two gateways only",
              "回程报文只会到达其中一台网关"));
      lint.related.push_back({b.english, policy.where(other->place)});
      break;
    }
    around.push_back(range);
  }
}

struct Least {
  std::uint32_t seconds;
  std::string_view clause;
};
// In the order of policy::Timeouts; 0: the RFCs name none.
constexpr std::array<Least, policy::kTimeouts> kLeast{{{7'440, "RFC 5382 REQ-5"},
                                                       {240, "RFC 5382 REQ-5"},
                                                       {240, "RFC 5382 REQ-5"},
                                                       {120, "RFC 4787 REQ-5"},
                                                       {120, "RFC 4787 REQ-5"},
                                                       {60, "RFC 5508 REQ-2"},
                                                       {0, ""}}};

// More ports than a signalling protocol is spread over.
constexpr unsigned kManyPorts = 16;

struct Reading {
  std::string_view name;  // the helper's in policy files
  std::string_view text;  // what it reads
  std::uint8_t protocol;
};
Reading reading_of(policy::Helper helper) {
  return helper == policy::Helper::kSip ? Reading{"sip", "UDP", net::protocol::kUdp}
                                        : Reading{"ftp", "TCP", net::protocol::kTcp};
}

}  // namespace

void lint_translations(const CheckedPolicy& policy, LintSink& sink) {
  if (!policy.egresses.empty()) EgressLinter{policy, sink}.run();
  lint_meetings(policy, sink);
}

void lint_timeouts(const CheckedPolicy& policy, LintSink& sink) {
  for (const policy::Service& service : policy.services) {
    for (std::size_t i = 0; i < policy::kTimeouts; ++i) {
      const std::uint32_t seconds = service.timeouts[i];
      if (seconds == 0 || seconds >= kLeast[i].seconds) continue;
      sink.add("timeout-short", service.id, service.place, kServiceHeader,
               say("time-out `{}` of service {} is {} s, {} asks for {} s at least",
                   "服务 {1} 的超时 `{0}` 为 {2} 秒，{3} 要求至少 {4} 秒", policy::kTimeoutKeys[i],
                   service.id, seconds, kLeast[i].clause, kLeast[i].seconds),
               say("flows that are quiet for longer are cut off", "静默更久的流会被切断"));
    }
  }
}

void lint_helpers(const CheckedPolicy& policy, LintSink& sink) {
  for (const policy::Service& service : policy.services) {
    if (service.helper == policy::Helper::kOff) continue;
    const Reading reading = reading_of(service.helper);
    bool reads = false;
    unsigned most = 0;
    for (const policy::Endpoint& endpoint : service.endpoints) {
      const policy::PortMatch& match = endpoint.match;
      if (!match.any_protocol && match.protocol != reading.protocol) continue;
      reads = true;
      most = std::max(most, match.last - match.first + 1U);
    }
    if (!reads) {
      sink.add("helper-reads-nothing", service.id, service.place, kServiceHeader,
               say("helper {} of service {} reads {}, and no endpoint of the service is {}",
                   "服务 {1} 的辅助程序 {0} 只读 {2}，而该服务没有 {3} 端点", reading.name,
                   service.id, reading.text, reading.text),
               say("name such an endpoint, or take the helper away",
                   "请写出这样的端点，或去掉 `helper`"));
    } else if (most > kManyPorts) {
      sink.add(
          "helper-reads-much", service.id, service.place, kServiceHeader,
          say("helper {} of service {} reads what passes on {} ports, and drops what it cannot "
              "read",
              "服务 {1} 的辅助程序 {0} 读取 {2} 个端口上的全部报文，读不懂的即丢弃", reading.name,
              service.id, most),
          say("name the signalling ports only", "请只写信令端口"));
    }
  }
}

}  // namespace meiguan::analysis
