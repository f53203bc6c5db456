#include "controlplane/analysis/cases.h"

#include <array>
#include <limits>
#include <map>
#include <utility>

#include "controlplane/policy/instant_text.h"
#include "controlplane/policy/message.h"
#include "controlplane/policy/read_policy.h"
#include "controlplane/policy/source.h"
#include "controlplane/policy/table_view.h"
#include "dataplane/fastpath/reason.h"

namespace meiguan::analysis {
namespace {

using policy::Reporter;
using policy::say;
using policy::TableView;
using policy::TomlKind;
using policy::TomlTable;

constexpr std::array<std::pair<std::string_view, Expected>, 3> kExpected{
    {{"allow", Expected::kAllow}, {"deny", Expected::kDeny}, {"drop", Expected::kDrop}}};

class Reader {
 public:
  explicit Reader(Reporter& reporter) : reporter_{reporter} {}

  void read(const TomlTable& table) {
    if (table.name == "defaults" && !table.is_array) {
      TableView view("[defaults]", table.place, table.members, reporter_);
      read_shared(view, defaults_);
      view.finish();
    } else if (table.name == "case" && table.is_array) {
      TableView view("[[case]]", table.place, table.members, reporter_);
      read_case(view);
      view.finish();
    } else {
      reporter_.error(table.place, say("a file of cases has [defaults] and [[case]] only",
                                       "用例文件只能有 [defaults] 和 [[case]]"));
    }
  }

  std::vector<PolicyCase> take() {
    if (cases_.empty()) {
      reporter_.error({0, 1, 1}, say("there is no [[case]] in this file", "文件中没有 [[case]]"));
    }
    for (auto& one : cases_) {
      if (one.policy.empty()) one.policy = defaults_.policy;
      if (one.gateway.empty()) one.gateway = defaults_.gateway;
      if (one.at.empty()) one.at = defaults_.at;
    }
    return std::move(cases_);
  }

 private:
  static std::string text(const std::optional<policy::Word>& word) {
    return word ? word->text : std::string{};
  }
  static std::optional<std::string> maybe(const std::optional<policy::Word>& word) {
    return word ? std::optional{word->text} : std::nullopt;
  }

  void read_shared(TableView& view, PolicyCase& one) {
    one.policy = text(view.word("policy"));
    one.gateway = text(view.word("gateway"));
    one.at = read_time(view);
  }

  // A text, or a date or date-time of TOML, which becomes the text that says the same.
  std::string read_time(TableView& view) {
    constexpr std::array kKinds{TomlKind::kString, TomlKind::kDate, TomlKind::kDateTime};
    const auto* const value = view.value("at", kKinds);
    if (value == nullptr) return {};
    if (value->kind == TomlKind::kString) return value->text;
    constexpr std::int64_t kDay = 86'400;
    const auto seconds = value->kind == TomlKind::kDate ? value->integer * kDay : value->integer;
    const std::array clock{image::UtcOffset{std::numeric_limits<std::int64_t>::min(),
                                            value->offset_seconds.value_or(0), 0}};
    auto written = policy::instant_text(clock, seconds - value->offset_seconds.value_or(0));
    // The wall clock of the policy, where the file names no offset.
    constexpr std::size_t kWithoutOffset = 19;
    if (!value->offset_seconds) written.resize(kWithoutOffset);
    return written;
  }

  void read_case(TableView& view) {
    PolicyCase one;
    one.place = view.place();
    one.name = text(view.required_word("name"));
    read_shared(view, one);
    one.from = text(view.required_word("from"));
    one.to = text(view.required_word("to"));
    one.from_zone = text(view.word("from_zone"));
    one.to_zone = text(view.word("to_zone"));
    one.in = text(view.word("in"));
    const auto expect = view.required_word("expect");
    one.expect = policy::choose(expect, "expect", kExpected, reporter_).value_or(Expected::kDrop);
    if (const auto reason = view.word("reason")) {
      one.reason = reason->text;
      if (fastpath::find_reason(reason->text) == nullptr) {
        reporter_.error(reason->place,
                        say("`{}` is no reason", "`{}` 不是原因代码",
                            policy::printable(one.reason)),
                        say("`meiguan reason` lists them", "`meiguan reason` 可列出全部"));
      }
    }
    one.rule = maybe(view.word("rule"));
    one.unit = maybe(view.word("unit"));
    one.to_unit = maybe(view.word("to_unit"));
    one.service = maybe(view.word("service"));
    const auto [first, is_new] = names_.emplace(one.name, one.place);
    if (!is_new && !one.name.empty()) {
      reporter_.error(one.place,
                      say("case `{}` is there a second time", "用例 `{}` 重复",
                          policy::printable(one.name)),
                      say("it is first at {}", "首次出现于 {}", reporter_.where(first->second)));
    }
    cases_.push_back(std::move(one));
  }

  Reporter& reporter_;
  PolicyCase defaults_;
  std::vector<PolicyCase> cases_;
  std::map<std::string, policy::Place> names_;
};

}  // namespace

std::expected<std::vector<PolicyCase>, policy::Diagnostics> read_cases(
    const std::filesystem::path& path) {
  std::vector<policy::SourceFile> files;
  Reporter reporter{files};
  policy::read_single_file(path, true, files, reporter);
  Reader reader{reporter};
  if (!reporter.has_errors()) {
    policy::for_each_table(0, files.front().text, reporter,
                           [&](const TomlTable& table) { reader.read(table); });
  }
  std::vector<PolicyCase> cases;
  if (!reporter.has_errors()) cases = reader.take();
  if (reporter.has_errors()) return std::unexpected{reporter.take()};
  return cases;
}

}  // namespace meiguan::analysis
