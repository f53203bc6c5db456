// meiguan explain

#include <CLI/CLI.hpp>
#include <algorithm>
#include <boost/json.hpp>
#include <memory>

#include "controlplane/analysis/explain.h"
#include "controlplane/analysis/names.h"
#include "controlplane/policy/instant_text.h"
#include "controlplane/policy/message.h"
#include "tools/cli/explain_all.h"
#include "tools/cli/load.h"
#include "tools/cli/out.h"
#include "tools/cli/question.h"
#include "tools/cli/width.h"

namespace meiguan::cli {
namespace {

namespace json = boost::json;

struct Options {
  std::string policy;
  std::string gateway;
  QuestionText question;
  std::string expect;
  std::string block;
  bool all{false};
};

// Every rule that matches, where --all asks for them.
using Matched = std::optional<std::vector<analysis::MatchedRule>>;

int refuse(const Context& context, const Text& text) {
  complain(context, text);
  return kBadInput;
}

json::value text_or_null(std::string_view text) {
  return text.empty() ? json::value(nullptr) : json::value(text);
}

void print_json(const Context& context, const lifecycle::Bundle& bundle,
                const analysis::Question& question, const analysis::Explanation& answer,
                const Matched& matched, Out& out) {
  const analysis::Names names{bundle.compiled.catalog};
  const auto instant = [&](std::int64_t at) {
    return policy::instant_text(bundle.policy.utc_offsets, at);
  };
  const auto* const reason = fastpath::find_reason(answer.decision.reason);
  const auto* const rule = names.rule(answer.decision.rule);
  json::object document;
  document.emplace("schema", "meiguan.explain/v1");
  document.emplace("verdict", fastpath::name_of(answer.decision.verdict()));
  document.emplace("reason", reason != nullptr ? reason->name : std::string_view{});
  document.emplace("rule", text_or_null(names.rule_name(answer.decision.rule)));
  document.emplace("where", rule != nullptr ? text_or_null(rule->where) : json::value(nullptr));
  document.emplace("unit", text_or_null(names.unit_id(answer.unit)));
  document.emplace("to_unit", text_or_null(names.unit_id(answer.to_unit)));
  document.emplace("service", text_or_null(names.service_id(answer.service)));
  json::array stages;
  for (const auto& stage : answer.stages) {
    json::object object;
    object.emplace("stage", stage.name);
    object.emplace("result", stage.result);
    object.emplace("detail", context.tr(stage.detail));
    stages.push_back(std::move(object));
  }
  document.emplace("stages", std::move(stages));
  json::array assumptions;
  for (const auto& text : answer.assumptions) assumptions.emplace_back(context.tr(text));
  document.emplace("assumptions", std::move(assumptions));
  document.emplace("at", instant(question.at));
  document.emplace("until",
                   answer.until ? json::value(instant(*answer.until)) : json::value(nullptr));
  const policy::CatalogRule none;
  const policy::CatalogRule& times = rule != nullptr ? *rule : none;
  document.emplace("schedule", text_or_null(times.schedule));
  document.emplace("not_before", text_or_null(times.not_before));
  document.emplace("expires", text_or_null(times.expires));
  document.emplace("ticket", text_or_null(times.ticket));
  document.emplace("owner", text_or_null(times.owner));
  document.emplace("comment", text_or_null(times.comment));
  if (matched) document.emplace("matched", matched_json(context, bundle, *matched));
  out.line(json::serialize(document));
}

// What is written beside the rule for people.
void print_remarks(const Context& context, const policy::CatalogRule& rule, Out& out) {
  std::string line;
  const auto add = [&](const Text& title, const std::string& text) {
    if (text.empty()) return;
    line += fmt::format("{}{} {}", line.empty() ? "  " : context.tr(", ", "，"), context.tr(title),
                        policy::one_line(text));
  };
  add({"ticket", "工单"}, rule.ticket);
  add({"owner", "责任单位"}, rule.owner);
  add({"comment:", "说明："}, rule.comment);
  if (!line.empty()) out.line(line);
}

void print_text(const Context& context, const lifecycle::Bundle& bundle,
                const analysis::Question& question, const analysis::Explanation& answer,
                const Matched& matched, Out& out) {
  const analysis::Names names{bundle.compiled.catalog};
  const auto* const reason = fastpath::find_reason(answer.decision.reason);
  out.line(
      fmt::format("{} -> {}", net::to_string(question.from), analysis::to_string(question.to)));
  std::size_t width = 0;
  for (const auto& stage : answer.stages) width = std::max(width, display_width(stage.name));
  for (const auto& stage : answer.stages) {
    std::string line = fmt::format("  {}  {}  {}", pad(stage.name, width, false),
                                   pad(stage.result, 9, false), context.tr(stage.detail));
    line.erase(line.find_last_not_of(' ') + 1);
    out.line(line);
  }
  std::string verdict = fmt::format("{}: {}", fastpath::name_of(answer.decision.verdict()),
                                    reason != nullptr ? reason->name : std::string_view{});
  if (const auto* const rule = names.rule(answer.decision.rule)) {
    verdict += fmt::format(", {} ({})", rule->full_name, rule->where);
  }
  const auto* const told = names.rule(answer.decision.rule);
  if (answer.out.is_some()) verdict += fmt::format(" -> {}", names.port_name(answer.out));
  out.line(verdict);
  if (reason != nullptr) {
    out.line(fmt::format("  {}", context.tr(Text{std::string{reason->english},
                                                 std::string{reason->chinese}})));
  }
  if (told != nullptr) print_remarks(context, *told, out);
  if (answer.until) {
    const auto until = policy::instant_text(bundle.policy.utc_offsets, *answer.until);
    out.line(context.tr({fmt::format("  until {}, when a schedule or a date passes", until),
                         fmt::format("  此结论到 {} 为止，届时有时间表或日期变化", until)}));
  }
  if (matched) {
    print_matched(context, bundle, *matched, out);
  } else {
    print_absent(context, bundle, find_absent(bundle, question, answer), out);
  }
  out.line(context.tr("assumed:", "前提："));
  for (const auto& text : answer.assumptions) out.line("  - " + context.tr(text));
}

int run(const Context& context, const Options& options) {
  const auto format = context.format({Format::kTable, Format::kJson});
  if (!format) return kBadInput;
  const auto bundle = load(context, options.policy, options.gateway);
  if (!bundle) return kBadInput;
  const auto& catalog = bundle->compiled.catalog;
  auto question = read_question(options.question, *bundle);
  if (!question) {
    auto option = "--" + question.error().key;
    std::ranges::replace(option, '_', '-');
    const auto& message = question.error().message;
    return refuse(context, {option + ": " + message.english, option + "：" + message.chinese});
  }
  std::optional<LoadedBlocks> blocks;
  if (!options.block.empty()) {
    if (options.gateway.empty()) {
      return refuse(context, {"--block needs --gateway: without one isolation and rules alone are "
                              "asked",
                              "--block 需要 --gateway：没有网关文件时只判断隔离与规则"});
    }
    blocks = load_blocks(context, options.block, bundle->policy.utc_offsets);
    if (!blocks) return kBadInput;
    question->blocks = &blocks->list;
  }
  const auto answer = analysis::explain(bundle->image, catalog, *question);
  if (!answer) return refuse(context, answer.error().message);
  Matched matched;
  if (options.all) matched = find_matched(*bundle, *question, *answer);
  Out out;
  if (*format == Format::kJson) {
    print_json(context, *bundle, *question, *answer, matched, out);
  } else {
    print_text(context, *bundle, *question, *answer, matched, out);
  }
  if (options.expect.empty()) return kYes;
  return answer->decision.forwards() == (options.expect == "allow") ? kYes : kNo;
}

}  // namespace

void add_explain_command(CLI::App& app, Context& context, Action& chosen) {
  auto* const command = app.add_subcommand("explain",
                                           context.tr("say why a packet would pass or not",
                                                      "解释一个报文为何放行或丢弃"));
  auto options = std::make_shared<Options>();
  command
      ->add_option("--policy", options->policy,
                   context.tr("the policy: a directory or one file", "策略目录或单个文件"))
      ->required();
  command->add_option("--gateway", options->gateway, context.tr("the gateway file", "网关文件"));
  command->add_option("--from", options->question.from, context.tr("source address", "源地址"))
      ->required();
  command
      ->add_option("--to", options->question.to,
                   context.tr("ADDR[:PORT]/PROTO, IPv6 with a port as [ADDR]:PORT/PROTO",
                              "ADDR[:PORT]/PROTO，IPv6 带端口写作 [ADDR]:PORT/PROTO"))
      ->required();
  command->add_option("--from-zone", options->question.from_zone,
                      context.tr("zone of a source of no unit", "源地址无单位时的区域"));
  command->add_option("--to-zone", options->question.to_zone,
                      context.tr("zone of a destination of no object", "目的地址无对象时的区域"));
  command->add_option("--in", options->question.in,
                      context.tr("port that it comes in by", "入端口"));
  command->add_option(
      "--at", options->question.at,
      context.tr("when: 2026-10-01T08:30 in the policy's time zone; now if not given",
                 "时刻：如 2026-10-01T08:30（策略时区），缺省为现在"));
  command->add_option("--block", options->block,
                      context.tr("the gateway's block list, as `block export` writes it",
                                 "网关的封禁名单，由 `block export` 导出"));
  command->add_flag("--all", options->all,
                    context.tr("also every rule that matches, and why it decides or not",
                               "同时列出每条匹配的规则及其是否判决的原因"));
  command
      ->add_option("--expect", options->expect,
                   context.tr("exit 1 unless the answer is allow or deny",
                              "与期望不符时退出码为 1"))
      ->check(CLI::IsMember({"allow", "deny"}));
  command->callback([&context, &chosen, options] {
    chosen = [&context, options] { return run(context, *options); };
  });
}

}  // namespace meiguan::cli
