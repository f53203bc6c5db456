#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <string>

#include "controlplane/analysis/explain_nat.h"
#include "controlplane/analysis/explain_words.h"
#include "controlplane/analysis/replay.h"

namespace meiguan::analysis {
namespace {

using fastpath::Fate;
using fastpath::Reason;
using image::Image;
using image::PortRecord;
using image::RouteKind;

constexpr net::MacAddress kSomeMac{0x02, 0, 0, 0, 0, 0x99};
constexpr net::MacAddress kSomePortMac{0x02, 0, 0, 0, 0, 0x01};

constexpr std::uint32_t kFlows = 1024;  // for one packet

// The stages in the order of policy.md section 5.
enum class Step : std::size_t {
  kWellFormed,
  kSource,
  kDestination,
  kAntiSpoof,
  kBlockList,
  kForGateway,
  kAdmission,
  kRoute,
  kDestinationPrivate,
  kIsolation,
  kRules,
  kNat,
  kForward,
  kCount,
};
constexpr std::array<std::string_view, static_cast<std::size_t>(Step::kCount)> kStepNames{
    "well-formed", "source",    "destination", "anti-spoof",          "block-list",
    "for-gateway", "admission", "route",       "destination-private", "isolation",
    "rules",       "nat",       "forward"};

// Where a packet that ended so ended.
Step step_of(Reason reason) {
  const auto code = static_cast<unsigned>(reason);
  switch (reason) {
    case Reason::kForGateway: return Step::kForGateway;
    case Reason::kSpoofed: return Step::kAntiSpoof;
    case Reason::kBlocked: return Step::kBlockList;
    case Reason::kUnitUnknown:
    case Reason::kTerminalUnknown:
    case Reason::kTerminalMac:
    case Reason::kLoginRequired: return Step::kAdmission;
    case Reason::kNoRoute: return Step::kRoute;
    case Reason::kDestinationPrivate: return Step::kDestinationPrivate;
    case Reason::kInternetIsolated:
    case Reason::kZoneIsolated: return Step::kIsolation;
    case Reason::kDenied:
    case Reason::kDefaultDeny:
    case Reason::kRevoked: return Step::kRules;
    case Reason::kAllowed: return Step::kCount;
    default: break;
  }
  if (code >= static_cast<unsigned>(Reason::kSourceOwn) &&
      code <= static_cast<unsigned>(Reason::kSourcePrivate)) {
    return Step::kSource;
  }
  if (code >= static_cast<unsigned>(Reason::kDestinationBroadcast) &&
      code <= static_cast<unsigned>(Reason::kDestinationLinkLocal)) {
    return Step::kDestination;
  }
  if (code >= static_cast<unsigned>(Reason::kFrameShort) &&
      code <= static_cast<unsigned>(Reason::kFragmentDuplicate)) {
    return Step::kWellFormed;
  }
  constexpr unsigned kFirstNat = 105, kLastNat = 108;
  if (code >= kFirstNat && code <= kLastNat) return Step::kNat;
  return Step::kForward;
}

// The port that leads back to the source, in the address space that the zone gives.
Result<PortId> infer_in_port(const Image& image, const Names& names, const Question& question) {
  const auto source = net::to_string(question.from);
  SpaceId space = kSharedSpace;
  if (question.from_zone) space = SpaceId{image.zones()[question.from_zone->index()].space};
  const auto* route = image.route_to(space, question.from);
  if (route != nullptr && route->kind == RouteKind::kNat) route = nullptr;
  if (route == nullptr && !question.from_zone) {
    for (std::size_t other = 1; other < image.spaces().size(); ++other) {
      const SpaceId id{static_cast<SpaceId::rep>(other)};
      const auto* const candidate = image.route_to(id, question.from);
      if (candidate == nullptr) continue;
      if (route != nullptr) {
        return fail(fmt::format("several private zones have a route to {}: say the port with --in",
                                source),
                    fmt::format("多个专网都有到 {} 的路由：请用 --in 指明入端口", source));
      }
      route = candidate;
      space = id;
    }
  }
  if (route == nullptr) {
    return fail(fmt::format("no route leads to {}: say the port that it comes in by with --in",
                            source),
                fmt::format("没有到 {} 的路由：请用 --in 指明入端口", source));
  }
  if (image.ports()[route->port].space != space.value()) {
    return fail(fmt::format("the route to {} leaves by {}, which is in another address space: say "
                            "the port with --in",
                            source, names.port_name(PortId{route->port})),
                fmt::format("到 {} 的路由从 {} 出去，它在另一地址空间：请用 --in 指明入端口",
                            source, names.port_name(PortId{route->port})));
  }
  return PortId{route->port};
}

Text describe_route(const Image& image, const Names& names, SpaceId space,
                    const net::Address& address) {
  const auto* const route = image.route_to(space, address);
  if (route == nullptr) return {"no route to the destination", "没有到目的地址的路由"};
  const auto port = names.port_name(PortId{route->port});
  if (route->kind == RouteKind::kVia) {
    const auto via = net::to_string(route->via);
    return {fmt::format("by {} via {}", port, via), fmt::format("经 {}，下一跳 {}", port, via)};
  }
  return {fmt::format("by {}, on-link", port), fmt::format("经 {}，直连", port)};
}

Text describe_spoof(const PortRecord& port, const Names& names, const image::RouteRecord* back) {
  const auto leaves = back != nullptr ? names.port_name(PortId{back->port}) : "-";
  switch (port.anti_spoof) {
    case image::AntiSpoof::kOff: return {"off", "关闭"};
    case image::AntiSpoof::kLoose:
      return {fmt::format("loose: the route back leaves by {}", leaves),
              fmt::format("宽松：返回路由从 {} 出去", leaves)};
    case image::AntiSpoof::kStrict: break;
  }
  return {fmt::format("strict: the route back leaves by {}", leaves),
          fmt::format("严格：返回路由从 {} 出去", leaves)};
}

Text sentence_of(Reason reason) {
  const auto* const info = fastpath::find_reason(reason);
  return info == nullptr ? Text{} : Text{std::string{info->english}, std::string{info->chinese}};
}

// The entry that stands against the ends as they are asked about; nothing where it is a translation
// of one of them, or there is none.
std::optional<Text> describe_block(const image::BlockList& list, const Image& image, SpaceId space,
                                   const Question& question) {
  const image::Blocks blocks{list, image, question.at};
  for (const net::Address& end : {question.from, question.to.address}) {
    const std::uint32_t found = blocks.find(space, end);
    if (found == image::kNone) continue;
    const image::BlockRecord& record = list.records()[found];
    const auto prefix = net::to_string(net::Prefix::around(record.address, record.length));
    return Text{fmt::format("by the entry {}", prefix), fmt::format("条目 {}", prefix)};
  }
  return std::nullopt;
}

// The zone of an option against what stands there.
std::unexpected<Error> contradicts(const Names& names, const char* option, ZoneId given,
                                   std::string_view found) {
  return fail(fmt::format("{} says {}, but the packet's end is in zone {}", option,
                          names.zone_id(given), found),
              fmt::format("{} 给的是 {}，但该端在区域 {}", option, names.zone_id(given), found));
}

}  // namespace

Result<Explanation> explain_at_gateway(const Image& image, const Names& names,
                                       const Question& question) {
  Explanation result;
  if (question.in) {
    result.in = *question.in;
  } else {
    const auto in = infer_in_port(image, names, question);
    if (!in) return std::unexpected{in.error()};
    result.in = *in;
    result.assumptions.push_back(
        {fmt::format("it comes in by {}, the port of the route back to its source",
                     names.port_name(*in)),
         fmt::format("从 {} 进入，即返回源地址的路由所用端口", names.port_name(*in))});
  }
  const PortRecord& port = image.ports()[result.in.index()];
  const SpaceId space{port.space};
  const ZoneId in_zone{port.zone};
  const auto subject = fastpath::find_subject(image, space, question.from, in_zone);
  if (question.from_zone && *question.from_zone != in_zone &&
      (subject.unit.is_none() ||
       image.units()[subject.unit.index()].zone != question.from_zone->value())) {
    return contradicts(names, "--from-zone", *question.from_zone, names.zone_id(in_zone));
  }

  // --- the frame, and what the workers say of it
  Probe probe{question.from, question.to, kSomeMac, kSomePortMac, port.vlan};
  if (port.has_mac != 0) probe.destination_mac = port.mac;
  if (const auto* const terminal = image.terminal_at(space, question.from);
      terminal != nullptr && terminal->has_mac != 0) {
    probe.source_mac = terminal->mac;
    result.assumptions.push_back(
        {fmt::format("the frame carries the MAC registered for the terminal, {}",
                     net::to_string(terminal->mac)),
         fmt::format("帧的源 MAC 就是终端登记的 {}", net::to_string(terminal->mac))});
  }
  const auto frame = build_frame(probe);
  Judge judge{image, kFlows};
  if (question.blocks != nullptr) {
    judge.set_blocks(*question.blocks);
  } else {
    result.assumptions.push_back(
        {"neither end is on the gateway's block list, which --block FILE "
         "would tell",
         "两端都不在网关的封禁名单中（可用 --block 文件 给出名单）"});
  }
  static_cast<void>(judge.add(frame, PortId{port.parent}));  // an empty burst has room
  const Fate fate = judge.process(static_cast<fastpath::Tick>(question.at) * 1000).front();
  result.decision = {fate.reason, fate.rule};
  result.unit = fate.unit;
  result.to_unit = fate.to_unit;
  result.service = fate.service;
  if (result.decision.forwards()) result.out = fate.out;
  result.assumptions.push_back({"it is the first packet of its flow, and the next hop answers",
                                "这是流的首包，且下一跳应答"});

  const image::Moment moment{image, question.at};
  // --- the details, by the functions that the pipeline itself uses
  const std::optional<Arrival> arrival = arrive(image, space, question.to);
  const Destination to = arrival ? arrival->to : question.to;
  const SpaceId to_space = arrival ? arrival->space : space;
  const auto* route = image.route_to(to_space, to.address);
  if (route != nullptr && route->kind == RouteKind::kNat) route = nullptr;  // leads nowhere
  ZoneId out_zone;
  SpaceId out_space = space;
  if (route != nullptr) {
    out_zone = ZoneId{image.ports()[route->port].zone};
    out_space = SpaceId{image.ports()[route->port].space};
  }
  auto target = fastpath::find_target(image, out_space, to.address, to.protocol, out_zone);
  target.translated = arrival.has_value();
  if (question.to_zone && route != nullptr && *question.to_zone != out_zone &&
      (target.unit.is_none() ||
       image.units()[target.unit.index()].zone != question.to_zone->value()) &&
      (target.service.is_none() ||
       image.services()[target.service.index()].zone != question.to_zone->value())) {
    return contradicts(names, "--to-zone", *question.to_zone, names.zone_id(out_zone));
  }
  const Step ended = step_of(fate.reason);
  // Of an address that stands for nobody inside, nobody asks whether he may be reached.
  const bool stands_for_nobody = route == nullptr;
  if (ended >= Step::kIsolation && !stands_for_nobody) result.ends = {subject, target};
  for (std::size_t i = 0; i < static_cast<std::size_t>(Step::kCount); ++i) {
    const Step step{i};
    Stage stage{kStepNames[i], kPass, {}};
    const bool about_access = step == Step::kIsolation || step == Step::kRules;
    if (step > ended || (about_access && stands_for_nobody)) {
      stage.result = kNotAsked;
      result.stages.push_back(stage);
      continue;
    }
    if (step == ended) {
      stage.result = fate.reason == Reason::kForGateway ? kLocal : kDrop;
      stage.detail = sentence_of(fate.reason);
    }
    const auto add = [&stage](const Text& more) {
      if (!stage.detail.english.empty()) {
        stage.detail.english += "; ";
        stage.detail.chinese += "；";
      }
      stage.detail.english += more.english;
      stage.detail.chinese += more.chinese;
    };
    switch (step) {
      case Step::kAntiSpoof:
        add(describe_spoof(port, names, image.route_to(space, question.from)));
        break;
      case Step::kBlockList:
        if (question.blocks == nullptr) {
          stage.result = kNotAsked;
        } else if (const auto which = describe_block(*question.blocks, image, space, question)) {
          add(*which);
        }
        break;
      case Step::kAdmission: add(describe_unit(names, subject.unit)); break;
      case Step::kRoute:
        if (route != nullptr) add(describe_route(image, names, to_space, to.address));
        if (arrival) add(arrival->text);
        break;
      case Step::kIsolation: {
        const Text between{
            fmt::format("{} to {}, {}", names.zone_id(in_zone), names.zone_id(out_zone),
                        describe_target(names, target.unit, target.service).english),
            fmt::format("{} 到 {}，{}", names.zone_id(in_zone), names.zone_id(out_zone),
                        describe_target(names, target.unit, target.service).chinese)};
        stage.detail = describe_isolation(fastpath::isolate(image, subject, target), between);
        break;
      }
      case Step::kRules:
        result.until = changes_at(image, subject, target, question.at);
        stage.detail = describe_rules(names, moment,
                                      fastpath::decide(image, moment, subject, target));
        break;
      case Step::kNat:
        if (stands_for_nobody) break;
        if (const auto departure = describe_departure(image, subject, question.from, space,
                                                      fastpath::isolate(image, subject, target))) {
          add(*departure);
        }
        if (arrival) add(arrival->text);
        break;
      case Step::kForward:
        if (result.decision.forwards()) {
          add({fmt::format("out by {}", names.port_name(fate.out)),
               fmt::format("从 {} 送出", names.port_name(fate.out))});
        }
        break;
      default: break;
    }
    result.stages.push_back(stage);
  }
  if (result.decision.forwards()) {
    if (const auto helper = describe_helper(image, target.service, to.protocol.number)) {
      result.stages.push_back({"helper", kPass, *helper});
    }
  }
  return result;
}

}  // namespace meiguan::analysis
