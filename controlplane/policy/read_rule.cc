// Reader of [[rule]].

#include "controlplane/policy/message.h"
#include "controlplane/policy/read_policy.h"

namespace meiguan::policy {
namespace {

std::vector<PortMatch> read_ports(TableView& table, Reporter& reporter) {
  std::vector<PortMatch> ports;
  for (const Word& word : table.words("ports")) {
    if (auto match = parse_ports(word.text)) {
      ports.push_back(*match);
    } else {
      report(reporter, word.place, std::move(match.error()));
    }
  }
  return ports;
}

// What a sender may not be: services are places to go to.
void check_sources(const std::vector<Selector>& selectors, Reporter& reporter) {
  for (const Selector& selector : selectors) {
    if (selector.kind != SelectorKind::kService && selector.kind != SelectorKind::kServices) {
      continue;
    }
    reporter.error(selector.place,
                   say("a service may stand in `to` only", "服务只能出现在 `to` 中"));
  }
}

std::string free_text(TableView& table, std::string_view key) {
  auto word = table.word(key);
  return word ? std::move(word->text) : std::string{};
}

}  // namespace

void read_rule(TableView& table, TableContext& context) {
  Reporter& reporter = context.reporter;
  DraftRule draft;
  Rule& rule = draft.rule;
  rule.node = context.node;
  rule.place = table.place();
  const auto id = read_id(table, reporter);
  const auto name = table.word("name");
  constexpr std::array<std::pair<std::string_view, Phase>, 3> kPhases{
      {{"mandatory", Phase::kMandatory}, {"local", Phase::kLocal}, {"baseline", Phase::kBaseline}}};
  rule.phase = choose(table.word("phase"), "phase", kPhases, reporter).value_or(Phase::kLocal);
  constexpr std::array<std::pair<std::string_view, Action>, 3> kActions{
      {{"allow", Action::kAllow}, {"deny", Action::kDeny}, {"audit", Action::kAudit}}};
  rule.action =
      choose(table.required_word("action"), "action", kActions, reporter).value_or(Action::kDeny);

  constexpr auto kRefused = TableView::Empty::kRefused;
  rule.from = read_selectors(table.required_words("from", kRefused), reporter);
  rule.except_from = read_selectors(table.words("except_from"), reporter);
  rule.to = read_selectors(table.required_words("to", kRefused), reporter);
  rule.except_to = read_selectors(table.words("except_to"), reporter);
  check_sources(rule.from, reporter);
  check_sources(rule.except_from, reporter);
  rule.ports = read_ports(table, reporter);

  constexpr std::array kText{TomlKind::kString};
  constexpr std::array kInstant{TomlKind::kDate, TomlKind::kDateTime};
  table.refuse_later("schedule", kText);
  table.refuse_later("not_before", kInstant);
  table.refuse_later("expires", kInstant);

  rule.log = table.boolean("log").value_or(false);
  rule.ticket = free_text(table, "ticket");
  rule.owner = free_text(table, "owner");
  rule.comment = free_text(table, "comment");
  draft.id_place = table.place();
  if (id) {
    draft.id_place = id->place;
    rule.id = id->text;
    rule.name = name ? name->text : id->text;
  }
  context.draft.rules.push_back(std::move(draft));
}

}  // namespace meiguan::policy
