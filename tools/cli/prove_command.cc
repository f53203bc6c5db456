// meiguan prove

#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <chrono>
#include <memory>

#include "controlplane/analysis/assertions.h"
#include "controlplane/policy/instant_text.h"
#include "controlplane/policy/load.h"
#include "tools/cli/example_json.h"
#include "tools/cli/junit.h"
#include "tools/cli/load.h"
#include "tools/cli/prove_send.h"
#include "tools/cli/sarif.h"
#include "tools/cli/table.h"

namespace meiguan::cli {
namespace {

namespace json = boost::json;

struct Options {
  std::string policy;
  std::string gateway;
  bool never{false};
  bool always{false};
  std::vector<std::string> from;
  std::vector<std::string> except_from;
  std::vector<std::string> to;
  std::vector<std::string> except_to;
  std::vector<std::string> ports;
  std::string at;
  std::string write;
};

int refuse(const Context& context, const Text& text) {
  complain(context, text);
  return kBadInput;
}

// One question, or all assertions, with what was found.
struct Proved {
  const policy::Assertion* assertion;
  bool asked{false};
  analysis::Finding finding;
  double seconds{0};
};

// A list of TOML.
std::string list_text(const std::vector<std::string>& words) {
  std::string text = "[";
  for (const auto& word : words) {
    text += text.size() > 1 ? ", \"" : "\"";
    for (const char c : word) {
      if (c == '"' || c == '\\') {
        text += '\\';
        text += c;
      } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
        text += fmt::format("\\u{:04x}", static_cast<unsigned char>(c));
      } else {
        text += c;
      }
    }
    text += '"';
  }
  return text + "]";
}

constexpr const char* kQuestionId = "asked-on-the-command-line";

// The question as an assertion of the root.
std::string question_text(const Options& options) {
  std::string text = fmt::format("[[assert]]\nid = \"{}\"\n{} = {{ from = {}, to = {}", kQuestionId,
                                 options.always ? "always" : "never", list_text(options.from),
                                 list_text(options.to));
  const auto add = [&](const char* key, const std::vector<std::string>& words) {
    if (!words.empty()) text += fmt::format(", {} = {}", key, list_text(words));
  };
  add("except_from", options.except_from);
  add("except_to", options.except_to);
  add("ports", options.ports);
  return text + " }\n";
}

void print_json(const image::Image& image, const analysis::Names& names,
                const policy::CheckedPolicy& policy, std::int64_t at,
                const std::vector<Proved>& all, Out& out) {
  json::object document;
  document.emplace("schema", "meiguan.prove/v1");
  document.emplace("holds",
                   std::ranges::all_of(all, [](const Proved& p) { return p.finding.holds; }));
  document.emplace("from_instant", policy::instant_text(policy.utc_offsets, at));
  json::array assertions;
  for (const Proved& one : all) {
    json::object object;
    object.emplace("id", one.asked ? json::value(nullptr) : json::value(one.assertion->id));
    object.emplace("kind", one.assertion->always ? "always" : "never");
    object.emplace("where", one.asked ? json::value(nullptr)
                                      : json::value(policy.where(one.assertion->place)));
    object.emplace("holds", one.finding.holds);
    object.emplace("no_packet_matches", one.finding.speaks_of_none);
    object.emplace("seconds", one.seconds);
    object.emplace("counter_example", one.finding.example
                                          ? example_json(image, names, *one.finding.example)
                                          : json::value(nullptr));
    assertions.push_back(std::move(object));
  }
  document.emplace("assertions", std::move(assertions));
  out.line(json::serialize(document));
}

std::string answer_text(const Context& context, const Proved& one) {
  if (!one.finding.holds) return context.tr("does not hold", "不成立");
  if (one.finding.speaks_of_none) {
    return context.tr("holds, no packet matches", "成立（没有报文匹配）");
  }
  return context.tr("holds", "成立");
}

int print_table(const Context& context, Format format, const policy::CheckedPolicy& policy,
                const std::vector<Proved>& all, Out& out) {
  Table table;
  table.schema = "meiguan.prove/v1";
  table.columns = {{"id", {"ASSERTION", "断言"}},
                   {"kind", {"KIND", "种类"}},
                   {"holds", {"ANSWER", "结论"}},
                   {"seconds", {"SECONDS", "用时（秒）"}, true},
                   {"where", {"WHERE", "位置"}}};
  for (const Proved& one : all) {
    table.rows.push_back({one.asked ? Cell(json::value(nullptr), context.tr("(asked)", "（所问）"))
                                    : Cell(json::value(one.assertion->id)),
                          Cell(json::value(one.assertion->always ? "always" : "never")),
                          Cell(json::value(one.finding.holds), answer_text(context, one)),
                          Cell(json::value(one.seconds), fmt::format("{:.3f}", one.seconds)),
                          one.asked ? Cell(json::value(nullptr))
                                    : Cell(json::value(policy.where(one.assertion->place)))});
  }
  return print(std::move(table), context, format, out);
}

void print_examples(const Context& context, const std::string& policy, const image::Image& image,
                    const analysis::Names& names, const std::vector<Proved>& all, Out& out) {
  for (const Proved& one : all) {
    if (!one.finding.example) continue;
    const analysis::Example& example = *one.finding.example;
    const Text packet = analysis::packet_text(image, names, example);
    const Text decision = analysis::decision_text(names, example.decision);
    const std::string id = one.asked ? context.tr("counter-example", "反例") : one.assertion->id;
    out.line(context.tr({fmt::format("{}: {} {}", id, packet.english, decision.english),
                         fmt::format("{}：{}，{}", id, packet.chinese, decision.chinese)}));
    out.line("  meiguan explain --policy " + policy + " " +
             analysis::explain_options(image, names, example));
  }
}

// "does not hold: …", the counter-example in a sentence.
std::string failure_text(const Context& context, const image::Image& image,
                         const analysis::Names& names, const Proved& one) {
  std::string text = answer_text(context, one);
  if (!one.finding.example) return text;
  const Text packet = analysis::packet_text(image, names, *one.finding.example);
  const Text decision = analysis::decision_text(names, one.finding.example->decision);
  return context.tr({fmt::format("{}: {} {}", text, packet.english, decision.english),
                     fmt::format("{}：{}，{}", text, packet.chinese, decision.chinese)});
}

std::string id_of(const Proved& one) { return one.asked ? kQuestionId : one.assertion->id; }

void print_as_junit(const Context& context, const image::Image& image, const analysis::Names& names,
                    const policy::CheckedPolicy& policy, const std::vector<Proved>& all, Out& out) {
  std::vector<JunitCase> cases;
  for (const Proved& one : all) {
    JunitCase& shown = cases.emplace_back();
    shown.group = one.asked ? "asked" : policy.files[one.assertion->place.file];
    shown.name = id_of(one);
    shown.seconds = one.seconds;
    if (!one.finding.holds) shown.failures.push_back(failure_text(context, image, names, one));
  }
  print_junit("meiguan prove", cases, out);
}

void print_as_sarif(const Context& context, const image::Image& image, const analysis::Names& names,
                    const policy::CheckedPolicy& policy, const std::vector<Proved>& all, Out& out) {
  std::vector<SarifRule> rules;
  std::vector<SarifResult> results;
  for (const Proved& one : all) {
    const auto id = id_of(one);
    rules.push_back({id, "error",
                     one.assertion->always
                         ? context.tr("every such packet is allowed", "这样的报文全部放行")
                         : context.tr("no such packet is allowed", "这样的报文一个也不放行")});
    if (one.finding.holds) continue;
    SarifPlace place;
    if (!one.asked) {
      const auto& at = one.assertion->place;
      constexpr std::uint32_t kHeader = 10;  // [[assert]]
      place = {policy.files[at.file], at.line, at.column, kHeader, {}};
    }
    results.push_back({id, "error", failure_text(context, image, names, one), place, {}});
  }
  print_sarif(rules, results, out);
}

// What was loaded of the policy, and which of its assertions are to be decided.
struct Loaded {
  policy::AskedPolicy asked;
  std::optional<policy::CheckedGateway> gateway;
  policy::Compiled compiled;
};

std::optional<Loaded> load_question(const Context& context, const Options& options,
                                    bool has_question) {
  auto asked = policy::load_policy_with(options.policy, "--from/--to",
                                        has_question ? question_text(options) : std::string{});
  if (!asked) {
    report(context, asked.error());
    return std::nullopt;
  }
  std::optional<policy::CheckedGateway> gateway;
  if (!options.gateway.empty()) {
    auto loaded = policy::load_gateway(options.gateway, asked->policy);
    if (!loaded) {
      report(context, loaded.error());
      return std::nullopt;
    }
    gateway.emplace(std::move(*loaded));
  }
  auto compiled = policy::compile(asked->policy, gateway ? &*gateway : nullptr, nullptr);
  if (!compiled) {
    complain(context, compiled.error().message);
    return std::nullopt;
  }
  return Loaded{std::move(*asked), std::move(gateway), std::move(*compiled)};
}

std::optional<Text> wrong_options(const Options& options) {
  const bool has_question = options.never || options.always;
  const bool has_words = !options.from.empty() || !options.to.empty() ||
                         !options.except_from.empty() || !options.except_to.empty() ||
                         !options.ports.empty();
  if (options.never && options.always) {
    return Text{"--never and --always stand together, one of them is expected",
                "--never 与 --always 只能有其一"};
  }
  if (!has_question && has_words) {
    return Text{"--from, --to, --ports: say --never or --always with them",
                "--from、--to、--ports 需要与 --never 或 --always 同用"};
  }
  if (has_question && (options.from.empty() || options.to.empty())) {
    return Text{"--never and --always need --from and --to",
                "--never、--always 需要 --from 和 --to"};
  }
  return std::nullopt;
}

int write(const Context& context, const Options& options, const image::Image& image,
          const analysis::Names& names, const std::vector<Sendable>& packets) {
  if (packets.empty()) {
    note(context, {"--write: every assertion holds, nothing is written",
                   "--write：断言全部成立，没有写文件"});
    return kYes;
  }
  if (auto written = write_capture(options.write, image, packets); !written) {
    return refuse(context, written.error().message);
  }
  for (const Sendable& packet : packets) {
    if (!packet.agrees) {
      note(context,
           {fmt::format("{}: no packet was found that {} the same way; the one from {} "
                        "shows what the rules say",
                        options.write,
                        options.gateway.empty() ? "may be sent and is judged"
                                                : "this gateway judges",
                        net::to_string(packet.example.from)),
            fmt::format("{}：没有找到{}的报文；来自 {} 的报文只说明规则如何判定", options.write,
                        options.gateway.empty() ? "可以发送且判定相同" : "在该网关上判定相同",
                        net::to_string(packet.example.from))});
      continue;
    }
    if (packet.in.is_none()) continue;
    const image::PortRecord& port = image.ports()[packet.in.index()];
    const auto in = names.port_name(PortId{port.parent});
    note(context, {fmt::format("replay: --in {}={}", in, options.write),
                   fmt::format("回放：--in {}={}", in, options.write)});
  }
  return kYes;
}

int run(const Context& context, const Options& options) {
  const auto format = context.format({Format::kTable, Format::kJson, Format::kJsonl, Format::kCsv,
                                      Format::kJunit, Format::kSarif},
                                     {Format::kTable, Format::kJsonl, Format::kCsv});
  if (!format) return kBadInput;
  if (const auto wrong = wrong_options(options)) return refuse(context, *wrong);
  const bool has_question = options.never || options.always;
  const auto loaded = load_question(context, options, has_question);
  if (!loaded) return kBadInput;
  const policy::CheckedPolicy& policy = loaded->asked.policy;
  const auto image = image::Image::open(loaded->compiled.bytes.span());
  if (!image) return refuse(context, image.error().message);
  const auto at = instant_of(context, policy.utc_offsets, options.at);
  if (!at) return kBadInput;

  const std::size_t first = has_question ? loaded->asked.first_asked : 0;
  const std::size_t end = has_question ? first + loaded->asked.asked : policy.assertions.size();
  if (first == end) {
    note(context, {"the policy has no [[assert]]: ask with --never or --always",
                   "策略中没有 [[assert]]：可用 --never 或 --always 提问"});
  }
  analysis::Assertions assertions{policy, loaded->compiled, *image, *at};
  std::vector<Proved> all;
  std::vector<Sendable> packets;
  for (std::size_t i = first; i < end; ++i) {
    const auto begins = std::chrono::steady_clock::now();
    Proved one{&policy.assertions[i], has_question, assertions.decide(i), 0};
    one.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begins).count();
    if (!one.finding.holds) {
      packets.push_back(choose_sendable(assertions, i, loaded->compiled, *image));
      one.finding.example = packets.back().example;
    }
    all.push_back(std::move(one));
  }

