#include "tools/cli/replay_cases.h"

#include <algorithm>
#include <boost/json.hpp>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "controlplane/analysis/names.h"
#include "controlplane/policy/message.h"
#include "controlplane/policy/source.h"
#include "controlplane/policy/table_view.h"
#include "tools/cli/junit.h"
#include "tools/cli/load.h"
#include "tools/cli/replay_expect.h"
#include "tools/cli/replay_inputs.h"
#include "tools/cli/replay_lines.h"
#include "tools/cli/table.h"

namespace meiguan::cli {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;

// Differences of a case that are shown; the rest is counted.
constexpr std::size_t kShown = 10;
constexpr std::size_t kMaxCases = 10'000;

struct Case {
  std::string name;
  fs::path policy;
  fs::path gateway;
  fs::path captures;
  fs::path expect;
  std::optional<Text> fault;  // it is no case as it stands
};

struct Outcome {
  std::string name;
  bool error{false};
  std::uint64_t packets{0};
  std::size_t differences{0};
  std::vector<std::string> shown;
  double seconds{0};
};

// The first that is there.
fs::path pick(std::initializer_list<fs::path> candidates) {
  for (const auto& path : candidates) {
    std::error_code error;
    if (fs::exists(path, error)) return path;
  }
  return {};
}

// case.toml, where there is one; false, with a message, where it is wrong.
bool read_settings(const Context& context, const fs::path& directory, Case& one) {
  const auto path = directory / "case.toml";
  std::error_code error;
  if (!fs::exists(path, error)) return true;
  std::vector<policy::SourceFile> files;
  policy::Reporter reporter{files};
  policy::read_single_file(path, true, files, reporter);
  policy::for_each_table(0, files.front().text, reporter, [&](const policy::TomlTable& table) {
    if (table.name != "case" || table.is_array) {
      reporter.error(table.place, policy::say("a case.toml has one table, [case]",
                                              "case.toml 只有一个表 [case]"));
      return;
    }
    policy::TableView view("[case]", table.place, table.members, reporter);
    for (const auto& [key, where] :
         {std::pair{"policy", &one.policy}, std::pair{"gateway", &one.gateway},
          std::pair{"captures", &one.captures}, std::pair{"expect", &one.expect}}) {
      if (const auto word = view.word(key)) *where = directory / word->text;
    }
    view.finish();
  });
  if (!reporter.has_errors()) return true;
  report_refusal(context, reporter.take(), {"this case was not run", "未运行该用例"});
  return false;
}

Case read_case(const Context& context, const fs::path& suite, const fs::path& directory) {
  Case one;
  one.name = directory == suite ? directory.filename().string()
                                : directory.lexically_relative(suite).string();
  if (!read_settings(context, directory, one)) {
    one.fault = Text{"its case.toml is wrong", "case.toml 有误"};
    return one;
  }
  if (one.policy.empty()) {
    one.policy = pick(
        {directory / "policy", directory / "policy.toml", suite / "policy", suite / "policy.toml"});
  }
  if (one.gateway.empty()) {
    one.gateway = pick({directory / "gateway.toml", suite / "gateway.toml"});
  }
  if (one.captures.empty()) one.captures = directory;
  if (one.expect.empty()) one.expect = directory / "expect.txt";
  if (one.policy.empty()) {
    one.fault = Text{"there is no policy/ or policy.toml", "没有 policy/ 或 policy.toml"};
  } else if (one.gateway.empty()) {
    one.fault = Text{"there is no gateway.toml", "没有 gateway.toml"};
  }
  return one;
}

std::vector<Case> find_cases(const Context& context, const fs::path& suite) {
  std::vector<fs::path> directories;
  std::error_code error;
  if (fs::exists(suite / "expect.txt", error)) directories.push_back(suite);
  for (fs::directory_iterator it(suite, error), end; !error && it != end; it.increment(error)) {
    std::error_code ignored;
    if (directories.size() < kMaxCases && it->is_directory(ignored) &&
        !pick({it->path() / "expect.txt", it->path() / "case.toml"}).empty()) {
      directories.push_back(it->path());
    }
  }
  std::ranges::sort(directories);
  std::vector<Case> cases;
  for (const auto& directory : directories) cases.push_back(read_case(context, suite, directory));
  return cases;
}

// PORT=FILE for every capture of the case.
std::vector<std::string> captures_of(const Case& one) {
  std::vector<std::string> words;
  std::error_code error;
  for (fs::directory_iterator it(one.captures, error), end; !error && it != end;
       it.increment(error)) {
    const auto extension = it->path().extension();
    if (extension != ".pcap" && extension != ".pcapng") continue;
    words.push_back(it->path().stem().string() + "=" + it->path().string());
  }
  std::ranges::sort(words);
  return words;
}

class Suite {
 public:
  Suite(const Context& context, bool update) : context_{context}, update_{update} {}

  Outcome run(const Case& one) {
    Outcome outcome;
    outcome.name = one.name;
    const auto start = std::chrono::steady_clock::now();
    if (auto fault = one.fault ? one.fault : try_case(one, outcome)) {
      outcome.error = true;
      outcome.shown = {context_.tr(*fault)};
    }
    outcome.seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    return outcome;
  }

