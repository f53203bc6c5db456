#include "dataplane/runtime/options.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <bit>
#include <charconv>
#include <cstdlib>
#include <map>
#include <string_view>

namespace meiguan::runtime {
namespace {

constexpr int kMostCores = 1024;

std::unexpected<Error> not_cores(const std::string& text) {
  return fail("'" + text + "' is not a list of cores; write it as 2,4-6",
              "“" + text + "”不是核列表；请写成 2,4-6 的形式");
}

Language language_of_environment() {
  for (const char* name : {"LC_ALL", "LC_MESSAGES", "LANG"}) {
    // No other thread exists yet.
    const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe)
    if (value != nullptr && *value != '\0') {
      return std::string_view{value}.starts_with("zh") ? Language::kChinese : Language::kEnglish;
    }
  }
  return Language::kEnglish;
}

}  // namespace

Result<std::vector<int>> parse_cores(const std::string& text) {
  std::vector<int> cores;
  const char* at = text.data();
  const char* end = text.data() + text.size();
  while (true) {
    int first{};
    const auto [after, error] = std::from_chars(at, end, first);
    if (error != std::errc{} || first < 0 || first >= kMostCores) return not_cores(text);
    at = after;
    int last = first;
    if (at != end && *at == '-') {
      const auto [behind, wrong] = std::from_chars(at + 1, end, last);
      if (wrong != std::errc{} || last < first || last >= kMostCores) return not_cores(text);
      at = behind;
    }
    for (int core = first; core <= last; ++core) cores.push_back(core);
    if (at == end) return cores;
    if (*at != ',') return not_cores(text);
    ++at;
  }
}

CommandLine read_command_line(int argc, char** argv) {
  CommandLine result;
  Options& options = result.options;
  options.language = language_of_environment();

  std::string cores;
  std::string language;
  CLI::App app{
      "Meiguan data plane: forwards packets as the policy image says.\n"
      "梅关数据面：按策略映像转发报文。",
      "meiguan-dataplane"};
  app.add_option("--run-dir", options.run_dir, "where the command socket is")
      ->capture_default_str();
  app.add_option("--state-dir", options.state_dir, "where the last good image is kept")
      ->capture_default_str();
  app.add_option("--image", options.image,
                 "the image to start with where the state directory has none");
  app.add_option("--flows", options.flows, "flow table entries of each worker")
      ->capture_default_str()
      ->check(CLI::Range(1024U, 1U << 28));
  app.add_option("--neighbours", options.neighbours, "neighbour table entries")
      ->capture_default_str()
      ->check(CLI::Range(64U, 1U << 20));
  app.add_option("--routes", options.routes,
                 "routes that may be learned from the kernel (1 to 2 KB each)")
      ->capture_default_str()
      ->check(CLI::Range(64U, 1U << 20));
  app.add_option("--events", options.events,
                 "events that each worker's ring holds (a power of two)")
      ->capture_default_str()
      ->check(CLI::Range(1024U, 1U << 24));
  app.add_option("--packets", options.packets, "packet buffers (default: as the ports need)");
  app.add_flag("--no-huge", options.no_huge, "run without huge pages (slower)");
  app.add_option("--memory", options.memory_mb, "MB of packet memory (default with --no-huge: 512)")
      ->check(CLI::Range(64U, 1U << 20));
  app.add_option("--main-core", options.main_core, "the core of the main thread")
      ->check(CLI::Range(0, kMostCores - 1));
  app.add_option("--worker-cores", cores, "the cores of the workers, such as 1,3-5");
  app.add_option("--file-prefix", options.file_prefix, "DPDK's file prefix (default: a new one)");
  app.add_flag("--check", options.check,
               "check the image and the machine, say what would be done, and end");
  app.add_option("--lang", language, "the language of messages")
      ->check(CLI::IsMember({"en", "zh"}));
  app.add_option("--log-level", options.log_level, "debug, info, warning or error")
      ->transform(CLI::CheckedTransformer(std::map<std::string, Level>{{"debug", Level::kDebug},
                                                                       {"info", Level::kInfo},
                                                                       {"warning", Level::kWarning},
                                                                       {"error", Level::kError}},
                                          CLI::ignore_case));
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    result.exit_code = app.exit(error) == 0 ? 0 : kExitConfiguration;
    return result;
  }
  if (!language.empty()) {
    options.language = language == "zh" ? Language::kChinese : Language::kEnglish;
  }
  if (!cores.empty()) {
    auto parsed = parse_cores(cores);
    if (!parsed) {
      fmt::print(stderr, "--worker-cores: {}\n", parsed.error().message.in(options.language));
      result.exit_code = kExitConfiguration;
      return result;
    }
    options.worker_cores = std::move(*parsed);
  }
  if (!std::has_single_bit(options.events)) options.events = std::bit_ceil(options.events);
  result.proceed = true;
  return result;
}

}  // namespace meiguan::runtime
