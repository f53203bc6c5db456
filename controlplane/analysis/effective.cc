#include "controlplane/analysis/effective.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <tuple>
#include <utility>

#include "controlplane/analysis/first_packet.h"
#include "controlplane/analysis/reach.h"
#include "controlplane/policy/protocol_name.h"
#include "dataplane/fastpath/decide.h"

namespace meiguan::analysis {
namespace {

using Span = std::pair<std::uint32_t, std::uint32_t>;  // keys: first, end
constexpr std::uint32_t kProtocol = 0x1'0000;

std::string protocol_text(std::uint32_t protocol) {
  const auto name = policy::protocol_name(static_cast<std::uint8_t>(protocol));
  return name.empty() ? fmt::format("proto-{}", protocol) : std::string{name};
}

// A part of one protocol: of those with ports "443/tcp", of ICMP "icmp/8".
std::string part_text(std::uint32_t first, std::uint32_t last) {
  const std::uint32_t protocol = first / kProtocol;
  const std::uint32_t low = first % kProtocol;
  const std::uint32_t high = last % kProtocol;
  const std::string name = protocol_text(protocol);
  if (low == 0 && high == kProtocol - 1) return name;
  const std::string values = low == high ? std::to_string(low) : fmt::format("{}-{}", low, high);
  return policy::has_ports(static_cast<std::uint8_t>(protocol)) ? values + "/" + name
                                                                : name + "/" + values;
}

std::vector<std::string> port_texts(std::set<Span> spans) {
  std::vector<Span> merged;
  for (const auto& [first, end] : spans) {
    if (!merged.empty() && first <= merged.back().second) {
      merged.back().second = std::max(merged.back().second, end);
    } else {
      merged.emplace_back(first, end);
    }
  }
  if (merged.size() == 1 && merged[0] == Span{0, kKeyEnd}) return {"any"};
  std::vector<std::string> texts;
  std::vector<std::uint32_t> whole;  // protocols without a name, all of them
  const auto flush = [&] {
    if (whole.empty()) return;
    texts.push_back(whole.size() == 1 ? fmt::format("proto-{}", whole.front())
                                      : fmt::format("proto-{}-{}", whole.front(), whole.back()));
    whole.clear();
  };
  for (const auto& [first, end] : merged) {
    for (std::uint32_t at = first; at < end;) {
      const std::uint32_t protocol = at / kProtocol;
      const std::uint32_t stop = std::min(end, (protocol + 1) * kProtocol);
      const bool is_whole = at % kProtocol == 0 && stop % kProtocol == 0;
      const bool has_name = !policy::protocol_name(static_cast<std::uint8_t>(protocol)).empty();
      if (is_whole && !has_name) {
        if (!whole.empty() && whole.back() + 1 != protocol) flush();
        whole.push_back(protocol);
      } else {
        flush();
        texts.push_back(part_text(at, stop - 1));
      }
      at = stop;
    }
  }
  flush();
  return texts;
}

class Walk {
 public:
  Walk(const image::Image& image, std::int64_t at) : reach_{image}, moment_{image, at} {}

  std::vector<Access> run(const Focus& focus) {
    std::vector<const SourcePoint*> own_sources;
    std::vector<const TargetPoint*> own_targets;
    for (const SourcePoint& from : reach_.sources()) {
      if (focus.unit.is_some() && unit_of(from.atom) == focus.unit.value()) {
        own_sources.push_back(&from);
      }
    }
    for (const TargetPoint& to : reach_.targets()) {
      const bool is_own = focus.unit.is_some() ? unit_of(to.atom) == focus.unit.value()
                                               : reach_.image().targets()[to.target].service ==
                                                     focus.service.value();
      if (is_own) own_targets.push_back(&to);
    }
    for (const auto* from : own_sources) {
      for (const TargetPoint& to : reach_.targets()) look_at(*from, to, false);
    }
    for (const auto* to : own_targets) {
      for (const SourcePoint& from : reach_.sources()) {
        // What a unit may do to itself is told of once.
        const bool is_self = focus.unit.is_some() && unit_of(from.atom) == focus.unit.value();
        if (!is_self) look_at(from, *to, true);
      }
    }
    std::vector<Access> result;
    for (const auto& [key, spans] : found_) {
      const auto& [incoming, from, to, rule] = key;
      result.push_back({from, to, rule, port_texts(spans)});
    }
    return result;
  }

 private:
  [[nodiscard]] std::uint32_t unit_of(std::uint32_t atom) const {
    return reach_.image().atoms()[atom].unit;
  }

  [[nodiscard]] Party party(const SourcePoint& from) const {
    const std::uint32_t unit = unit_of(from.atom);
    if (unit != image::kNone) return {PartyKind::kUnit, unit};
    return {PartyKind::kZone, from.zone.value()};
  }
  [[nodiscard]] Party party(const TargetPoint& to) const {
    const std::uint32_t service = reach_.image().targets()[to.target].service;
    if (service != image::kNone) return {PartyKind::kService, service};
    const std::uint32_t unit = unit_of(to.atom);
    if (unit != image::kNone) return {PartyKind::kUnit, unit};
    return {PartyKind::kZone, to.zone.value()};
  }

  void look_at(const SourcePoint& from, const TargetPoint& to, bool incoming) {
    if ((from.families & to.families) == 0) return;
    const image::Image& image = reach_.image();
    const auto isolation = reach_.isolation(from.sender, to);
    fastpath::Reason reason{};
    if (fastpath::drops(isolation, reason)) return;
    const auto access = fastpath::decide(image, isolation,
                                         image.outcome(image.cell(from.row, to.column), moment_));
    if (!access.decision.forwards()) return;
    auto& spans = found_[{incoming, party(from), party(to), access.decision.rule}];
    const image::Atom& atom = image.atoms()[to.atom];
    const image::PortMap& map = image.port_maps()[atom.port_map];
    for (std::uint32_t i = 0; i < map.breaks; ++i) {
      const image::PortBreak& here = image.port_breaks()[map.first_break + i];
      if (here.slot != to.target - atom.first_target) continue;
      const std::uint32_t end = i + 1 < map.breaks
                                    ? image.port_breaks()[map.first_break + i + 1].key
                                    : kKeyEnd;
      spans.emplace(here.key, end);
    }
  }

  Reach reach_;
  image::Moment moment_;
  std::map<std::tuple<bool, Party, Party, RuleId>, std::set<Span>> found_;
};

}  // namespace

std::vector<Access> effective_access(const image::Image& image, const Focus& focus,
                                     std::int64_t at) {
  return Walk{image, at}.run(focus);
}

}  // namespace meiguan::analysis
