#include "controlplane/store/gather.h"

#include <algorithm>
#include <optional>
#include <unordered_map>
#include <unordered_set>

#include "controlplane/store/pack.h"

namespace meiguan::store {
namespace {

// So many sums are added up at most; of an answer's rows many may be empty until the end.
constexpr std::size_t kMostCells = 20 * kMostAnswerRows;

// Of each name of a dictionary, whether a filter lets it by.
using Allowed = std::vector<bool>;

struct Wanted {
  std::array<std::optional<Allowed>, kKeyNames> names;
  std::optional<Allowed> reasons;  // by the verdict that follows
};

Allowed allowed_names(const Dictionary& dictionary, const std::vector<std::string>& values) {
  const std::unordered_set<std::string_view> wanted{values.begin(), values.end()};
  Allowed allowed;
  allowed.reserve(dictionary.names().size());
  for (const auto& name : dictionary.names()) allowed.push_back(wanted.contains(name));
  return allowed;
}

std::string_view verdict_of(const std::string& reason) {
  Key key;
  key[Dimension::kReason] = reason;
  return key.verdict();
}

}  // namespace

Gather::Gather(const Query& query, const Plan& plan, const OffsetAt& offset)
    : query_{query}, plan_{plan}, offset_{offset} {}

bool Gather::passes(const Key& key) const {
  return std::ranges::all_of(query_.filter, [&](const auto& one) {
    return std::ranges::find(one.second, key[one.first]) != one.second.end();
  });
}

std::uint32_t Gather::line_of(std::vector<std::string> names) {
  const auto [found, is_new] = numbers_.emplace(std::move(names),
                                                static_cast<std::uint32_t>(numbers_.size()));
  if (is_new) names_.push_back(&found->first);
  return found->second;
}

std::uint32_t Gather::node_of(const std::string& name) {
  const auto [found, is_new] =
      node_numbers_.emplace(name, static_cast<std::uint32_t>(node_numbers_.size()));
  if (is_new) watched_.nodes.push_back(name);
  return found->second;
}

void Gather::use(const Dictionary& dictionary) {
  dictionary_ = &dictionary;
  const auto nodes = query_.filter.find(Dimension::kNode);
  watchers_.assign(dictionary.names().size(), kUnseen);
  if (nodes != query_.filter.end()) {
    const auto allowed = allowed_names(dictionary, nodes->second);
    for (std::size_t i = 0; i < allowed.size(); ++i) {
      if (!allowed[i]) watchers_[i] = kNoLine;
    }
  }
  // All nodes that have anything are asked about: then it is no matter of nodes.
  bool of_all = true;
  for (const auto& group : dictionary.groups()) {
    of_all = of_all && (group[0] == 0 || watchers_[group[0]] != kNoLine);
  }
  wants_nodes_ = std::ranges::any_of(query_.by, is_place) ||
                 std::ranges::any_of(query_.filter, [&](const auto& one) {
                   return is_place(one.first) && !(of_all && one.first == Dimension::kNode);
                 });
  choose_lines(dictionary);
}

void Gather::choose_lines(const Dictionary& dictionary) {
  const auto& names = dictionary.names();
  const auto& groups = dictionary.groups();
  lines_.assign(groups.size(), {});
  nodes_.clear();
  Wanted wanted;
  for (const auto& [dimension, values] : query_.filter) {
    if (dimension == Dimension::kVerdict || (dimension == Dimension::kNode && !wants_nodes_)) {
      continue;
    }
    wanted.names[static_cast<std::size_t>(dimension)] = allowed_names(dictionary, values);
  }
  // By the names of reasons: the verdict, whether it passes, and its place among verdicts.
  struct Verdict {
    std::string_view name;
    bool passes{true};
    std::uint32_t place{0};
  };
  std::unordered_map<std::uint32_t, Verdict> verdicts;
  std::vector<std::string_view> verdict_names;
  const auto wanted_verdicts = query_.filter.find(Dimension::kVerdict);
  const auto verdict = [&](std::uint32_t reason) -> const Verdict& {
    const auto [found, is_new] = verdicts.try_emplace(reason);
    if (is_new) {
      found->second.name = verdict_of(names[reason]);
      const auto place = std::ranges::find(verdict_names, found->second.name);
      found->second.place = static_cast<std::uint32_t>(place - verdict_names.begin());
      if (place == verdict_names.end()) verdict_names.push_back(found->second.name);
      found->second.passes = wanted_verdicts == query_.filter.end() ||
                             std::ranges::find(wanted_verdicts->second, found->second.name) !=
                                 wanted_verdicts->second.end();
    }
    return found->second;
  };
  std::unordered_map<std::vector<std::uint32_t>, std::uint32_t, NumbersHash> known;
  std::vector<bool> node_wanted(names.size());
  std::vector<std::uint32_t> parts(query_.by.size());
  for (std::size_t i = 1; i < groups.size(); ++i) {
    const auto& group = groups[i];
    if (!wants_nodes_ && group != without_place(group)) continue;
    bool fits = true;
    for (std::size_t k = 0; fits && k < kKeyNames; ++k) {
      fits = !wanted.names[k] || (*wanted.names[k])[group[k]];
    }
    const auto& judged = verdict(group[static_cast<std::size_t>(Dimension::kReason)]);
    if (!fits || !judged.passes) continue;
    node_wanted[group[0]] = true;
    for (std::size_t k = 0; k < parts.size(); ++k) {
      parts[k] = query_.by[k] == Dimension::kVerdict
                     ? judged.place
                     : group[static_cast<std::size_t>(query_.by[k])];
    }
    const auto [found, is_new] = known.try_emplace(parts);
    if (is_new) {
      std::vector<std::string> text;
      for (std::size_t k = 0; k < parts.size(); ++k) {
        text.emplace_back(query_.by[k] == Dimension::kVerdict ? judged.name
                                                              : std::string_view{names[parts[k]]});
      }
      found->second = line_of(std::move(text));
    }
    lines_[i] = {found->second, judged.name == "drop"};
  }
  for (std::size_t i = 0; i < node_wanted.size(); ++i) {
    if (node_wanted[i]) nodes_.push_back(static_cast<std::uint32_t>(i));
  }
}

std::int64_t Gather::step_of(std::int64_t time) const {
  return plan_.step == 0 ? plan_.since
                         : std::max(bucket_of(time, plan_.step, offset_), plan_.since);
}

std::vector<Gather::Cell>& Gather::cells_at(std::int64_t time) { return steps_[step_of(time)]; }

std::vector<Watch>& Gather::watches_at(std::int64_t time) { return watched_.steps[step_of(time)]; }

bool Gather::grow(std::vector<Cell>& cells, std::size_t line) {
  if (line < cells.size()) return true;
  cells_ += numbers_.size() - cells.size();
  if (cells_ > kMostCells) overflowed_ = true;
  if (overflowed_) return false;
  cells.resize(numbers_.size());
  return true;
}

bool Gather::add_sums(std::int64_t time, std::string_view pack) {
  if (overflowed_) return false;
  auto& cells = cells_at(time);
  const auto* const lines = lines_.data();
  const auto groups = lines_.size();
  return read_sums(pack, [&](const GroupSums& one) {
    if (one.group >= groups) return false;
    const auto line = lines[one.group];
    if (line.number == kNoLine) return true;
    if (line.number >= cells.size() && !grow(cells, line.number)) return false;
    auto& cell = cells[line.number];
    cell.sums.add(one.sums);
    if (line.dropped) cell.denied += one.sums.packets;
    return true;
  });
}

bool Gather::add_watches(std::int64_t time, std::string_view pack) {
  auto& watches = watches_at(time);
  return read_watches(pack, [&](const NodeWatch& one) {
    if (one.node >= watchers_.size()) return false;
    auto& place = watchers_[one.node];
    if (place == kNoLine) return true;
    if (place == kUnseen) place = node_of(dictionary_->names()[one.node]);
    if (place >= watches.size()) watches.resize(watched_.nodes.size());
    watches[place].add(one.watch);
    return true;
  });
}

void Gather::add(const Batch& batch) {
  if (batch.minute < plan_.since || batch.minute >= plan_.until || overflowed_) return;
  auto& cells = cells_at(batch.minute);
  for (const auto& row : batch.rows) {
    if (!passes(row.key)) continue;
    std::vector<std::string> names;
    for (const auto dimension : query_.by) names.emplace_back(row.key[dimension]);
    const auto line = line_of(std::move(names));
    if (!grow(cells, line)) return;
    cells[line].sums.add(row.sums);
    if (row.key.verdict() == "drop") cells[line].denied += row.sums.packets;
  }
  const auto wanted = query_.filter.find(Dimension::kNode);
  if (batch.watch == Watch{} ||
      (wanted != query_.filter.end() &&
       std::ranges::find(wanted->second, batch.node) == wanted->second.end())) {
    return;
  }
  const auto node = node_of(batch.node);
  auto& watches = watches_at(batch.minute);
  if (watches.size() <= node) watches.resize(node + 1);
  watches[node].add(batch.watch);
}

Result<Answer> Gather::take() {
  Answer answer;
  answer.resolution = kResolution.back().step;
  for (const auto& part : plan_.parts) {
    answer.resolution = std::min(answer.resolution, kResolution[part.resolution].step);
  }
  answer.watched = std::move(watched_);
  for (const auto& [time, cells] : steps_) {
    const auto first = answer.rows.size();
    for (std::size_t line = 0; line < cells.size(); ++line) {
      const auto& cell = cells[line];
      if (cell.sums == Sums{}) continue;
      if (answer.rows.size() >= kMostAnswerRows) overflowed_ = true;
      if (overflowed_) break;
      answer.rows.push_back({time, *names_[line], cell.sums, cell.denied});
    }
    if (overflowed_) break;
    std::sort(answer.rows.begin() + static_cast<std::ptrdiff_t>(first), answer.rows.end(),
              [](const AnswerRow& a, const AnswerRow& b) { return a.names < b.names; });
  }
  if (!overflowed_) return answer;
  return fail(
      "the answer would have more than 200000 rows: ask with a longer step, by less, or of "
      "fewer nodes",
      "结果超过 200000 行：请加大步长、减少分类维度或缩小节点范围");
}

}  // namespace meiguan::store
