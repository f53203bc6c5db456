#include "controlplane/policy/read_policy.h"

#include <algorithm>

#include "controlplane/policy/message.h"
#include "controlplane/policy/suggest.h"
#include "controlplane/policy/wall_clock.h"

namespace meiguan::policy {
namespace {

// The tables of the language: what each is called, how it is written, where it may stand, who
// reads it.
struct TableKind {
  std::string_view name;
  bool is_list;  // written [[name]]
  bool root_only;
  bool node_file_only;
  void (*read)(TableView&, TableContext&);
};

constexpr std::array<TableKind, 13> kTables{{
    {"node", false, false, true, read_node},
    {"policy", false, true, false, read_policy_table},
    {"zone", true, true, false, read_zone},
    {"unit", true, false, false, read_unit},
    {"terminal", true, false, false, read_terminal},
    {"service", true, false, false, read_service},
    {"group", true, false, false, read_group},
    {"schedule", true, false, false, read_schedule},
    {"rule", true, false, false, read_rule},
    {"assert", true, false, false, read_assert},
    {"publish", true, false, false, read_publish},
    {"egress", true, false, false, read_egress},
    {"translate", true, false, false, read_translate},
}};

std::string title_of(const TableKind& kind) {
  return kind.is_list ? fmt::format("[[{}]]", kind.name) : fmt::format("[{}]", kind.name);
}

void report_unknown_table(const TomlTable& table, Reporter& reporter) {
  if (table.name == "intranet") {
    reporter.error(table.place, intranet_refusal());
    return;
  }
  Nearest nearest(table.name);
  for (const TableKind& kind : kTables) nearest.offer(kind.name);
  reporter.error(table.place, say("unknown table `{}`", "未知的表 `{}`", printable(table.name)),
                 nearest.hint());
}

// What is wrong with a table of this kind at this place, apart from what is in it.
void check_standing(const TomlTable& table, const TableKind& kind, const TableContext& context) {
  Reporter& reporter = context.reporter;
  if (table.is_array != kind.is_list) {
    reporter.error(table.place,
                   say("`{}` is written {}", "`{}` 应写作 {}", kind.name, title_of(kind)));
  }
  if (kind.root_only && !context.is_root) {
    reporter.error(table.place, say("{} may stand at the root of the tree only",
                                    "{} 只能写在根节点", title_of(kind)));
  }
  if (kind.node_file_only && !context.is_node_file) {
    reporter.error(table.place, say("{} may stand in a node.toml only", "{} 只能写在 node.toml 中",
                                    title_of(kind)));
  }
}

void read_table(const TomlTable& table, TableContext& context) {
  const auto kind = std::find_if(kTables.begin(), kTables.end(),
                                 [&](const TableKind& k) { return k.name == table.name; });
  if (kind == kTables.end()) return report_unknown_table(table, context.reporter);
  check_standing(table, *kind, context);
  TableView view(title_of(*kind), table.place, table.members, context.reporter);
  kind->read(view, context);
  view.finish();
}

void read_file(std::uint32_t file, std::string_view text, TableContext& context) {
  for_each_table(file, text, context.reporter,
                 [&](const TomlTable& table) { read_table(table, context); });
}

void check_node_found(const DraftNode& node, const SourceNode& source, Reporter& reporter) {
  if (node.found || reporter.may_have_table(source.node_file, "node")) return;
  reporter.error(Place{source.node_file, 1, 1},
                 say("there is no [node] table, a node must have one",
                     "缺少 [node] 表，每个节点都必须有该表"));
}

}  // namespace

void report(Reporter& reporter, const Place& place, Complaint complaint) {
  reporter.error(place, std::move(complaint.message), std::move(complaint.hint));
}

std::optional<Word> read_id(TableView& table, Reporter& reporter) {
  auto id = table.required_word("id");
  if (!id) return id;
  if (auto complaint = check_id(id->text)) report(reporter, id->place, std::move(*complaint));
  return id;
}

std::vector<std::string> read_labels(TableView& table, Reporter& reporter) {
  std::vector<std::string> labels;
  for (Word& word : table.words("labels")) {
    if (auto complaint = check_label(word.text)) {
      report(reporter, word.place, std::move(*complaint));
    } else if (word.text == "intranet") {
      reporter.error(word.place, intranet_refusal());
    } else {
      labels.push_back(std::move(word.text));
    }
  }
  std::sort(labels.begin(), labels.end());
  labels.erase(std::unique(labels.begin(), labels.end()), labels.end());
  return labels;
}

std::vector<Selector> read_selectors(const std::vector<Word>& words, Reporter& reporter) {
  std::vector<Selector> selectors;
  selectors.reserve(words.size());
  for (const Word& word : words) {
    auto selector = parse_selector(word.text);
    if (!selector) {
      report(reporter, word.place, std::move(selector.error()));
      continue;
    }
    selector->place = word.place;
    selectors.push_back(std::move(*selector));
  }
  return selectors;
}

Complaint no_choice(std::string_view key, std::string_view is,
                    std::span<const std::string_view> choices) {
  std::string list;
  for (std::size_t i = 0; i < choices.size(); ++i) {
    if (i > 0) list += i + 1 == choices.size() ? " or " : ", ";
    list += choices[i];
  }
  std::string chinese_list = fmt::format("{}", fmt::join(choices, "、"));
  return {Text{fmt::format("`{}` is `{}`, {} expected", key, printable(is), list),
               fmt::format("`{}` 的值是 `{}`，应为 {}", key, printable(is), chinese_list)},
          near_hint(is, choices)};
}

Draft read_policy(const PolicySource& source, Reporter& reporter, ReadCache* cache) {
  Draft draft;
  draft.clock = *wall_clock_of(draft.timezone);
  if (cache != nullptr) cache->prepare(source);
  draft.nodes.resize(source.nodes.size());
  for (std::size_t i = 0; i < source.nodes.size(); ++i) {
    const SourceNode& source_node = source.nodes[i];
    Node& node = draft.nodes[i].node;
    node.parent = source_node.parent;
    node.depth = source_node.depth;
    node.place = Place{source_node.node_file, 1, 1};
    TableContext context{draft, reporter, NodeId{static_cast<std::uint32_t>(i)}, i == 0, false};
    for (const std::uint32_t file : source_node.files) {
      context.is_node_file = source.single_file || file == source_node.node_file;
      const std::string_view text = source.files[file].text;
      const bool may_be_kept = cache != nullptr && !context.is_node_file;
      if (const Draft* said = may_be_kept ? cache->find(file, text) : nullptr; said != nullptr) {
        append(*said, draft);
      } else if (!may_be_kept) {
        read_file(file, text, context);
      } else {
        Draft said_now;
        said_now.nodes.swap(draft.nodes);
        said_now.policy_place = draft.policy_place;
        said_now.timezone = draft.timezone;
        said_now.clock = draft.clock;
        TableContext apart{said_now, reporter, context.node, context.is_root, false};
        read_file(file, text, apart);
        said_now.nodes.swap(draft.nodes);
        append(said_now, draft);
        if (said_now.policy_place && !draft.policy_place) {
          draft.policy_place = said_now.policy_place;
          draft.timezone = said_now.timezone;
          draft.clock = said_now.clock;
        } else {
          cache->keep(file, text, said_now);
        }
      }
    }
    check_node_found(draft.nodes[i], source_node, reporter);
  }
  // Errors are told anew each time: nothing is known of a tree that has one.
  if (cache != nullptr && reporter.has_errors()) cache->clear();
  return draft;
}

}  // namespace meiguan::policy
