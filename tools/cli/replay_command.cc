// meiguan replay

#include <signal.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "tools/cli/load.h"
#include "tools/cli/replay_expect.h"
#include "tools/cli/replay_lines.h"
#include "tools/cli/replay_summary.h"
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

std::string packets(std::uint64_t n) { return fmt::format("{} packet{}", n, n == 1 ? "" : "s"); }

void open_input(const Context& context, const std::string& path, PortId port,
                std::vector<ReplayInput>& inputs) {
  auto file = analysis::CaptureFile::open(path);
  if (!file) {
    const auto& message = file.error().message;
    complain(context, {path + ": " + message.english, path + "：" + message.chinese});
    return;
  }
  inputs.push_back({std::filesystem::path{path}.filename().string(), std::move(*file), port});
}

// A capture of the command line and the port it came in by; none: a tap.
struct Source {
  std::string path;
  PortId port;
};

// What the command line names; nothing, with a message, where it is wrong.
std::optional<std::vector<Source>> find_sources(const Context& context,
                                                const lifecycle::Bundle& bundle,
                                                const Options& options) {
  const analysis::Names names{bundle.compiled.catalog};
  std::vector<Source> sources;
  if (!options.tap.empty()) sources.push_back({options.tap, PortId{}});
  for (const auto& text : options.in) {
    const auto equals = text.find('=');
    if (equals == std::string::npos || equals == 0 || equals + 1 == text.size()) {
      complain(context, {fmt::format("--in: `{}` is not PORT=FILE", text),
                         fmt::format("--in：`{}` 不是 PORT=FILE", text)});
      return std::nullopt;
    }
    const auto name = text.substr(0, equals);
    const auto port = names.find_port(name);
    if (!port) {
      complain(context, {fmt::format("--in: the gateway has no port `{}`", name),
                         fmt::format("--in：网关没有端口 `{}`", name)});
      return std::nullopt;
    }
    const auto parent = bundle.image.ports()[port->index()].parent;
    if (parent != port->value()) {
      const auto parent_name = names.port_name(PortId{parent});
      complain(context,
               {fmt::format("--in: {} is a sub-port; tagged frames arrive by its parent, {}", name,
                            parent_name),
                fmt::format("--in：{} 是子端口；带标签的帧从其父端口 {} 进入", name, parent_name)});
      return std::nullopt;
    }
    sources.push_back({text.substr(equals + 1), *port});
  }
  return sources;
}

// What of a capture could not be judged, or not as it was on the wire; true where packets are
// missing.
bool report_input(const Context& context, const ReplayInput& input) {
  const auto say = [&](const std::string& english, const std::string& chinese) {
    complain(context, {input.name + ": " + english, input.name + "：" + chinese});
  };
  const auto tell = [&](const std::string& english, const std::string& chinese) {
    note(context, {input.name + ": " + english, input.name + "：" + chinese});
  };
  const auto& counts = input.file.counts();
  if (counts.other_link_type > 0) {
    say(fmt::format("passed over {} of an interface that is not Ethernet",
                    packets(counts.other_link_type)),
        fmt::format("{} 个报文所属接口不是以太网，已略过", counts.other_link_type));
  }
  if (counts.unknown_interface > 0) {
    say(fmt::format("passed over {} of an interface that the capture does not describe",
                    packets(counts.unknown_interface)),
        fmt::format("{} 个报文所属接口未在抓包中说明，已略过", counts.unknown_interface));
  }
  if (input.file.fault()) {
    const auto& message = input.file.fault()->message;
    say(message.english + "; what came before it was judged",
        message.chinese + "；此前的报文已判定");
  }
  if (counts.cut > 0) {
    tell(fmt::format("judged {} on what is there: cut short when captured", packets(counts.cut)),
         fmt::format("{} 个报文在抓包时被截短，按现有内容判定", counts.cut));
  }
  if (input.guessed > 0) {
    tell(fmt::format("guessed the port of {}: no route back to the source tells it",
                     packets(input.guessed)),
         fmt::format("{} 个报文的入端口为推测：没有返回源地址的路由可以确定", input.guessed));
  }
  return input.file.fault().has_value() || counts.passed_over() > 0;
}

// A file that another program cuts while it is mapped has no pages any more where the reader is.
const char* truncated_sentence = "";

void on_bus_error(int) {
  // Only calls that a signal handler may make.
  static_cast<void>(!::write(STDERR_FILENO, truncated_sentence, std::strlen(truncated_sentence)));
  ::_exit(kBadInput);
}

