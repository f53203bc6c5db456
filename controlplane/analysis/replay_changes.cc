#include "controlplane/analysis/replay_changes.h"

#include <fmt/format.h>

#include <algorithm>

#include "controlplane/policy/protocol_name.h"
#include "dataplane/fastpath/parse.h"
#include "dataplane/fastpath/reason.h"

namespace meiguan::analysis {
namespace {

using fastpath::Fate;
using fastpath::PacketInfo;
using fastpath::PacketKind;

// A pass is a packet that goes on or is for the gateway itself.
bool passes(const Fate& fate) {
  return fastpath::verdict_of(fate.reason) != fastpath::Verdict::kDrop;
}

std::string describe(const Names& names, const Fate& fate) {
  const auto* const info = fastpath::find_reason(fate.reason);
  std::string text{info != nullptr ? info->name : std::string_view{}};
  if (const auto rule = names.rule_name(fate.rule); !rule.empty()) {
    text += " ";
    text += rule;
  }
  return text;
}

std::string describe(const PacketInfo& info) {
  if (!info.is_ip()) return "not IP";
  const auto protocol = policy::protocol_name(info.protocol);
  const auto name = protocol.empty() ? fmt::format("proto-{}", info.protocol)
                                     : std::string{protocol};
  const auto to = net::to_string(info.destination());
  if (!policy::has_ports(info.protocol) || info.kind == PacketKind::kFragment) {
    return fmt::format("{} -> {}/{}", net::to_string(info.source()), to, name);
  }
  const bool v6 = info.family == net::Family::kIpv6;
  return fmt::format("{} -> {}{}{}:{}/{}", net::to_string(info.source()), v6 ? "[" : "", to,
                     v6 ? "]" : "", info.key.destination_port, name);
}

}  // namespace

std::size_t ReplayChanges::KeyHash::operator()(const fastpath::FlowKey& key) const noexcept {
  // A seed that does not change: replay says the same every time, and one run bounds the harm that
  // chosen packets can do.
  static constexpr auto kSeed = fastpath::HashSeed::from(0x6d65'6967'7561'6e21);
  return fastpath::flow_hash(key, kSeed);
}

std::uint64_t ReplayChanges::flow_of(const fastpath::FlowKey& key) {
  if (const auto found = flows_.find(key); found != flows_.end()) return found->second;
  auto back = key;
  std::swap(back.source, back.destination);
  std::swap(back.source_port, back.destination_port);
  if (const auto found = flows_.find(back); found != flows_.end()) return found->second;
  const auto number = flows_.size() + 1;
  flows_.emplace(key, number);
  return number;
}

void ReplayChanges::add(const ReplayedPacket& packet) {
  const Fate& now = packet.fate;
  const Fate& was = *packet.baseline;
  const auto change = passes(now) == passes(was) ? Change::kOther
                      : passes(now)              ? Change::kGained
                                                 : Change::kLost;
  PacketInfo info;
  fastpath::parse(packet.original, info);
  std::uint64_t flow = 0;
  if (info.well_formed() && info.is_ip() && info.kind != PacketKind::kFragment) {
    auto key = info.key;
    const auto port = now.in.is_some() ? now.in : packet.in;
    key.space = image_.zones()[image_.ports()[port.index()].zone].space;
    flow = flow_of(key);
  }
  // The policy by which it passes knows most of it.
  const bool by_now = change != Change::kLost;
  const Names& names = by_now ? names_ : baseline_;
  const Fate& fate = by_now ? now : was;
  const auto text = describe(info);
  const auto either = [](std::string_view first, std::string_view second) {
    return std::string{first.empty() ? second : first};
  };
  const Names& other_names = by_now ? baseline_ : names_;
  const Fate& other = by_now ? was : now;
  const auto unit = either(names.unit_id(fate.unit), other_names.unit_id(other.unit));
  const auto service = either(names.service_id(fate.service),
                              other_names.service_id(other.service));
  if (!unit.empty()) count(ChangeKind::kUnit, unit, change, flow, packet, text);
  if (!service.empty()) count(ChangeKind::kService, service, change, flow, packet, text);
  const auto* const reason = fastpath::find_reason(now.reason);
  if (const std::string rule{names_.rule_name(now.rule)}; !rule.empty()) {
    count(ChangeKind::kRule, rule, change, flow, packet, text);
  } else if (reason != nullptr) {
    count(ChangeKind::kReason, std::string{reason->name}, change, flow, packet, text);
  }
}

void ReplayChanges::count(ChangeKind kind, const std::string& id, Change change, std::uint64_t flow,
                          const ReplayedPacket& packet, const std::string& text) {
  Row& row = rows_[{kind, id}];
  row.row.kind = kind;
  row.row.id = id;
  auto& counts = row.row.counts[static_cast<std::size_t>(change)];
  ++counts.packets;
  if (flow != 0 && row.flows.insert(flow * kChanges + static_cast<std::uint64_t>(change)).second) {
    ++counts.flows;
  }
  const bool is_reply = packet.fate.reply || packet.baseline->reply;
  const unsigned rank = 1U + (change != Change::kOther ? 2U : 0U) + (is_reply ? 0U : 1U);
  if (rank <= row.rank) return;
  row.rank = rank;
  row.row.example = {inputs_[packet.input].name, packet.index, text,
                     describe(baseline_, *packet.baseline), describe(names_, packet.fate)};
}

std::vector<ChangeRow> ReplayChanges::rows() const {
  std::vector<ChangeRow> result;
  for (const auto& [key, row] : rows_) result.push_back(row.row);
  const auto packets = [](const ChangeRow& row) {
    std::uint64_t sum = 0;
    for (const auto& one : row.counts) sum += one.packets;
    return sum;
  };
  std::ranges::stable_sort(result, [&](const ChangeRow& a, const ChangeRow& b) {
    return a.kind != b.kind ? a.kind < b.kind : packets(a) > packets(b);
  });
  return result;
}

}  // namespace meiguan::analysis
