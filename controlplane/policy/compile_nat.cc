#include "controlplane/policy/compile_nat.h"

#include <algorithm>
#include <set>
#include <tuple>

#include "controlplane/policy/message.h"
#include "controlplane/policy/nat_scope.h"

namespace meiguan::policy {
namespace {

using image::NatKind;
using image::Section;

std::unexpected<Error> too_many(const Text& what, std::size_t have, std::size_t most) {
  return fail(fmt::format("the policy has {} {}; an image holds at most {}", have, what.english,
                          most),
              fmt::format("策略有 {} 个{}；映像最多容纳 {} 个", have, what.chinese, most));
}

class Planner {
 public:
  Planner(const CheckedPolicy& policy, const CheckedGateway* gateway, const Ids& ids)
      : policy_{policy}, gateway_{gateway}, ids_{ids} {}

  void add_publishes() {
    // Without a gateway nothing leads to them, and those of two boundaries may be the same.
    if (gateway_ == nullptr) return;
    std::vector<const Publish*> in_force;
    for (const Publish& p : policy_.publishes) {
      if (is_in_force(policy_, p.node, gateway_)) in_force.push_back(&p);
    }
    const auto key = [](const Publish* p) {
      const PortMatch& match = p->address.match;
      return std::tuple{p->address.prefix.address(), match.any_protocol ? 0 : match.protocol,
                        match.first};
    };
    std::ranges::stable_sort(in_force, {}, key);
    for (const Publish* const p : in_force) {
      add_publish(*p);
      const auto number = static_cast<std::uint32_t>(plan.publishes.size() - 1);
      const bool same = plan.publishes.size() > 1 && plan.publishes[number - 1].public_address ==
                                                         plan.publishes[number].public_address;
      if (same) {
        ++plan.prefixes.back().count;
      } else {
        add_prefix(p->address.prefix, NatKind::kPublish, number);
      }
    }
  }

  void add_egresses(const std::vector<std::uint32_t>& order) {
    for (const std::uint32_t i : order) {
      const Egress& e = policy_.egresses[i];
      const auto number = static_cast<std::uint32_t>(plan.egresses.size());
      image::EgressRecord record{};
      record.first_pool = static_cast<std::uint32_t>(plan.pools.size());
      record.first_npt = static_cast<std::uint32_t>(plan.npts.size());
      for (const net::Prefix& pool : e.pool) {
        if (pool.family() != net::Family::kIpv4) continue;
        add_prefix(pool, NatKind::kPool, static_cast<std::uint32_t>(plan.pools.size()));
        plan.pools.push_back({pool.address(), pool.length(), {}, number});
      }
      for (const Egress::Npt& npt : e.npt) {
        add_prefix(npt.outside, NatKind::kNpt, static_cast<std::uint32_t>(plan.npts.size()));
        plan.npts.push_back(
            {npt.inside.address(), npt.outside.address(), npt.inside.length(), {}, number});
      }
      record.pools = static_cast<std::uint32_t>(plan.pools.size()) - record.first_pool;
      record.npts = static_cast<std::uint32_t>(plan.npts.size()) - record.first_npt;
      record.first_port = e.first_port;
      record.last_port = e.last_port;
      record.block_ports = e.block_ports;
      record.blocks_per_address = e.blocks_per_address;
      record.filtering = e.filtering;
      plan.egresses.push_back(record);
    }
  }

  void add_translates() {
    for (const Translate& t : policy_.translates) {
      if (!is_in_force(policy_, t.node, gateway_)) continue;
      add_prefix(t.outside, NatKind::kTranslate,
                 static_cast<std::uint32_t>(plan.translates.size()));
      plan.translates.push_back({t.inside.address(),
                                 t.outside.address(),
                                 policy_.zones[t.zone.index()].space.value(),
                                 t.inside.length(),
                                 {}});
    }
  }

  NatPlan plan;