 private:
  // Why it cannot be run.
  std::optional<Text> try_case(const Case& one, Outcome& outcome) {
    const auto bundle = load(context_, one.policy, one.gateway);
    if (!bundle) return Text{"its policy or gateway does not load", "策略或网关文件无法加载"};
    auto expected = Expected::read(one.expect.string(), update_);
    if (!expected) return expected.error().message;
    const auto sources = find_sources(context_, *bundle, captures_of(one));
    if (!sources) return Text{"a capture is named for no port", "抓包文件名不是端口名"};
    if (sources->empty()) return Text{"there is no capture", "没有抓包文件"};
    std::vector<analysis::ReplayInput> inputs;
    for (const auto& source : *sources) open_input(context_, source.path, source.port, inputs);
    bool missing = inputs.size() < sources->size();
    if (!inputs.empty()) {
      analysis::Replay replay{bundle->image, nullptr, std::move(inputs)};
      const LineWords words{bundle->compiled.catalog, replay.inputs(), LineForm::kTable};
      replay.run([&](std::span<const analysis::ReplayedPacket> packets) {
        for (const auto& packet : packets) expected->got(golden_line(words, packet));
        outcome.packets += packets.size();
      });
      for (const auto& input : replay.inputs()) missing |= report_input(context_, input);
    }
    if (missing) return Text{"a capture cannot be read whole", "有抓包无法完整读取"};
    if (update_) {
      if (auto written = expected->update(one.expect.string()); !written) {
        return written.error().message;
      }
      return std::nullopt;
    }
    expected->differences([&](std::string line) {
      if (outcome.differences++ < kShown) outcome.shown.push_back(std::move(line));
    });
    return std::nullopt;
  }

  const Context& context_;
  bool update_;
};

const char* result_word(const Outcome& outcome) {
  if (outcome.error) return "error";
  return outcome.differences > 0 ? "fail" : "pass";
}

int print_rows(const Context& context, Format format, const std::vector<Outcome>& outcomes,
               Out& out) {
  Table table;
  table.schema = "meiguan.replay-cases/v1";
  table.columns = {{"case", {"CASE", "用例"}},
                   {"result", {"RESULT", "结果"}},
                   {"packets", {"PACKETS", "报文"}, true},
                   {"differences", {"DIFFERENCES", "差异"}, true},
                   {"first", {"FIRST", "最初几处"}}};
  for (const auto& outcome : outcomes) {
    json::array first(outcome.shown.begin(), outcome.shown.end());
    std::string text = outcome.shown.empty() ? "-" : outcome.shown.front();
    table.rows.push_back({json::value(outcome.name), json::value(result_word(outcome)),
                          json::value(outcome.packets), json::value(outcome.differences),
                          Cell{json::value(std::move(first)), std::move(text)}});
  }
  return print(std::move(table), context, format, out);
}

void print_text(const std::vector<Outcome>& outcomes, Out& out) {
  for (const auto& outcome : outcomes) {
    out.line(fmt::format("{}  {}", result_word(outcome), outcome.name));
    for (const auto& line : outcome.shown) out.line("  " + line);
    if (outcome.differences > outcome.shown.size()) {
      out.line(fmt::format("  … {}", outcome.differences - outcome.shown.size()));
    }
  }
}

void print_junit(const std::string& suite, const std::vector<Outcome>& outcomes, Out& out) {
  std::vector<JunitCase> cases;
  for (const auto& outcome : outcomes) {
    auto& one = cases.emplace_back();
    one.group = fs::path{suite}.filename().string();
    one.name = outcome.name;
    one.error = outcome.error;
    one.seconds = outcome.seconds;
    if (outcome.shown.empty()) continue;
    std::string text = outcome.error ? std::string{}
                                     : fmt::format("{} differences\n", outcome.differences);
    for (const auto& line : outcome.shown) text += line + "\n";
    one.failures.push_back(std::move(text));
  }
  cli::print_junit(suite, cases, out);
}

}  // namespace

int run_replay_cases(const Context& context, const std::string& directory) {
  const auto format = context.format({Format::kTable, Format::kJson, Format::kJsonl, Format::kCsv,
                                      Format::kJunit},
                                     kRowForms);
  if (!format) return kBadInput;
  std::error_code error;
  if (!fs::is_directory(directory, error)) {
    complain(context, {fmt::format("--cases: {} is no directory", directory),
                       fmt::format("--cases：{} 不是目录", directory)});
    return kBadInput;
  }
  const char* const variable = std::getenv("UPDATE_EXPECT");
  Suite suite{context, variable != nullptr && std::string_view{variable} == "1"};
  std::vector<Outcome> outcomes;
  for (const auto& one : find_cases(context, fs::path{directory}.lexically_normal())) {
    outcomes.push_back(suite.run(one));
  }
  if (outcomes.empty()) {
    complain(context,
             {fmt::format("--cases: {} has no case: a directory with expect.txt or "
                          "case.toml is one",
                          directory),
              fmt::format("--cases：{} 中没有用例：含 expect.txt 或 case.toml 的目录为用例",
                          directory)});
    return kBadInput;
  }
  const auto errors = std::ranges::count_if(outcomes, &Outcome::error);
  const auto failed = std::ranges::count_if(outcomes, [](const Outcome& outcome) {
    return outcome.differences > 0;
  });
  int code = errors > 0 ? kBadInput : failed > 0 ? kNo : kYes;
  Out out;
  if (*format == Format::kJunit) {
    print_junit(directory, outcomes, out);
  } else if (*format == Format::kTable && context.columns.empty() && context.sort.empty()) {
    print_text(outcomes, out);
  } else if (print_rows(context, *format, outcomes, out) != kYes) {
    code = kBadInput;
  }
  out.flush();
  note(context,
       {fmt::format("{} case{}, {} failed, {} could not be run", outcomes.size(),
                    outcomes.size() == 1 ? "" : "s", failed, errors),
        fmt::format("{} 个用例，{} 个不符，{} 个无法运行", outcomes.size(), failed, errors)});
  return code;
}

}  // namespace meiguan::cli
