// Readers of [[rule]] and [[assert]].

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

std::string free_text(TableView& table, std::string_view key,
                      LineBreaks breaks = LineBreaks::kRefused) {
  auto word = table.word(key, breaks);
  return word ? std::move(word->text) : std::string{};
}

// `into` is a rule or an assertion.
template <typename Into>
void put_flow(Flow flow, Into& into) {
  into.from = std::move(flow.from);
  into.except_from = std::move(flow.except_from);
  into.to = std::move(flow.to);
  into.except_to = std::move(flow.except_to);
  into.ports = std::move(flow.ports);
}

}  // namespace

void check_no_services(const std::vector<Selector>& selectors, Reporter& reporter) {
  for (const Selector& selector : selectors) {
    if (selector.kind != SelectorKind::kService && selector.kind != SelectorKind::kServices) {
      continue;
    }
    reporter.error(selector.place,
                   say("a service may stand in `to` only", "服务只能出现在 `to` 中"));
  }
}

Flow read_flow(TableView& table, Reporter& reporter) {
  constexpr auto kRefused = TableView::Empty::kRefused;
  Flow flow;
  flow.from = read_selectors(table.required_words("from", kRefused), reporter);
  flow.except_from = read_selectors(table.words("except_from"), reporter);
  flow.to = read_selectors(table.required_words("to", kRefused), reporter);
  flow.except_to = read_selectors(table.words("except_to"), reporter);
  check_no_services(flow.from, reporter);
  check_no_services(flow.except_from, reporter);
  flow.ports = read_ports(table, reporter);
  return flow;
}

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

  put_flow(read_flow(table, reporter), rule);
  draft.schedule = table.word("schedule");
  draft.not_before = read_moment(table, "not_before", reporter);
  draft.expires = read_moment(table, "expires", reporter);
  rule.limits = read_limits(table, reporter);
  rule.log = table.boolean("log").value_or(false);
  rule.ticket = free_text(table, "ticket");
  rule.owner = free_text(table, "owner");
  rule.comment = free_text(table, "comment", LineBreaks::kAllowed);
  draft.id_place = table.place();
  if (id) {
    draft.id_place = id->place;
    rule.id = id->text;
    rule.name = name ? name->text : id->text;
  }
  context.draft.rules.push_back(std::move(draft));
}

void read_assert(TableView& table, TableContext& context) {
  Reporter& reporter = context.reporter;
  DraftAssertion draft;
  Assertion& assertion = draft.assertion;
  assertion.node = context.node;
  assertion.place = table.place();
  const auto id = read_id(table, reporter);
  const auto name = table.word("name");
  std::size_t flows = 0;
  constexpr std::array kTable{TomlKind::kTable};
  for (const std::string_view key : {"never", "always"}) {
    const TomlValue* const value = table.value(key, kTable);
    if (table.find(key) != nullptr) ++flows;
    if (value == nullptr) continue;
    TableView flow(fmt::format("`{}`", key), value->place, value->members, reporter);
    assertion.always = key == "always";
    put_flow(read_flow(flow, reporter), assertion);
    flow.finish();
  }
  if (flows != 1) {
    reporter.error(table.place(), say("exactly one of `never` and `always` expected",
                                      "`never` 与 `always` 应有且只有其一"));
  }
  if (!id) return;
  draft.id_place = id->place;
  assertion.id = id->text;
  assertion.name = name ? name->text : id->text;
  context.draft.assertions.push_back(std::move(draft));
}

}  // namespace meiguan::policy