 private:
  void add_prefix(const net::Prefix& prefix, NatKind kind, std::uint32_t first) {
    if (gateway_ == nullptr) return;
    plan.routes.push_back({prefix, static_cast<std::uint32_t>(plan.prefixes.size())});
    plan.prefixes.push_back({kind, {}, first, 1});
  }

  void add_publish(const Publish& p) {
    const PortMatch& match = p.address.match;
    image::PublishRecord record{};
    record.public_address = p.address.prefix.address();
    const Service& service = policy_.services[p.service.index()];
    record.space = policy_.zones[service.zone.index()].space.value();
    record.protocol = match.any_protocol ? std::uint8_t{0} : match.protocol;
    record.first_port = match.whole ? std::uint16_t{0} : match.first;
    record.last_port = match.whole ? std::uint16_t{65535} : match.last;
    record.service = ids_.services[p.service.index()].value();
    record.first_endpoint = static_cast<std::uint32_t>(plan.endpoints.size());
    record.endpoints = static_cast<std::uint32_t>(p.targets.size());
    for (const Publish::Target& t : p.targets) plan.endpoints.push_back({t.address, t.port, {}});
    plan.publishes.push_back(record);
  }

  const CheckedPolicy& policy_;
  const CheckedGateway* gateway_;
  const Ids& ids_;
};

// The egress of each source group and zone.
class Cover {
 public:
  Cover(const CheckedPolicy& policy, const AddressPlan& addresses, const SourcePoints& sources,
        const ZoneColumns& columns)
      : policy_{policy}, addresses_{addresses}, sources_{sources}, zones_of_(columns.size()) {
    for (std::size_t z = 0; z < policy.zones.size(); ++z) {
      zones_of_[columns.of(ZoneId{static_cast<ZoneId::rep>(z)})].push_back(z);
    }
    zones_of_[columns.objects()].push_back(policy.zones.size());
    table.assign(sources.groups().size() * (policy.zones.size() + 1),
                 {image::kNoEgress, image::kNoEgress});
  }

  void add(const Egress& egress, const image::EgressRecord& record, std::uint16_t number) {
    const std::size_t width = policy_.zones.size() + 1;
    const std::vector<net::Prefix> nets = npt_nets(policy_, egress);
    sources_.matching(egress.from, {}).for_each([&](std::size_t point) {
      const std::size_t group = sources_.group_of(point);
      if (!is_in_scope(egress, group)) return;
      const bool v6 = record.npts != 0 && has_npt(egress, nets, group);
      for (const std::size_t zone : zones_of_[point - sources_.point(group, 0)]) {
        image::SourceEgress& here = table[group * width + zone];
        if (record.pools != 0 && here.v4 == image::kNoEgress) here.v4 = number;
        if (v6 && here.v6 == image::kNoEgress) here.v6 = number;
      }
    });
  }

  std::vector<image::SourceEgress> table;

 private:
  // A node lets out what is its own; the root lets out anybody.
  [[nodiscard]] bool is_in_scope(const Egress& egress, std::size_t group) const {
    const UnitId unit = sources_.groups()[group].unit;
    if (egress.node == NodeId{0}) return true;
    return unit.is_some() && policy_.is_within(policy_.units[unit.index()].node, egress.node);
  }

  // Whether its IPv6 addresses, if it has some, have a prefix to be translated to: of a unit all of
  // them, and what a `net:` of the egress itself holds.
  [[nodiscard]] bool has_npt(const Egress& egress, const std::vector<net::Prefix>& nets,
                             std::size_t number) const {
    const SourceGroup& group = sources_.groups()[number];
    const auto is_mapped = [&](const net::Prefix& prefix) {
      return std::ranges::any_of(egress.npt, [&](const Egress::Npt& npt) {
        return npt.inside.contains(prefix);
      });
    };
    const bool unit_is_mapped =
        group.unit.is_some() &&
        std::ranges::all_of(policy_.units[group.unit.index()].prefixes, [&](const auto& p) {
          return p.family() == net::Family::kIpv4 || is_mapped(p);
        });
    return unit_is_mapped || std::ranges::any_of(group.nets, [&](std::uint32_t net) {
             const NetSelector& selector = addresses_.nets[net];
             return selector.space == kSharedSpace &&
                    std::ranges::find(nets, selector.prefix) != nets.end();
           });
  }

