#pragma once

#include <fmt/format.h>

#include <cstddef>
#include <filesystem>
#include <functional>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dataplane/base/result.h"
#include "dataplane/base/text.h"

namespace CLI {
class App;
}

namespace meiguan::cli {

// Exit codes (design.md section 6).
inline constexpr int kYes = 0;
inline constexpr int kNo = 1;           // differs, findings, `--expect` not met
inline constexpr int kBadInput = 2;     // bad usage, a policy that does not parse
inline constexpr int kCouldNotAsk = 3;  // daemon down, refused
inline constexpr int kInterrupted = 130;

enum class Format { kTable, kJson, kJsonl, kCsv, kJunit, kSarif, kMarkdown, kHtml };
// The forms of a Table.
inline constexpr std::initializer_list<Format> kRowForms{Format::kTable, Format::kJson,
                                                         Format::kJsonl, Format::kCsv};

// What the command line and the environment say about how to speak.
struct Context {
  Language language{Language::kEnglish};
  std::string program{"meiguan"};
  bool colour_errors{false};
  std::string format_name;  // as given by -o; empty: the command's default
  std::string columns;      // comma-separated keys
  bool no_headers{false};
  std::string sort;  // a column's key, `-` in front: descending
  std::optional<std::size_t> limit;
  std::filesystem::path run_dir{"/run/meiguan"};
  // A daemon somewhere else, by HTTPS; none where `server` is empty.
  struct Remote {
    std::string server;  // https://host:port
    std::string certificate;
    std::string key;
    std::string authority;
  };
  Remote remote;

  [[nodiscard]] const std::string& tr(const Text& text) const { return text.in(language); }
  [[nodiscard]] const char* tr(const char* english, const char* chinese) const {
    return language == Language::kChinese ? chinese : english;
  }
  // The format asked for; nothing, with a message on stderr, where the command does not have it, or
  // where --columns, --sort or --limit are given and it is none of `rows`: those forms that
  // print(Table) or the command itself cuts to them.
  [[nodiscard]] std::optional<Format> format(std::initializer_list<Format> allowed,
                                             std::initializer_list<Format> rows = {}) const;
};

// `meiguan: error: …` on stderr.
void complain(const Context& context, const Text& text);
// A line on stderr.
void note(const Context& context, const Text& text);

// A command of the command line: what it does when it was the one given.
using Action = std::function<int()>;

// Each adds its commands to `app`; the one that was given puts its action into `chosen`.
void add_policy_commands(CLI::App& app, Context& context, Action& chosen);
void add_explain_command(CLI::App& app, Context& context, Action& chosen);
void add_prove_command(CLI::App& app, Context& context, Action& chosen);
void add_replay_command(CLI::App& app, Context& context, Action& chosen);
void add_reference_commands(CLI::App& app, Context& context, Action& chosen);
void add_doctor_command(CLI::App& app, Context& context, Action& chosen);
void add_live_commands(CLI::App& app, Context& context, Action& chosen);
void add_stats_commands(CLI::App& app, Context& context, Action& chosen);
void add_approve_command(CLI::App& app, Context& context, Action& chosen);
void add_audit_command(CLI::App& app, Context& context, Action& chosen);
void add_block_commands(CLI::App& app, Context& context, Action& chosen);
void add_capture_command(CLI::App& app, Context& context, Action& chosen);
void add_change_commands(CLI::App& app, Context& context, Action& chosen);
void add_revision_commands(CLI::App& app, Context& context, Action& chosen);
void add_completion_command(CLI::App& app, Context& context, Action& chosen);

}  // namespace meiguan::cli
