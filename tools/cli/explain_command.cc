// meiguan explain

#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <memory>

#include "controlplane/analysis/explain.h"
#include "controlplane/analysis/names.h"
#include "tools/cli/load.h"
#include "tools/cli/out.h"
#include "tools/cli/width.h"

namespace meiguan::cli {
namespace {

namespace json = boost::json;

struct Options {
  std::string policy;
  std::string gateway;
  std::string from;
  std::string to;
  std::string from_zone;
  std::string to_zone;
  std::string in;
  std::string at;
  std::string expect;
};

int refuse(const Context& context, const Text& text) {
  complain(context, text);
  return kBadInput;
}

json::value text_or_null(std::string_view text) {
  return text.empty() ? json::value(nullptr) : json::value(text);
}

void print_json(const Context& context, const analysis::Names& names,
                const analysis::Explanation& answer, Out& out) {
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
  out.line(json::serialize(document));
}

void print_text(const Context& context, const analysis::Names& names,
                const analysis::Question& question, const analysis::Explanation& answer, Out& out) {
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
  if (answer.out.is_some()) verdict += fmt::format(" -> {}", names.port_name(answer.out));
  out.line(verdict);
  if (reason != nullptr) {
    out.line(fmt::format("  {}", context.tr(Text{std::string{reason->english},
                                                 std::string{reason->chinese}})));
  }
  out.line(context.tr("assumed:", "前提："));
  for (const auto& text : answer.assumptions) out.line("  - " + context.tr(text));
}

int run(const Context& context, const Options& options) {
  const auto format = context.format({Format::kTable, Format::kJson});
  if (!format) return kBadInput;
  if (!options.at.empty()) {
    return refuse(context, {"--at: not supported yet, rules have no times in this version",
                            "--at：尚不支持，本版本的规则没有时间"});
  }
  if (!options.in.empty() && options.gateway.empty()) {
    return refuse(context, {"--in needs --gateway: ports are the gateway's",
                            "--in 需要 --gateway：端口属于网关"});
  }
  analysis::Question question;
  const auto source = net::parse_address(
      options.from.starts_with('[') && options.from.ends_with(']')
          ? std::string_view{options.from}.substr(1, options.from.size() - 2)
          : std::string_view{options.from});
  if (!source) {
    return refuse(context, {fmt::format("--from: `{}` is not an address", options.from),
                            fmt::format("--from：`{}` 不是地址", options.from)});
  }
  question.from = *source;
  const auto destination = analysis::parse_destination(options.to);
  if (!destination) {
    const auto& message = destination.error().message;
    return refuse(context, {"--to: " + message.english, "--to：" + message.chinese});
  }
  question.to = *destination;
  const auto bundle = load(context, options.policy, options.gateway);
  if (!bundle) return kBadInput;
  const auto& catalog = bundle->compiled.catalog;
  const analysis::Names names{catalog};
  for (const auto& [option, text, zone] :
       {std::tuple{"--from-zone", &options.from_zone, &question.from_zone},
        std::tuple{"--to-zone", &options.to_zone, &question.to_zone}}) {
    if (text->empty()) continue;
    *zone = names.find_zone(*text);
    if (!*zone) {
      return refuse(context, {fmt::format("{}: the policy has no zone `{}`", option, *text),
                              fmt::format("{}：策略中没有区域 `{}`", option, *text)});
    }
  }
  if (!options.in.empty()) {
    question.in = names.find_port(options.in);
    if (!question.in) {
      return refuse(context, {fmt::format("--in: the gateway has no port `{}`", options.in),
                              fmt::format("--in：网关没有端口 `{}`", options.in)});
    }
  }
  const auto answer = analysis::explain(bundle->image, catalog, question);
  if (!answer) return refuse(context, answer.error().message);
  Out out;
  if (*format == Format::kJson) {
    print_json(context, names, *answer, out);
  } else {
    print_text(context, names, question, *answer, out);
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
  command->add_option("--from", options->from, context.tr("source address", "源地址"))->required();
  command
      ->add_option("--to", options->to,
                   context.tr("ADDR[:PORT]/PROTO, IPv6 with a port as [ADDR]:PORT/PROTO",
                              "ADDR[:PORT]/PROTO，IPv6 带端口写作 [ADDR]:PORT/PROTO"))
      ->required();
  command->add_option("--from-zone", options->from_zone,
                      context.tr("zone of a source of no unit", "源地址无单位时的区域"));
  command->add_option("--to-zone", options->to_zone,
                      context.tr("zone of a destination of no object", "目的地址无对象时的区域"));
  command->add_option("--in", options->in, context.tr("port that it comes in by", "入端口"));
  command->add_option("--at", options->at, context.tr("not supported yet", "尚不支持"));
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
