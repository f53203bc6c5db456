// meiguan replay

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>

#include "controlplane/analysis/replay_changes.h"
#include "tools/cli/load.h"
#include "tools/cli/replay_cases.h"
#include "tools/cli/replay_expect.h"
#include "tools/cli/replay_inputs.h"
#include "tools/cli/replay_lines.h"
#include "tools/cli/replay_stats.h"
#include "tools/cli/replay_summary.h"
#include "tools/cli/replay_tables.h"
#include "tools/cli/replay_write.h"

namespace meiguan::cli {
namespace {

using analysis::Replay;
using analysis::ReplayedPacket;
using analysis::ReplayInput;

struct Options {
  std::string policy;
  std::string gateway;
  std::vector<std::string> in;
  std::string tap;
  bool summary{false};
  std::string expect;
  std::string baseline;
  std::string write;
  bool changes{false};
  std::string cases;
  std::string stats;
  std::string block;
};

// A percentage on stderr, from the second second on.
class Progress {
 public:
  explicit Progress(const Replay& replay)
      : replay_{replay}, shown_at_{std::chrono::steady_clock::now()} {
    for (const auto& input : replay.inputs()) total_ += input.file.bytes();
    on_ = ::isatty(STDERR_FILENO) == 1 && total_ > 0;
  }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  ~Progress() {
    if (shown_) std::fputs("\r\033[K", stderr);
  }
  void step() {
    if (!on_ || (++bursts_ & 0xfff) != 0) return;
    const auto now = std::chrono::steady_clock::now();
    if (now - shown_at_ < std::chrono::seconds{1}) return;
    shown_at_ = now;
    shown_ = true;
    std::size_t done = 0;
    for (const auto& input : replay_.inputs()) done += input.file.position();
    std::fprintf(stderr, "\r%3zu%%", done * 100 / total_);
  }

