// Tables that later versions will know. They are looked at for unknown keys, missing keys and wrong
// types, so that a tree written for a later version shows its plain errors too, and then refused:
// passing over one would change what the tree means.

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

void check_prefix(const std::optional<Word>& word, Reporter& reporter) {
  if (!word) return;
  if (auto prefix = parse_prefix(word->text); !prefix) {
    report(reporter, word->place, std::move(prefix.error()));
  }
}

}  // namespace

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
