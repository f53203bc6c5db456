#pragma once

#include <array>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "controlplane/policy/draft.h"
#include "controlplane/policy/read_cache.h"
#include "controlplane/policy/reporter.h"
#include "controlplane/policy/source.h"
#include "controlplane/policy/syntax.h"
#include "controlplane/policy/toml_document.h"

namespace meiguan::policy {

// Reads every table of every file of `source`. Everything that can be seen in one file alone is
// checked here: syntax, known keys, types, missing keys, tables in a place where they may not be.
// `cache` may be null: then every file is parsed.
[[nodiscard]] Draft read_policy(const PolicySource& source, Reporter& reporter, ReadCache* cache);

// The parts below read one table each; read_policy.cc has the list.

// Where a table stands.
struct TableContext {
  Draft& draft;
  Reporter& reporter;
  NodeId node;
  bool is_root{false};
  bool is_node_file{false};  // node.toml, or the one file of a policy
};

void read_node(TableView& table, TableContext& context);
void read_policy_table(TableView& table, TableContext& context);
void read_zone(TableView& table, TableContext& context);
void read_unit(TableView& table, TableContext& context);
void read_terminal(TableView& table, TableContext& context);
void read_service(TableView& table, TableContext& context);
void read_group(TableView& table, TableContext& context);
void read_schedule(TableView& table, TableContext& context);
void read_rule(TableView& table, TableContext& context);
void read_assert(TableView& table, TableContext& context);
void read_publish(TableView& table, TableContext& context);
void read_egress(TableView& table, TableContext& context);
void read_translate(TableView& table, TableContext& context);

// Shared by them.

// `limits`, none where it is not there (read_limits.cc).
Limits read_limits(TableView& table, Reporter& reporter);
Timeouts read_timeouts(TableView& table, Reporter& reporter);
Helper read_helper(TableView& table, Reporter& reporter);
// Of `table`, seconds written like `"30m"`, 1 to `most`; nothing, reported where it is there, where
// it is not that.
std::optional<std::uint32_t> read_duration(TableView& table, std::string_view key,
                                           std::uint32_t most, Reporter& reporter);
// A whole number from `least` to `most`, likewise.
std::optional<std::uint32_t> read_number(TableView& table, std::string_view key, std::int64_t least,
                                         std::int64_t most, Reporter& reporter);
// Services are places to go to: reports those in `selectors`.
void check_no_services(const std::vector<Selector>& selectors, Reporter& reporter);

// Reports `complaint` about what stands at `place`.
void report(Reporter& reporter, const Place& place, Complaint complaint);
// The value of `key`, which must be an id; nothing, reported, where it is not.
std::optional<Word> read_id(TableView& table, Reporter& reporter);
// `labels`, without repetitions.
std::vector<std::string> read_labels(TableView& table, Reporter& reporter);
// Selectors of the list `words`; those that are none are reported and left out.
std::vector<Selector> read_selectors(const std::vector<Word>& words, Reporter& reporter);
// What a rule and an assertion have in common.
struct Flow {
  std::vector<Selector> from;
  std::vector<Selector> except_from;
  std::vector<Selector> to;
  std::vector<Selector> except_to;
  std::vector<PortMatch> ports;
};
Flow read_flow(TableView& table, Reporter& reporter);
// A date or date-time in whole seconds; nothing, reported where it is there, where it is not one.
std::optional<DraftMoment> read_moment(TableView& table, std::string_view key, Reporter& reporter);

[[nodiscard]] Complaint no_choice(std::string_view key, std::string_view is,
                                  std::span<const std::string_view> choices);

// The value of a key that is one of few words; nothing, reported, where it is not.
template <typename Value, std::size_t kCount>
std::optional<Value> choose(const std::optional<Word>& word, std::string_view key,
                            const std::array<std::pair<std::string_view, Value>, kCount>& choices,
                            Reporter& reporter) {
  if (!word) return std::nullopt;
  std::array<std::string_view, kCount> names;
  for (std::size_t i = 0; i < kCount; ++i) {
    if (choices[i].first == word->text) return choices[i].second;
    names[i] = choices[i].first;
  }
  report(reporter, word->place, no_choice(key, word->text, names));
  return std::nullopt;
}

}  // namespace meiguan::policy
