#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string_view>
#include <vector>

#include "controlplane/analysis/explain_nat.h"
#include "controlplane/analysis/explain_words.h"

namespace meiguan::analysis {
namespace {

using image::Image;

struct End {
  SpaceId space;
  std::vector<ZoneId> zones;  // of its objects; empty where there are none
};

std::vector<ZoneId> source_zones(const Image& image, SpaceId space, const net::Address& address) {
  const auto unit = image.atom_at(space, address).unit;
  if (unit == image::kNone) return {};
  return {ZoneId{image.units()[unit].zone}};
}

std::vector<ZoneId> target_zones(const Image& image, SpaceId space, const Destination& to) {
  const auto target = fastpath::find_target(image, space, to.address, to.protocol, ZoneId{});
  const auto set = image.targets()[target.number].zone_set;
  std::vector<ZoneId> zones;
  if (set == image::kNoZoneSet) return zones;
  const auto& bits = image.zone_sets()[set].zones;
  for (std::size_t zone = 0; zone < image.zones().size(); ++zone) {
    if ((bits[zone / 64] >> (zone % 64) & 1) != 0) {
      zones.emplace_back(static_cast<ZoneId::rep>(zone));
    }
  }
  return zones;
}

// The address space of an end, `what` in messages, and the zones of its objects there. Where no
// zone is given, the other end's space is looked in first if that is known, then the shared one,
// then the one private space that has an object at the address.
template <typename ZonesIn>
Result<End> locate(const Image& image, const Names& names, const char* option,
                   const net::Address& address, const std::string& what, std::optional<ZoneId> zone,
                   std::optional<SpaceId> other, const ZonesIn& zones_in) {
  if (zone) {
    const SpaceId space{image.zones()[zone->index()].space};
    End end{space, zones_in(space)};
    if (!end.zones.empty() &&
        std::find(end.zones.begin(), end.zones.end(), *zone) == end.zones.end()) {
      return fail(fmt::format("{} says {}, but the object at {} is in zone {}", option,
                              names.zone_id(*zone), net::to_string(address),
                              names.zone_id(end.zones.front())),
                  fmt::format("{} 给的是 {}，但 {} 处的对象属于区域 {}", option,
                              names.zone_id(*zone), net::to_string(address),
                              names.zone_id(end.zones.front())));
    }
    return end;
  }
  std::vector<SpaceId> found;
  if (other && !zones_in(*other).empty()) return End{*other, zones_in(*other)};
  if (!zones_in(kSharedSpace).empty()) return End{kSharedSpace, zones_in(kSharedSpace)};
  for (std::size_t space = 1; space < image.spaces().size(); ++space) {
    const SpaceId id{static_cast<SpaceId::rep>(space)};
    if (!zones_in(id).empty()) found.push_back(id);
  }
  if (found.size() == 1) return End{found.front(), zones_in(found.front())};
  const auto text = net::to_string(address);
  if (found.size() > 1) {
    return fail(fmt::format("{} belongs to units of several private zones: say which with {}", text,
                            option),
                fmt::format("{} 在多个专网里都有单位：请用 {} 指明区域", text, option));
  }
  std::string zones;
  for (std::size_t i = 0; i < image.zones().size(); ++i) {
    const auto id = names.zone_id(ZoneId{static_cast<ZoneId::rep>(i)});
    zones += fmt::format("{}{}", zones.empty() ? "" : ", ", id);
  }
  return fail(fmt::format("no unit or service stands at {}: say its zone with {} ({})", what,
                          option, zones),
              fmt::format("{} 处没有单位或服务：请用 {} 指明区域（{}）", what, option, zones));
}

std::string list_zones(const Names& names, const std::vector<ZoneId>& zones) {
  std::string text;
  for (const auto zone : zones) {
    if (!text.empty()) text += "+";
    text += names.zone_id(zone);
  }
  return text;
}

}  // namespace

Result<Explanation> explain_by_objects(const Image& image, const Names& names,
                                       const Question& question) {
  const auto space_of = [&](std::optional<ZoneId> zone) -> std::optional<SpaceId> {
    if (!zone) return std::nullopt;
    return SpaceId{image.zones()[zone->index()].space};
  };
  const auto from_zones = [&](SpaceId space) { return source_zones(image, space, question.from); };
  const auto to_zones = [&](SpaceId space) { return target_zones(image, space, question.to); };
  // The address of a unit is more often meant in the shared space than in the other end's.
  const auto shared_first = !from_zones(kSharedSpace).empty() ? std::nullopt
                                                              : space_of(question.to_zone);
  const auto from = locate(image, names, "--from-zone", question.from,
                           net::to_string(question.from), question.from_zone, shared_first,
                           from_zones);
  if (!from) return std::unexpected{from.error()};
  const auto to = locate(image, names, "--to-zone", question.to.address, to_string(question.to),
                         question.to_zone, std::optional{from->space}, to_zones);
  if (!to) return std::unexpected{to.error()};

  const ZoneId in_zone = from->zones.empty() ? *question.from_zone : from->zones.front();
  const auto subject = fastpath::find_subject(image, from->space, question.from, in_zone);
  auto target = fastpath::find_target(image, to->space, question.to.address, question.to.protocol,
                                      ZoneId{});
  if (to->zones.empty()) target.assumed_zone = *question.to_zone;
  const image::Moment moment{image, question.at};
  const auto access = fastpath::decide(image, moment, subject, target);

  Explanation result;
  result.decision = access.decision;
  result.unit = subject.unit;
  result.to_unit = target.unit;
  result.service = target.service;
  result.ends = {subject, target};
  result.until = changes_at(image, subject, target, question.at);
  const std::string from_text{names.zone_id(in_zone)};
  const auto to_text = to->zones.empty() ? std::string{names.zone_id(*question.to_zone)}
                                         : list_zones(names, to->zones);
  auto sender = describe_unit(names, subject.unit);
  sender.english += fmt::format(", zone {}", from_text);
  sender.chinese += fmt::format("，区域 {}", from_text);
  result.stages.push_back({"sender", kPass, sender});
  auto destination = describe_target(names, target.unit, target.service);
  destination.english += fmt::format(", zone {}", to_text);
  destination.chinese += fmt::format("，区域 {}", to_text);
  result.stages.push_back({"destination", kPass, destination});

  const auto reason = access.decision.reason;
  const bool isolated = reason == fastpath::Reason::kZoneIsolated ||
                        reason == fastpath::Reason::kInternetIsolated;
  const Text between{fmt::format("{} to {}", from_text, to_text),
                     fmt::format("{} 到 {}", from_text, to_text)};
  result.stages.push_back(
      {"isolation", isolated ? kDrop : kPass, describe_isolation(access.isolation, between)});
  if (isolated) {
    result.stages.push_back({"rules", kNotAsked, {}});
  } else {
    result.stages.push_back({"rules", access.decision.forwards() ? kPass : kDrop,
                             describe_rules(names, moment, access)});
  }

  const auto departure = describe_departure(image, subject, question.from, from->space,
                                            access.isolation);
  if (access.decision.forwards() && departure) {
    result.stages.push_back({"nat", kPass, *departure});
  }

  if (access.decision.forwards()) {
    if (const auto helper = describe_helper(image, target.service, question.to.protocol.number)) {
      result.stages.push_back({"helper", kPass, *helper});
    }
  }

  result.assumptions.push_back(
      {"without a gateway file: ports, routes, anti-spoof, admission and the gateway's own "
       "addresses are not asked",
       "没有网关文件：不问端口、路由、源地址核对、准入和网关自身地址"});
  if (from->zones.empty()) {
    result.assumptions.push_back({fmt::format("the source is in zone {}, as given", from_text),
                                  fmt::format("源地址在区域 {}（按所给）", from_text)});
  }
  if (to->zones.empty()) {
    result.assumptions.push_back({fmt::format("the destination is in zone {}, as given", to_text),
                                  fmt::format("目的地址在区域 {}（按所给）", to_text)});
  }
  return result;
}

}  // namespace meiguan::analysis
