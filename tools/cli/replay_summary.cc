#include "tools/cli/replay_summary.h"

#include <algorithm>
#include <boost/json.hpp>
#include <string>
#include <utility>

#include "tools/cli/width.h"

namespace meiguan::cli {
namespace {

namespace json = boost::json;
using Counts = std::vector<std::pair<std::string, std::uint64_t>>;

template <typename Id>
void count(std::vector<std::uint64_t>& counts, Id id) noexcept {
  if (id.index() < counts.size()) ++counts[id.index()];
}

template <typename Named, typename NameOf>
Counts named(const std::vector<std::uint64_t>& counts, const std::vector<Named>& names,
             const NameOf& name_of) {
  Counts result;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    if (counts[i] > 0) result.emplace_back(name_of(names[i]), counts[i]);
  }
  std::ranges::stable_sort(result,
                           [](const auto& a, const auto& b) { return a.second > b.second; });
  return result;
}

}  // namespace

ReplaySummary::ReplaySummary(const policy::Catalog& catalog)
    : catalog_{catalog},
      rules_(catalog.rules.size()),
      units_(catalog.units.size()),
      services_(catalog.services.size()) {}

void ReplaySummary::add(std::span<const analysis::ReplayedPacket> packets) noexcept {
  for (const auto& packet : packets) {
    ++reasons_[static_cast<std::size_t>(packet.fate.reason) % fastpath::kReasonCodes];
    count(rules_, packet.fate.rule);
    count(units_, packet.fate.unit);
    count(services_, packet.fate.service);
  }
}

std::array<ReplaySummary::Part, 5> ReplaySummary::parts() const {
  std::array<std::uint64_t, 3> by_verdict{};
  Counts reasons;
  for (const auto& info : fastpath::kReasons) {
    const auto n = reasons_[static_cast<std::size_t>(info.reason)];
    by_verdict[static_cast<std::size_t>(info.verdict)] += n;
    if (n > 0) reasons.emplace_back(std::string{info.name}, n);
  }
  std::ranges::stable_sort(reasons,
                           [](const auto& a, const auto& b) { return a.second > b.second; });
  Counts verdicts;
  for (const auto verdict :
       {fastpath::Verdict::kForward, fastpath::Verdict::kDrop, fastpath::Verdict::kLocal}) {
    verdicts.emplace_back(std::string{fastpath::name_of(verdict)},
                          by_verdict[static_cast<std::size_t>(verdict)]);
  }
  return {{
      {"verdicts", {"VERDICT", "判定"}, std::move(verdicts)},
      {"reasons", {"REASON", "原因"}, std::move(reasons)},
      {"rules",
       {"RULE", "规则"},
       named(rules_, catalog_.rules, [](const auto& r) { return r.full_name; })},
      {"units",
       {"UNIT", "单位"},
       named(units_, catalog_.units, [](const auto& u) { return u.id; })},
      {"services",
       {"SERVICE", "服务"},
       named(services_, catalog_.services, [](const auto& s) { return s.id; })},
  }};
}

Table ReplaySummary::table() const {
  Table table;
  table.schema = "meiguan.replay-summary-rows/v1";
  table.columns = {{"of", {"OF", "类别"}},
                   {"name", {"NAME", "名称"}},
                   {"packets", {"PACKETS", "报文"}, true}};
  for (const auto& part : parts()) {
    // "verdicts" -> "verdict"
    const std::string_view of{part.key};
    for (const auto& [name, n] : part.counts) {
      table.rows.push_back(
          {json::value(of.substr(0, of.size() - 1)), json::value(name), json::value(n)});
    }
  }
  return table;
}

void ReplaySummary::print(const Context& context, Format format, Out& out) const {
  const auto all = parts();
  std::uint64_t packets = 0;
  for (const auto& [name, n] : all.front().counts) packets += n;
  if (format == Format::kJson) {
    json::object document;
    document.emplace("schema", "meiguan.replay-summary/v1");
    document.emplace("packets", packets);
    for (const auto& part : all) {
      json::object counts;
      for (const auto& [name, n] : part.counts) counts.emplace(name, n);
      document.emplace(part.key, std::move(counts));
    }
    out.line(json::serialize(document));
    return;
  }
  std::size_t width = 0;
  for (const auto& part : all) {
    for (const auto& [name, n] : part.counts) width = std::max(width, display_width(name));
  }
  out.line(fmt::format("{} {}", packets, context.tr("packets", "个报文")));
  for (const auto& part : all) {
    if (part.counts.empty()) continue;
    out.line(context.tr(part.title));
    for (const auto& [name, n] : part.counts) {
      out.line(fmt::format("  {}  {:>12}", pad(name, width, false), n));
    }
  }
}

}  // namespace meiguan::cli