  const analysis::Names names{loaded->compiled.catalog};
  const bool holds = packets.empty();
  {
    Out out;
    if (*format == Format::kJson) {
      print_json(*image, names, policy, *at, all, out);
    } else if (*format == Format::kJunit) {
      print_as_junit(context, *image, names, policy, all, out);
    } else if (*format == Format::kSarif) {
      print_as_sarif(context, *image, names, policy, all, out);
    } else {
      if (const int code = print_table(context, *format, policy, all, out); code != kYes) {
        return code;
      }
      if (*format == Format::kTable)
        print_examples(context, options.policy, *image, names, all, out);
    }
  }
  if (!options.write.empty()) {
    if (const int code = write(context, options, *image, names, packets); code != kYes) return code;
  }
  return holds ? kYes : kNo;
}

}  // namespace

void add_prove_command(CLI::App& app, Context& context, Action& chosen) {
  auto* const command =
      app.add_subcommand("prove",
                         context.tr("decide statements about a whole policy, over all packets",
                                    "对整个策略的断言作出判定（覆盖全部报文）"));
  auto options = std::make_shared<Options>();
  command
      ->add_option("--policy", options->policy,
                   context.tr("the policy: a directory or one file", "策略目录或单个文件"))
      ->required();
  command->add_option("--gateway", options->gateway,
                      context.tr("choose counter-examples that this gateway judges the same way",
                                 "选取在该网关上判定相同的反例"));
  command->add_flag("--never", options->never,
                    context.tr("ask: no such packet is allowed", "提问：这样的报文一个也不放行"));
  command->add_flag("--always", options->always,
                    context.tr("ask: every such packet is allowed", "提问：这样的报文全部放行"));
  command->add_option("--from", options->from, context.tr("selectors of sources", "源选择符"));
  command->add_option("--except-from", options->except_from,
                      context.tr("sources to leave out", "排除的源"));
  command->add_option("--to", options->to, context.tr("selectors of destinations", "目的选择符"));
  command->add_option("--except-to", options->except_to,
                      context.tr("destinations to leave out", "排除的目的"));
  command->add_option("--ports", options->ports,
                      context.tr("443/tcp, icmp/8, …", "443/tcp、icmp/8 等"));
  command->add_option("--at", options->at,
                      context.tr("every instant from this one on, not from now on",
                                 "从该时刻起（而非此刻）的每一时刻"));
  command->add_option("--write", options->write,
                      context.tr("write the counter-examples as a capture (pcap)",
                                 "把反例写成抓包文件（pcap）"));
  command->callback([&context, &chosen, options] {
    chosen = [&context, options] { return run(context, *options); };
  });
}

}  // namespace meiguan::cli
