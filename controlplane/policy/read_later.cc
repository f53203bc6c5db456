// Tables that later versions will know. They are looked at for unknown keys, missing keys and wrong
// types, so that a tree written for a later version shows its plain errors too, and then refused:
// passing over a schedule or an assertion would change what the tree means.

#include <algorithm>

#include "controlplane/policy/message.h"
#include "controlplane/policy/read_policy.h"

namespace meiguan::policy {
namespace {

void refuse(const TableView& table, std::string_view title, Reporter& reporter) {
  reporter.error(table.place(), not_supported_yet(title));
}

void check_selectors(TableView& table, std::string_view key, bool required, Reporter& reporter) {
  static_cast<void>(read_selectors(required ? table.required_words(key, TableView::Empty::kRefused)
                                            : table.words(key),
                                   reporter));
}

// The flow description of an assertion: `{ from = [...], to = [...] }`.
void check_flow(const TomlValue& value, std::string_view key, Reporter& reporter) {
  TableView flow(fmt::format("`{}`", key), value.place, value.members, reporter);
  check_selectors(flow, "from", true, reporter);
  check_selectors(flow, "except_from", false, reporter);
  check_selectors(flow, "to", true, reporter);
  check_selectors(flow, "except_to", false, reporter);
  for (const Word& word : flow.words("ports")) {
    if (auto match = parse_ports(word.text); !match) {
      report(reporter, word.place, std::move(match.error()));
    }
  }
  flow.finish();
}

void check_prefix(const std::optional<Word>& word, Reporter& reporter) {
  if (!word) return;
  if (auto prefix = parse_prefix(word->text); !prefix) {
    report(reporter, word->place, std::move(prefix.error()));
  }
}

void check_kind(const TomlValue* value, TomlKind kind, std::string_view key, Reporter& reporter) {
  if (value == nullptr || value->kind == kind) return;
  reporter.error(value->place,
                 Text{fmt::format("`{}` is {}, {} expected", key, kind_name(value->kind).english,
                                  kind_name(kind).english),
                      fmt::format("`{}` 是{},应为{}", key, kind_name(value->kind).chinese,
                                  kind_name(kind).chinese)});
}

}  // namespace

void read_schedule(TableView& table, TableContext& context) {
  Reporter& reporter = context.reporter;
  static_cast<void>(read_id(table, reporter));
  static_cast<void>(table.word("name"));
  constexpr std::array<std::pair<std::string_view, int>, 7> kDays{
      {{"mon", 0}, {"tue", 1}, {"wed", 2}, {"thu", 3}, {"fri", 4}, {"sat", 5}, {"sun", 6}}};
  const bool has_days = table.find("days") != nullptr;
  for (const Word& day : table.words("days")) {
    static_cast<void>(choose(std::optional(day), "days", kDays, reporter));
  }
  const TomlValue* dates = table.find("dates");
  check_kind(dates, TomlKind::kArray, "dates", reporter);
  if (dates != nullptr) {
    for (const TomlValue& date : dates->items) {
      check_kind(&date, TomlKind::kDate, "dates", reporter);
    }
  }
  if (has_days == (dates != nullptr)) {
    reporter.error(table.place(),
                   has_days ? say("`days` stands together with `dates`, one of them expected",
                                  "`days` 与 `dates` 不能同时出现,只能有其一")
                            : say("there is neither `days` nor `dates`, one of them expected",
                                  "缺少 `days` 或 `dates`,应有其一"));
  }
  check_kind(table.find("start"), TomlKind::kTime, "start", reporter);
  check_kind(table.find("end"), TomlKind::kTime, "end", reporter);
  refuse(table, "[[schedule]]", reporter);
}

void read_assert(TableView& table, TableContext& context) {
  Reporter& reporter = context.reporter;
  static_cast<void>(read_id(table, reporter));
  static_cast<void>(table.word("name"));
  std::size_t flows = 0;
  for (const std::string_view key : {"never", "always"}) {
    const TomlValue* flow = table.find(key);
    if (flow == nullptr) continue;
    ++flows;
    check_kind(flow, TomlKind::kTable, key, reporter);
    if (flow->kind == TomlKind::kTable) check_flow(*flow, key, reporter);
  }
  if (flows != 1) {
    reporter.error(table.place(), say("exactly one of `never` and `always` expected",
                                      "`never` 与 `always` 应有且只有其一"));
  }
  refuse(table, "[[assert]]", reporter);
}

void read_publish(TableView& table, TableContext& context) {
  Reporter& reporter = context.reporter;
  static_cast<void>(table.required_word("service"));
  if (const auto address = table.required_word("public")) {
    if (auto endpoint = parse_endpoint(address->text); !endpoint) {
      report(reporter, address->place, std::move(endpoint.error()));
    }
  }
  refuse(table, "[[publish]]", reporter);
}

void read_egress(TableView& table, TableContext& context) {
  Reporter& reporter = context.reporter;
  static_cast<void>(read_id(table, reporter));
  check_selectors(table, "from", true, reporter);
  for (const Word& word : table.required_words("pool", TableView::Empty::kAllowed)) {
    check_prefix(word, reporter);
  }
  refuse(table, "[[egress]]", reporter);
}

void read_translate(TableView& table, TableContext& context) {
  Reporter& reporter = context.reporter;
  static_cast<void>(table.required_word("zone"));
  check_prefix(table.required_word("inside"), reporter);
  check_prefix(table.required_word("outside"), reporter);
  refuse(table, "[[translate]]", reporter);
}

}  // namespace meiguan::policy
