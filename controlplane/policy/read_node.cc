// Readers of [node], [policy] and [[zone]].

#include "controlplane/policy/message.h"
#include "controlplane/policy/read_policy.h"
#include "controlplane/policy/wall_clock.h"

namespace meiguan::policy {
namespace {

constexpr std::int64_t kSchema = 1;

}  // namespace

void read_node(TableView& table, TableContext& context) {
  DraftNode& draft = context.draft.nodes[context.node.index()];
  if (draft.found && !context.is_node_file) {
    // A second [node] of the same node, in a file where none may be: that is reported already.
    static_cast<void>(table.find("code"));
    static_cast<void>(table.find("name"));
    static_cast<void>(table.find("tier"));
    return;
  }
  draft.found = true;
  draft.node.place = table.place();
  draft.tier_place = draft.code_place = table.place();
  if (auto code = table.required_word("code")) {
    draft.code_place = code->place;
    if (auto complaint = check_code(code->text)) {
      report(context.reporter, code->place, std::move(*complaint));
    } else {
      draft.has_code = true;
      draft.node.code = std::move(code->text);
    }
  }
  if (auto name = table.required_word("name")) draft.node.name = std::move(name->text);
  if (const auto tier = table.required_word("tier")) {
    draft.tier_place = tier->place;
    if (auto parsed = parse_tier(tier->text)) {
      draft.has_tier = true;
      draft.node.tier = *parsed;
    } else {
      report(context.reporter, tier->place, std::move(parsed.error()));
    }
  }
}

void read_policy_table(TableView& table, TableContext& context) {
  Draft& draft = context.draft;
  if (context.is_root) {
    if (draft.policy_place) {
      context.reporter.error(table.place(),
                             say("[policy] is defined a second time", "[policy] 重复定义"),
                             say("it is first defined at {}", "首次定义于 {}",
                                 context.reporter.where(*draft.policy_place)));
    } else {
      draft.policy_place = table.place();
    }
  }
  if (const auto schema = table.integer("schema"); schema && schema->value != kSchema) {
    context.reporter.error(schema->place,
                           say("schema {} is unknown, this version reads schema {}",
                               "未知的 schema {}，本版本支持 schema {}", schema->value, kSchema));
  }
  if (auto timezone = table.word("timezone")) {
    if (auto clock = wall_clock_of(timezone->text)) {
      draft.timezone = std::move(timezone->text);
      draft.clock = std::move(*clock);
    } else {
      const std::string shown = printable(timezone->text);
      const Text& why = clock.error().message;
      context.reporter.error(timezone->place,
                             Text{fmt::format("unknown time zone `{}`: {}", shown, why.english),
                                  fmt::format("未知时区 `{}`：{}", shown, why.chinese)});
    }
  }
}

void read_zone(TableView& table, TableContext& context) {
  DraftZone draft;
  draft.zone.place = table.place();
  draft.id_place = table.place();
  constexpr std::array<std::pair<std::string_view, ZoneKind>, 6> kKinds{
      {{"extranet", ZoneKind::kExtranet},
       {"dmz", ZoneKind::kDmz},
       {"exchange", ZoneKind::kExchange},
       {"internet", ZoneKind::kInternet},
       {"management", ZoneKind::kManagement},
       {"private", ZoneKind::kPrivate}}};
  const auto id = read_id(table, context.reporter);
  const auto kind_word = table.required_word("kind");
  const auto name = table.word("name");
  std::optional<ZoneKind> kind;
  if (kind_word && kind_word->text == "intranet") {
    context.reporter.error(kind_word->place, intranet_refusal());
  } else {
    kind = choose(kind_word, "kind", kKinds, context.reporter);
    if (id && id->text == "intranet") context.reporter.error(id->place, intranet_refusal());
  }
  draft.has_kind = kind.has_value();
  draft.zone.kind = kind.value_or(ZoneKind::kExtranet);
  draft.zone.drop_unregistered = draft.zone.kind == ZoneKind::kExtranet ||
                                 draft.zone.kind == ZoneKind::kPrivate;
  constexpr std::array<std::pair<std::string_view, bool>, 2> kUnregistered{
      {{"drop", true}, {"rules", false}}};
  if (const auto drop = choose(table.word("unregistered"), "unregistered", kUnregistered,
                               context.reporter)) {
    draft.zone.drop_unregistered = *drop;
  }
  if (!id) return;
  draft.zone.id = id->text;
  draft.id_place = id->place;
  draft.zone.name = name ? name->text : id->text;
  context.draft.zones.push_back(std::move(draft));
}

}  // namespace meiguan::policy