 private:
  const Replay& replay_;
  std::chrono::steady_clock::time_point shown_at_;
  std::size_t total_{0};
  std::size_t bursts_{0};
  bool on_{false};
  bool shown_{false};
};

int refuse(const Context& context, const Text& text) {
  complain(context, text);
  return kBadInput;
}

// Under headings, or as one document; as rows where these are asked for.
int print_summary(const Context& context, const ReplaySummary& summary, Format format, Out& out) {
  const bool rows = format == Format::kCsv || !context.columns.empty() || !context.sort.empty();
  if (rows) return print(summary.table(), context, format, out);
  summary.print(context, format == Format::kTable ? Format::kTable : Format::kJson, out);
  return kYes;
}

LineForm form_of(Format format) {
  switch (format) {
    case Format::kJson: return LineForm::kJson;
    case Format::kJsonl: return LineForm::kJsonl;
    case Format::kCsv: return LineForm::kCsv;
    case Format::kTable:
    case Format::kJunit:  // refused before
    case Format::kSarif:
    case Format::kMarkdown:
    case Format::kHtml: break;
  }
  return LineForm::kTable;
}

int run(const Context& context, const Options& options) {
  if (!options.cases.empty()) return run_replay_cases(context, options.cases);
  const bool has_rows = options.summary || options.changes || !options.stats.empty();
  const auto format = context.format(kRowForms, kRowForms);
  if (!format) return kBadInput;
  if (options.policy.empty() || options.gateway.empty()) {
    return refuse(context,
                  {"--policy and --gateway are required", "必须给出 --policy 和 --gateway"});
  }
  if (options.changes && (options.baseline.empty() || options.summary)) {
    return refuse(context, {"--changes needs --baseline, and excludes --summary",
                            "--changes 需要 --baseline，且不能与 --summary 同用"});
  }
  if (options.in.empty() == options.tap.empty()) {
    return refuse(context, {"give captures either as --in PORT=FILE or as --tap FILE",
                            "抓包请用 --in PORT=FILE 或 --tap FILE 之一给出"});
  }
  if (!has_rows && (!context.columns.empty() || !context.sort.empty())) {
    return refuse(
        context, {"packets are printed as they come: --columns and --sort go with "
                  "--summary, --changes and --stats",
                  "逐包输出时 --columns 和 --sort 不适用，仅用于 --summary、--changes 和 --stats"});
  }
  const auto bundle = load(context, options.policy, options.gateway);
  if (!bundle) return kBadInput;
  std::unique_ptr<const lifecycle::Bundle> other;
  if (!options.baseline.empty()) {
    other = load(context, options.baseline, options.gateway);
    if (!other) return kBadInput;
  }
  std::optional<LoadedBlocks> blocks;
  if (!options.block.empty()) {
    blocks = load_blocks(context, options.block, bundle->policy.utc_offsets);
    if (!blocks) return kBadInput;
  }
  auto sources = find_sources(context, *bundle, options.in);
  if (!sources) return kBadInput;
  if (!options.tap.empty()) sources->push_back({options.tap, PortId{}});

  const char* const update_variable = std::getenv("UPDATE_EXPECT");
  const bool update = update_variable != nullptr && std::string_view{update_variable} == "1";
  std::optional<Expected> expected;
  if (!options.expect.empty()) {
    auto read = Expected::read(options.expect, update);
    if (!read) return refuse(context, read.error().message);
    expected = std::move(*read);
  }
  expect_truncation(context);
  std::vector<ReplayInput> inputs;
  for (const auto& source : *sources) {
    open_input(context, source.path, source.port, inputs);
  }
  if (inputs.empty()) return kBadInput;
  bool missing = inputs.size() < sources->size();
  std::optional<ReplayFiles> files;
  if (!options.write.empty()) {
    auto created = ReplayFiles::create(options.write, bundle->compiled.catalog);
    if (!created) return refuse(context, created.error().message);
    files.emplace(std::move(*created));
  }

  Out out;
  std::optional<ReplayStats> stats;
  if (!options.stats.empty()) {
    stats.emplace(bundle->compiled.catalog, bundle->gateway->node_code);
  }
  Replay replay{bundle->image, other ? &other->image : nullptr, std::move(inputs),
                stats ? stats->events() : analysis::ReplayEvents{}};
  if (blocks) replay.set_blocks(blocks->list);
  if (!files) replay.without_frames();
  ReplaySummary summary{bundle->compiled.catalog};
  const LineWords words{bundle->compiled.catalog, replay.inputs(), LineForm::kTable};
  ReplayLines lines{out,
                    form_of(*format),
                    bundle->image.utc_offsets(),
                    bundle->compiled.catalog,
                    other ? &other->compiled.catalog : nullptr,
                    replay.inputs()};
  const analysis::Names names{bundle->compiled.catalog};
  const analysis::Names other_names{(other ? other : bundle)->compiled.catalog};
  std::optional<analysis::ReplayChanges> changed_rows;
  if (options.changes) {
    changed_rows.emplace(bundle->compiled.catalog, other->compiled.catalog, bundle->image,
                         replay.inputs());
  }
  const bool prints = !has_rows && !expected;
  if (prints) lines.begin(!context.no_headers, context.language == Language::kChinese);
  std::uint64_t changes = 0;
  std::uint64_t printed = 0;
  {
    Progress progress{replay};
    replay.run([&](std::span<const ReplayedPacket> packets) {
      progress.step();
      if (options.summary) summary.add(packets);
      if (!prints && !expected && !files && !other) return;
      for (const auto& packet : packets) {
        const bool differs = other && changed(names, other_names, packet);
        if (differs) ++changes;
        if (differs && changed_rows) changed_rows->add(packet);
        if (files) files->write(packet);
        if (expected) expected->got(golden_line(words, packet));
        if (!prints || (other && !differs)) continue;
        if (context.limit && printed++ >= *context.limit) continue;
        lines.write(packet);
      }
    });
  }
  if (prints) lines.end();
  int code = kYes;
  if (options.summary) code = print_summary(context, summary, *format, out);
  if (changed_rows) code = print(changes_table(context, *changed_rows), context, *format, out);
  if (stats) {
    auto table = stats->table(replay, options.stats);
    if (!table) return refuse(context, table.error().message);
    code = print(std::move(*table), context, *format, out);
  }
  if (code != kYes) return code;
  if (expected && !update && !expected->compare(out)) code = kNo;
  if (changes > 0) code = kNo;
  out.flush();
  for (const auto& input : replay.inputs()) missing |= report_input(context, input);
  if (!expected || !update) return missing ? kBadInput : code;
  // What a part of the captures says is not what is to be expected of them.
  if (missing) {
    return refuse(context,
                  {fmt::format("{} was not rewritten: packets are missing", options.expect),
                   fmt::format("{} 未重写：报文不全", options.expect)});
  }
  if (auto written = expected->update(options.expect); !written) {
    return refuse(context, written.error().message);
  }
  return code;
}

}  // namespace

void add_replay_command(CLI::App& app, Context& context, Action& chosen) {
  auto* const command = app.add_subcommand("replay", context.tr("judge the packets of captures",
                                                                "对抓包中的报文逐一判定"));
  auto options = std::make_shared<Options>();
  command->add_option("--policy", options->policy,
                      context.tr("the policy: a directory or one file", "策略目录或单个文件"));
  command->add_option("--gateway", options->gateway, context.tr("the gateway file", "网关文件"));
  command
      ->add_option("--in", options->in,
                   context.tr("PORT=FILE: a capture of what came in by a port; may be repeated",
                              "PORT=FILE：从该端口进入的抓包，可重复"))
      ->allow_extra_args(false);
  command->add_option("--tap", options->tap,
                      context.tr("a capture of both directions", "双向抓包"));
  command->add_flag("--summary", options->summary, context.tr("counts only", "只输出统计"));
  command->add_option("--stats", options->stats,
                      context.tr("what the gateway would have counted, by unit, service, verdict …",
                                 "网关会得到的统计，按 unit、service、verdict 等"));
  command->add_option("--expect", options->expect,
                      context.tr("golden text to compare with; UPDATE_EXPECT=1 rewrites it",
                                 "与标准文本比较；UPDATE_EXPECT=1 则重写"));
  command->add_option("--baseline", options->baseline,
                      context.tr("another policy: print only what it says differently",
                                 "另一策略：只输出判定不同的报文"));
  command->add_option("--write", options->write,
                      context.tr("directory for a pcapng per out-port and one of the drops",
                                 "目录：每个出端口一个 pcapng，另有丢弃的一个"));
  command->add_flag("--changes", options->changes,
                    context.tr("with --baseline: what changes, by unit, service and rule",
                               "与 --baseline 同用：按单位、服务、规则汇总变化"));
  command->add_option("--block", options->block,
                      context.tr("the gateway's block list, as `block export` writes it",
                                 "网关的封禁名单，由 `block export` 导出"));
  auto* const cases = command->add_option(
      "--cases", options->cases,
      context.tr("a directory of cases, each with a policy, captures and expect.txt",
                 "用例目录：每个用例含策略、抓包和 expect.txt"));
  for (const char* const other : {"--policy", "--gateway", "--in", "--tap", "--summary", "--stats",
                                  "--expect", "--baseline", "--write", "--changes", "--block"}) {
    cases->excludes(command->get_option(other));
  }
  command->callback([&context, &chosen, options] {
    chosen = [&context, options] { return run(context, *options); };
  });
}

}  // namespace meiguan::cli