void expect_truncation(const Context& context) {
  truncated_sentence = context.tr("meiguan: error: a capture was truncated while it was read\n",
                                  "meiguan: 错误：抓包文件在读取时被截短\n");
  struct sigaction action {};
  action.sa_handler = on_bus_error;
  ::sigaction(SIGBUS, &action, nullptr);
}

int run(const Context& context, const Options& options) {
  const auto format = context.format(
      options.summary ? std::initializer_list<Format>{Format::kTable, Format::kJson, Format::kJsonl}
                      : std::initializer_list<Format>{Format::kTable, Format::kJsonl});
  if (!format) return kBadInput;
  if (options.in.empty() == options.tap.empty()) {
    return refuse(context, {"give captures either as --in PORT=FILE or as --tap FILE",
                            "抓包请用 --in PORT=FILE 或 --tap FILE 之一给出"});
  }
  if (!context.columns.empty() || !context.sort.empty()) {
    return refuse(context, {"replay prints packets as they come: --columns and --sort do not apply",
                            "replay 逐包输出：--columns 和 --sort 不适用"});
  }
  const auto bundle = load(context, options.policy, options.gateway);
  if (!bundle) return kBadInput;
  std::unique_ptr<const lifecycle::Bundle> other;
  if (!options.baseline.empty()) {
    other = load(context, options.baseline, options.gateway);
    if (!other) return kBadInput;
  }
  const auto sources = find_sources(context, *bundle, options);
  if (!sources) return kBadInput;

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
  Replay replay{bundle->image, other ? &other->image : nullptr, std::move(inputs)};
  ReplaySummary summary{bundle->compiled.catalog};
  const LineWords words{bundle->compiled.catalog, replay.inputs(), false};
  ReplayLines lines{out, *format == Format::kJsonl ? LineForm::kJsonl : LineForm::kTable,
                    bundle->compiled.catalog, other ? &other->compiled.catalog : nullptr,
                    replay.inputs()};
  const analysis::Names names{bundle->compiled.catalog};
  const analysis::Names other_names{(other ? other : bundle)->compiled.catalog};
  const bool prints = !options.summary && !expected;
  if (prints && !context.no_headers) lines.header(context.language == Language::kChinese);
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
        if (files) files->write(packet);
        if (expected) expected->got(golden_line(words, packet));
        if (!prints || (other && !differs)) continue;
        if (context.limit && printed++ >= *context.limit) continue;
        lines.write(packet);
      }
    });
  }
  if (options.summary)
    summary.print(context, *format == Format::kTable ? Format::kTable : Format::kJson, out);

  int code = kYes;
  if (expected && update) {
    if (auto written = expected->update(options.expect); !written) {
      return refuse(context, written.error().message);
    }
  } else if (expected && !expected->compare(out)) {
    code = kNo;
  }
  if (changes > 0) code = kNo;
  out.flush();
  for (const auto& input : replay.inputs()) missing |= report_input(context, input);
  return missing ? kBadInput : code;
}

}  // namespace

void add_replay_command(CLI::App& app, Context& context, Action& chosen) {
  auto* const command = app.add_subcommand("replay", context.tr("judge the packets of captures",
                                                                "对抓包中的报文逐一判定"));
  auto options = std::make_shared<Options>();
  command
      ->add_option("--policy", options->policy,
                   context.tr("the policy: a directory or one file", "策略目录或单个文件"))
      ->required();
  command->add_option("--gateway", options->gateway, context.tr("the gateway file", "网关文件"))
      ->required();
  command
      ->add_option("--in", options->in,
                   context.tr("PORT=FILE: a capture of what came in by a port; may be repeated",
                              "PORT=FILE：从该端口进入的抓包，可重复"))
      ->allow_extra_args(false);
  command->add_option("--tap", options->tap,
                      context.tr("a capture of both directions", "双向抓包"));
  command->add_flag("--summary", options->summary, context.tr("counts only", "只输出统计"));
  command->add_option("--expect", options->expect,
                      context.tr("golden text to compare with; UPDATE_EXPECT=1 rewrites it",
                                 "与标准文本比较；UPDATE_EXPECT=1 则重写"));
  command->add_option("--baseline", options->baseline,
                      context.tr("another policy: print only what it says differently",
                                 "另一策略：只输出判定不同的报文"));
  command->add_option("--write", options->write,
                      context.tr("directory for a pcapng per out-port and one of the drops",
                                 "目录：每个出端口一个 pcapng，另有丢弃的一个"));
  command->callback([&context, &chosen, options] {
    chosen = [&context, options] { return run(context, *options); };
  });
}

}  // namespace meiguan::cli
