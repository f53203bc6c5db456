#include "controlplane/analysis/example.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <vector>

#include "controlplane/policy/instant_text.h"

namespace meiguan::analysis {
namespace {

using image::Image;
using net::Family;

// More addresses than these of one point say nothing new.
constexpr std::size_t kMostRanges = 64;

std::vector<net::Address> samples(const Reach& reach, SpaceId space, Family family,
                                  std::uint32_t atom, std::size_t most) {
  std::vector<net::Address> result;
  // Where a unit admits its terminals alone, one of them is a better example.
  for (const auto& address : reach.terminals(UnitId{reach.image().atoms()[atom].unit})) {
    if (address.family() != family) continue;
    if (&reach.image().atom_at(space, address) == &reach.image().atoms()[atom]) {
      result.push_back(address);
    }
  }
  const auto ranges = reach.ranges(space, family, atom);
  for (const AtomRange& range : ranges.first(std::min(ranges.size(), kMostRanges))) {
    if (result.size() >= most) break;
    const auto some = sample_addresses(range.first, range.last);
    result.insert(result.end(), some.begin(), some.end());
  }
  if (result.size() > most) result.resize(most);
  return result;
}

// The zone by which `explain` finds the address space of a destination.
ZoneId zone_of(const Image& image, const TargetPoint& to) {
  if (to.zone.is_some()) return to.zone;
  const auto& set = image.zone_sets()[image.targets()[to.target].zone_set];
  std::size_t zone = 0;
  while ((set.zones[zone / 64] >> zone % 64 & 1) == 0) ++zone;
  return ZoneId{static_cast<ZoneId::rep>(zone)};
}

Example judge(const Reach& reach, const SourcePoint& source, const TargetPoint& target,
              const net::Address& from, const Destination& to, std::int64_t at, bool timed) {
  const Image& image = reach.image();
  Example example{from, to, source.zone, zone_of(image, target), at, timed, {}, {}, {}, {}};
  const auto subject = fastpath::find_subject(image, source.space, from, source.zone);
  auto found = fastpath::find_target(image, target.space, to.address, to.protocol, ZoneId{});
  found.assumed_zone = target.zone;
  const image::Moment moment{image, at};
  example.unit = subject.unit;
  example.to_unit = found.unit;
  example.service = found.service;
  example.decision = fastpath::decide(image, moment, subject, found).decision;
  return example;
}

}  // namespace

bool each_example(const Reach& reach, const Packets& packets, std::size_t most,
                  const std::function<bool(const Example&)>& visit) {
  for (const SourcePoint* const source : packets.sources) {
    for (const TargetPoint* const target : packets.targets) {
      for (const Family family : {Family::kIpv4, Family::kIpv6}) {
        if ((source->families & target->families & bit_of(family)) == 0) continue;
        const auto key = reach.key(*target, family);
        if (!key) continue;
        const fastpath::Protocol protocol{static_cast<std::uint8_t>(*key >> 16),
                                          static_cast<std::uint16_t>(*key & 0xffff)};
        const auto targets = samples(reach, target->space, family, target->atom, most);
        for (const auto& from : samples(reach, source->space, family, source->atom, most)) {
          for (const auto& to : targets) {
            if (visit(judge(reach, *source, *target, from, {to, protocol}, packets.at,
                            packets.timed))) {
              return true;
            }
          }
        }
      }
    }
  }
  return false;
}

Text packet_text(const Image& image, const Names& names, const Example& example) {
  const auto end = [&](UnitId unit, ServiceId service, ZoneId zone) {
    Text text;
    if (unit.is_some()) {
      text.english += fmt::format("unit {}, ", names.unit_id(unit));
      text.chinese += fmt::format("单位 {}，", names.unit_id(unit));
    }
    if (service.is_some()) {
      text.english += fmt::format("service {}, ", names.service_id(service));
      text.chinese += fmt::format("业务系统 {}，", names.service_id(service));
    }
    text.english += fmt::format("zone {}", names.zone_id(zone));
    text.chinese += fmt::format("区域 {}", names.zone_id(zone));
    return text;
  };
  const auto from = end(example.unit, {}, example.from_zone);
  const auto to = end(example.to_unit, example.service, example.to_zone);
  const auto source = net::to_string(example.from);
  const auto destination = to_string(example.to);
  Text text{fmt::format("{} ({}) to {} ({})", source, from.english, destination, to.english),
            fmt::format("{}（{}）到 {}（{}）", source, from.chinese, destination, to.chinese)};
  if (example.timed) {
    const auto at = policy::instant_text(image.utc_offsets(), example.at);
    text.english += " at " + at;
    text.chinese += "，时刻 " + at;
  }
  return text;
}

Text decision_text(const Names& names, const fastpath::Decision& decision) {
  const auto* const rule = names.rule(decision.rule);
  const auto* const reason = fastpath::find_reason(decision.reason);
  const std::string_view why = reason != nullptr ? reason->name : std::string_view{};
  if (rule != nullptr) {
    const bool allowed = decision.forwards();
    return {fmt::format("is {} by {} ({})", allowed ? "allowed" : "denied", rule->full_name,
                        rule->where),
            fmt::format("被规则 {}（{}）{}", rule->full_name, rule->where,
                        allowed ? "放行" : "拒绝")};
  }
  return {fmt::format("is dropped: {}", why), fmt::format("被丢弃：{}", why)};
}

std::string explain_options(const Image& image, const Names& names, const Example& example) {
  std::string text = fmt::format("--from {} --from-zone {} --to {} --to-zone {}",
                                 net::to_string(example.from), names.zone_id(example.from_zone),
                                 to_string(example.to), names.zone_id(example.to_zone));
  // A question about another time than now is asked of that time.
  if (example.timed || !image.conditions().empty()) {
    text += " --at " + policy::instant_text(image.utc_offsets(), example.at);
  }
  return text;
}

}  // namespace meiguan::analysis