  const CheckedPolicy& policy_;
  const AddressPlan& addresses_;
  const SourcePoints& sources_;
  std::vector<std::vector<std::size_t>> zones_of_;  // by column
};

}  // namespace

Result<NatPlan> plan_nat(const CheckedPolicy& policy, const CheckedGateway* gateway, const Ids& ids,
                         const AddressPlan& addresses, const SourcePoints& sources,
                         const ZoneColumns& columns) {
  const std::vector<std::uint32_t> order = egresses_in_force(policy, gateway);
  if (order.size() > image::kMaxEgresses) {
    return too_many({"egresses", "出口"}, order.size(), image::kMaxEgresses);
  }
  Planner planner{policy, gateway, ids};
  planner.add_publishes();
  planner.add_egresses(order);
  planner.add_translates();
  if (!order.empty()) {
    Cover cover{policy, addresses, sources, columns};
    for (std::size_t i = 0; i < order.size(); ++i) {
      cover.add(policy.egresses[order[i]], planner.plan.egresses[i], static_cast<std::uint16_t>(i));
    }
    planner.plan.source_egress = std::move(cover.table);
  }
  return std::move(planner.plan);
}

void put_nat(const NatPlan& plan, image::Writer& writer) {
  writer.put(Section::kNatPrefixes, plan.prefixes);
  writer.put(Section::kPublishes, plan.publishes);
  writer.put(Section::kPublishEndpoints, plan.endpoints);
  writer.put(Section::kEgresses, plan.egresses);
  writer.put(Section::kPools, plan.pools);
  writer.put(Section::kNptPrefixes, plan.npts);
  writer.put(Section::kSourceEgress, plan.source_egress);
  writer.put(Section::kTranslates, plan.translates);
}

std::uint16_t LimitPlan::number_of(const Limits& limits) {
  if (limits == Limits{}) return image::kNoLimits;
  const auto [it, is_new] = limit_numbers_.try_emplace(limits, limits_.size());
  if (is_new) {
    limits_.push_back({limits.flows, limits.new_per_second, limits.half_open, 0, limits.bandwidth});
  }
  return static_cast<std::uint16_t>(it->second);
}

std::uint8_t LimitPlan::number_of(const Timeouts& timeouts) {
  if (timeouts == Timeouts{}) return 0;
  const auto [it, is_new] = timeout_numbers_.try_emplace(timeouts, timeouts_.size());
  if (is_new) {
    image::TimeoutRecord record;
    const std::array<std::uint32_t*, kTimeouts> fields{
        &record.tcp_established, &record.tcp_transitory, &record.tcp_half_open, &record.udp,
        &record.udp_answered,    &record.icmp,           &record.other};
    for (std::size_t i = 0; i < kTimeouts; ++i) {
      if (timeouts[i] != 0) *fields[i] = timeouts[i];
    }
    timeouts_.push_back(record);
  }
  return static_cast<std::uint8_t>(it->second);
}

Result<void> LimitPlan::put(image::Writer& writer) const {
  if (limits_.size() > image::kMaxLimits) {
    return too_many({"different limits", "种限制"}, limits_.size(), image::kMaxLimits);
  }
  if (timeouts_.size() > image::kMaxTimeouts) {
    return too_many({"different sets of time-outs", "种超时设置"}, timeouts_.size(),
                    image::kMaxTimeouts);
  }
  writer.put(Section::kLimits, limits_);
  writer.put(Section::kTimeouts, timeouts_);
  return {};
}

}  // namespace meiguan::policy
