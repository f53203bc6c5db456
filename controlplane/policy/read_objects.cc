// Readers of [[unit]], [[terminal]], [[service]] and [[group]].

#include "controlplane/policy/message.h"
#include "controlplane/policy/read_policy.h"

namespace meiguan::policy {
namespace {

// Parses every word of a list; keeps the places of those that could be.
template <typename Value, typename Parse>
void read_each(const std::vector<Word>& words, Parse parse, std::vector<Value>& values,
               std::vector<Place>& places, Reporter& reporter) {
  values.reserve(words.size());
  places.reserve(words.size());
  for (const Word& word : words) {
    auto value = parse(word.text);
    if (!value) {
      report(reporter, word.place, std::move(value.error()));
      continue;
    }
    values.push_back(std::move(*value));
    places.push_back(word.place);
  }
}

Admission read_admission(TableView& table, Reporter& reporter) {
  const auto word = table.word("admission");
  if (word && word->text == "login") {
    reporter.error(word->place, not_supported_yet("admission `login`"));
    return Admission::kBound;
  }
  constexpr std::array<std::pair<std::string_view, Admission>, 3> kAdmissions{
      {{"open", Admission::kOpen}, {"bound", Admission::kBound}, {"login", Admission::kBound}}};
  return choose(word, "admission", kAdmissions, reporter).value_or(Admission::kOpen);
}

// A service is offered to units: a selector that holds addresses could match part of one.
void check_offer(std::vector<Selector>& selectors, Reporter& reporter) {
  std::erase_if(selectors, [&](const Selector& selector) {
    switch (selector.kind) {
      case SelectorKind::kUnit:
      case SelectorKind::kNode:
      case SelectorKind::kTier:
      case SelectorKind::kLabel:
      case SelectorKind::kGroup: return false;
      default: break;
    }
    reporter.error(selector.place,
                   say("`offered_to` names units: unit:, node:, tier:, label: or group: expected",
                       "`offered_to` 指明单位，应为 unit:、node:、tier:、label: 或 group:"));
    return true;
  });
}

}  // namespace

void read_unit(TableView& table, TableContext& context) {
  Reporter& reporter = context.reporter;
  DraftUnit draft;
  draft.unit.node = context.node;
  draft.unit.place = table.place();
  const auto id = read_id(table, reporter);
  const auto name = table.word("name");
  draft.zone = table.required_word("zone");
  const auto prefixes = table.required_words("prefixes", TableView::Empty::kAllowed);
  read_each(prefixes, parse_prefix, draft.unit.prefixes, draft.prefix_places, reporter);
  draft.has_bad_prefix = draft.unit.prefixes.size() < prefixes.size();
  draft.unit.labels = read_labels(table, reporter);
  draft.unit.admission = read_admission(table, reporter);
  draft.unit.limits = read_limits(table, reporter);
  if (!id) return;
  draft.id_place = id->place;
  draft.unit.id = id->text;
  draft.unit.name = name ? name->text : id->text;
  context.draft.units.push_back(std::move(draft));
}

void read_terminal(TableView& table, TableContext& context) {
  Reporter& reporter = context.reporter;
  DraftTerminal draft;
  draft.node = context.node;
  draft.terminal.place = table.place();
  draft.unit = table.required_word("unit");
  read_each(table.required_words("addresses", TableView::Empty::kAllowed), parse_one_address,
            draft.terminal.addresses, draft.address_places, reporter);
  if (const auto mac = table.word("mac")) {
    if (auto parsed = parse_station_mac(mac->text)) {
      draft.terminal.mac = *parsed;
    } else {
      report(reporter, mac->place, std::move(parsed.error()));
    }
  }
  if (auto name = table.word("name")) draft.terminal.name = std::move(name->text);
  context.draft.terminals.push_back(std::move(draft));
}

void read_service(TableView& table, TableContext& context) {
  Reporter& reporter = context.reporter;
  DraftService draft;
  draft.service.node = context.node;
  draft.service.place = table.place();
  const auto id = read_id(table, reporter);
  const auto name = table.word("name");
  draft.zone = table.required_word("zone");
  draft.owner = table.word("owner");
  read_each(table.required_words("endpoints", TableView::Empty::kRefused), parse_endpoint,
            draft.service.endpoints, draft.endpoint_places, reporter);
  draft.service.labels = read_labels(table, reporter);
  draft.service.publish = table.boolean("publish").value_or(false);
  draft.publish_place = table.key_place("publish");
  draft.service.offered_to = read_selectors(table.words("offered_to"), reporter);
  check_offer(draft.service.offered_to, reporter);
  draft.service.limits = read_limits(table, reporter);
  draft.service.timeouts = read_timeouts(table, reporter);
  draft.service.helper = read_helper(table, reporter);
  if (!id) return;
  draft.id_place = id->place;
  draft.service.id = id->text;
  draft.service.name = name ? name->text : id->text;
  context.draft.services.push_back(std::move(draft));
}

void read_group(TableView& table, TableContext& context) {
  Reporter& reporter = context.reporter;
  DraftGroup draft;
  draft.group.node = context.node;
  draft.group.place = table.place();
  const auto id = read_id(table, reporter);
  const auto name = table.word("name");
  draft.group.members = read_selectors(table.required_words("members", TableView::Empty::kRefused),
                                       reporter);
  draft.group.except = read_selectors(table.words("except"), reporter);
  if (!id) return;
  draft.id_place = id->place;
  draft.group.id = id->text;
  draft.group.name = name ? name->text : id->text;
  context.draft.groups.push_back(std::move(draft));
}

}  // namespace meiguan::policy
