#include "tools/cli/dry_run.h"

#include <algorithm>
#include <boost/json.hpp>

#include "controlplane/analysis/lint.h"
#include "controlplane/api/protocol.h"
#include "controlplane/policy/compile_trace.h"
#include "controlplane/policy/protocol_name.h"
#include "tools/cli/ask.h"
#include "tools/cli/kept.h"
#include "tools/cli/load.h"
#include "tools/cli/out.h"

namespace meiguan::cli {
namespace {

namespace json = boost::json;

std::uint64_t number_at(const json::object& object, std::string_view key) {
  const auto* const value = object.if_contains(key);
  boost::system::error_code error;
  const auto number = value != nullptr && value->is_number()
                          ? value->to_number<std::uint64_t>(error)
                          : 0;
  return error ? 0 : number;
}

std::string end_text(const json::object& row, const std::string& end) {
  const auto address = api::string_at(row, end);
  const auto port = number_at(row, end + "_port");
  if (address.find(':') == std::string::npos) return fmt::format("{}:{}", address, port);
  return fmt::format("[{}]:{}", address, port);
}

std::string protocol_text(std::uint64_t number) {
  const auto name = policy::protocol_name(static_cast<std::uint8_t>(number));
  return name.empty() ? fmt::format("proto-{}", number) : std::string{name};
}

void print_flows(const Context& context, const json::value* flows, Out& out) {
  if (flows == nullptr || !flows->is_object()) {
    out.line(context.tr("live flows: the data plane does not answer, none could be judged",
                        "现有的流：数据面没有应答，无法判定"));
    return;
  }
  const auto& object = flows->get_object();
  out.line(fmt::format("{} {} {} {}", context.tr("live flows:", "现有的流："),
                       number_at(object, "cut"), context.tr("would be cut, of", "条将被切断，共"),
                       number_at(object, "judged")));
  const auto* const rows = object.if_contains("rows");
  if (rows == nullptr || !rows->is_array()) return;
  for (const auto& value : rows->get_array()) {
    if (!value.is_object()) continue;
    const auto& row = value.get_object();
    const auto by = api::string_at(row, "denied_by");
    out.line(fmt::format("  {} -> {} {} {}: {}{}", end_text(row, "source"),
                         end_text(row, "destination"), protocol_text(number_at(row, "protocol")),
                         api::string_at(row, "unit"), api::string_at(row, "reason"),
                         by.empty() ? "" : " " + by));
  }
}

// Warnings that the policy has, on stderr as `policy check` prints them; how many there are.
std::size_t print_lints(const Context& context, const lifecycle::Bundle& bundle,
                        const std::filesystem::path& path) {
  policy::CompileTrace trace;
  const auto compiled = policy::compile(bundle.policy, nullptr, nullptr, &trace);
  if (!compiled) return 0;
  const auto image = image::Image::open(compiled->bytes.span());
  if (!image) return 0;
  std::size_t warnings = 0;
  for (const auto& lint : analysis::lint(bundle.policy, path, *image, trace,
                                         {.at = *lifecycle::decide_from_now().from})) {
    if (lint.kind->level != analysis::LintLevel::kWarning) continue;
    ++warnings;
    note(context, {analysis::render_lint(lint, Language::kEnglish, context.colour_errors),
                   analysis::render_lint(lint, Language::kChinese, context.colour_errors)});
  }
  return warnings;
}

}  // namespace

int show_dry_run(const Context& context, const json::object& request) {
  const auto format = context.format({Format::kTable, Format::kJson});
  if (!format) return kBadInput;
  // It loads the policy, too: what does not load, or whose assertions do not hold, ends here.
  auto answer = ask(context, request, kLoadSeconds);
  if (!answer) return answer.error();
  const auto base = static_cast<std::uint32_t>(number_at(*answer, "base"));
  if (*format == Format::kJson) {
    Out out;
    out.line(json::serialize(*answer));
    return kYes;
  }
  const auto kept = fetch_revision(context, base);
  if (!kept) return kept.error();
  const auto before = load(context, *kept);
  const auto after_content = lifecycle::read_content(api::string_at(*answer, "policy"),
                                                     api::string_at(*answer, "gateway"));
  if (!after_content) {
    report(context, after_content.error());
    return kBadInput;
  }
  const auto after = load(context, *after_content);
  if (!before || !after) return kBadInput;
  const std::size_t warnings = print_lints(context, *after, after_content->tree.read_from);
  {
    Out out;
    out.line(fmt::format("{} {}", context.tr("against revision", "与现行版本比较："), base));
  }
  const int changed = print_difference(context, Format::kTable, *before, *after, true);
  if (changed != kYes && changed != kNo) return changed;
  Out out;
  out.line(fmt::format("{} {}", context.tr("assertions that hold:", "成立的断言："),
                       after->policy.assertions.size()));
  out.line(fmt::format("{} {}", context.tr("warnings:", "警告："), warnings));
  print_flows(context, answer->if_contains("flows"), out);
  out.line(fmt::format("{} {}", context.tr("content", "内容"), api::string_at(*answer, "content")));
  if (const auto approval = api::string_at(*answer, "approval"); !approval.empty()) {
    out.line(fmt::format("{} meiguan approve {}",
                         context.tr("a second security administrator approves it by",
                                    "由另一名安全管理员批准："),
                         approval));
  }
  note(context, {"nothing was changed", "未作任何更改"});
  return kYes;
}

}  // namespace meiguan::cli
