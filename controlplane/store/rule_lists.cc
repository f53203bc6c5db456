#include "controlplane/store/rule_lists.h"

#include <iterator>
#include <string_view>
#include <tuple>
#include <utility>

namespace meiguan::store {

std::uint64_t fingerprint_of(const RuleList& rules) {
  // FNV-1a: it has to tell lists apart, not to withstand anybody.
  std::uint64_t hash = 0xcbf29ce484222325U;
  const auto take = [&](unsigned char byte) { hash = (hash ^ byte) * 0x100000001b3U; };
  for (const auto& rule : rules) {
    for (const char c : rule) take(static_cast<unsigned char>(c));
    take('\n');
  }
  return (hash & ((std::uint64_t{1} << 62U) - 1)) | 1U;
}

std::string joined(const RuleList& rules) {
  std::string text;
  for (const auto& rule : rules) {
    if (!text.empty()) text += '\n';
    text += rule;
  }
  return text;
}

RuleList parted(const std::string& rules) {
  RuleList list;
  for (std::string_view rest = rules; !rest.empty();) {
    const auto end = std::min(rest.find('\n'), rest.size());
    list.emplace_back(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return list;
}

void add_lists(std::vector<HitsRow>& rows, std::span<const WatchedList> lists) {
  std::vector<HitsRow> more;
  for (const auto& [node, rules, watch] : lists) {
    if (watch.watched_ms == 0) continue;
    const auto of_node = std::ranges::equal_range(rows, node, {}, &HitsRow::node);
    for (auto& rule : parted(rules)) {
      const auto row = std::ranges::lower_bound(of_node, rule, {}, &HitsRow::rule);
      if (row == of_node.end() || row->rule != rule) {
        more.push_back(
            {node, std::move(rule), 0, 0, {}, {}, watch.first, watch.last, watch.watched_ms});
        continue;
      }
      row->watched_since = std::min(row->watched_since, watch.first);
      row->watched_until = std::max(row->watched_until, watch.last);
      row->watched_ms += watch.watched_ms;
    }
  }
  std::ranges::move(more, std::back_inserter(rows));
  std::ranges::sort(rows, {}, [](const HitsRow& row) { return std::tie(row.node, row.rule); });
}

}  // namespace meiguan::store
