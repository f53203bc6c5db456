// meiguan completion bash|zsh|fish: the words of the command line, from the command line itself.

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "tools/cli/context.h"
#include "tools/cli/out.h"

namespace meiguan::cli {
namespace {

// The words that an option takes, where they are a closed set: CLI11 has them in the name of the
// type, "TEXT:{en,zh}".
std::vector<std::string> values_of(const CLI::Option& option) {
  const std::string type = option.get_type_name();
  const auto open = type.find('{');
  const auto close = type.rfind('}');
  if (open == type.npos || close == type.npos || close < open) return {};
  std::vector<std::string> values;
  std::string value;
  for (const char c : type.substr(open + 1, close - open - 1)) {
    if (c == ',') {
      values.push_back(std::exchange(value, {}));
    } else if (c != ' ') {
      value += c;
    }
  }
  values.push_back(value);
  return values;
}

std::string join(const std::vector<std::string>& words) {
  std::string text;
  for (const auto& word : words) text += (text.empty() ? "" : " ") + word;
  return text;
}

// The names of an option as they are typed.
std::vector<std::string> names_of(const CLI::Option& option) {
  std::vector<std::string> names;
  for (const auto& name : option.get_lnames()) names.push_back("--" + name);
  for (const auto& name : option.get_snames()) names.push_back("-" + name);
  return names;
}

struct Level {
  std::string path;                // "policy check"
  std::vector<std::string> words;  // subcommands, options, values of arguments
  // What may stand behind an option: `--fail-level`, "warning note never".
  std::vector<std::pair<std::string, std::string>> values;
};

void collect(const CLI::App& app, const std::string& path, const Level& globals,
             std::vector<Level>& levels) {
  Level level = globals;
  level.path = path;
  for (const auto* const option : app.get_options()) {
    const auto values = values_of(*option);
    // An argument without a name.
    if (option->nonpositional()) {
      for (const auto& name : names_of(*option)) {
        if (std::ranges::find(level.words, name) == level.words.end()) level.words.push_back(name);
        if (!values.empty() && !path.empty()) level.values.emplace_back(name, join(values));
      }
    } else {
      level.words.insert(level.words.end(), values.begin(), values.end());
    }
  }
  const auto subcommands = app.get_subcommands([](const CLI::App*) { return true; });
  for (const auto* const sub : subcommands) level.words.push_back(sub->get_name());
  levels.push_back(level);
  for (const auto* const sub : subcommands) {
    collect(*sub, path.empty() ? sub->get_name() : path + " " + sub->get_name(), globals, levels);
  }
}

constexpr std::string_view kBashHead = R"(_meiguan() {
  local word path="" words
  local cur="${COMP_WORDS[COMP_CWORD]}"
  for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "$word" in -*) ;; *)
      case "${path:+$path }$word" in
)";
constexpr std::string_view kBashMiddle = R"(        path="${path:+$path }$word" ;;
      esac ;;
    esac
  done
  case "$path" in
)";
constexpr std::string_view kBashValues = R"(  esac
  case "$path ${COMP_WORDS[COMP_CWORD-1]}" in
)";
constexpr std::string_view kBashTail = R"(  esac
  COMPREPLY=($(compgen -W "$words" -- "$cur"))
  [ ${#COMPREPLY[@]} -eq 0 ] && COMPREPLY=($(compgen -f -- "$cur"))
}
complete -o filenames -F _meiguan meiguan
)";

void print_bash(const std::vector<Level>& levels, Out& out) {
  out.write(kBashHead);
  std::string patterns;
  for (const auto& level : levels) {
    if (!level.path.empty()) patterns += (patterns.empty() ? "\"" : "|\"") + level.path + "\"";
  }
  out.line("      " + patterns + ")");
  out.write(kBashMiddle);
  for (const auto& level : levels) {
    out.line(fmt::format("    \"{}\") words=\"{}\" ;;", level.path, join(level.words)));
  }
  out.write(kBashValues);
  for (const auto& level : levels) {
    for (const auto& [option, values] : level.values) {
      out.line(fmt::format("    \"{} {}\") words=\"{}\" ;;", level.path, option, values));
    }
  }
  out.write(kBashTail);
}

void print_fish(const CLI::App& app, const std::string& parent, Out& out) {
  const auto condition = parent.empty() ? std::string{"__fish_use_subcommand"}
                                        : "__fish_seen_subcommand_from " + parent;
  for (const auto* const option : app.get_options()) {
    const auto values = values_of(*option);
    const auto where = parent.empty() ? std::string{} : "-n '" + condition + "' ";
    for (const auto& name : option->get_lnames()) {
      out.line(fmt::format("complete -c meiguan {}-l {}{}", where, name,
                           values.empty() ? "" : " -x -a '" + join(values) + "'"));
    }
    if (!option->nonpositional() && !values.empty()) {
      out.line(fmt::format("complete -c meiguan -f {}-a '{}'", where, join(values)));
    }
  }
  for (const auto* const sub : app.get_subcommands([](const CLI::App*) { return true; })) {
    out.line(fmt::format("complete -c meiguan -f -n '{}' -a {} -d '{}'", condition, sub->get_name(),
                         sub->get_description()));
    print_fish(*sub, sub->get_name(), out);
  }
}

int completion(const CLI::App& app, const std::string& shell) {
  Out out;
  if (shell == "fish") {
    print_fish(app, "", out);
    return kYes;
  }
  Level globals;
  for (const auto* const option : app.get_options()) {
    const auto values = values_of(*option);
    for (const auto& name : names_of(*option)) {
      globals.words.push_back(name);
      if (!values.empty()) globals.values.emplace_back(name, join(values));
    }
  }
  std::vector<Level> levels;
  collect(app, "", globals, levels);
  if (shell == "zsh") {
    out.line("autoload -U +X compinit && compinit");
    out.line("autoload -U +X bashcompinit && bashcompinit");
  }
  print_bash(levels, out);
  return kYes;
}

}  // namespace

void add_completion_command(CLI::App& app, Context& context, Action& chosen) {
  auto* const command = app.add_subcommand("completion",
                                           context.tr("print a completion script for a shell",
                                                      "输出命令补全脚本"));
  auto shell = std::make_shared<std::string>();
  command->add_option("SHELL", *shell, context.tr("bash, zsh or fish", "bash、zsh 或 fish"))
      ->required()
      ->check(CLI::IsMember({"bash", "zsh", "fish"}));
  command->callback(
      [&app, &chosen, shell] { chosen = [&app, shell] { return completion(app, *shell); }; });
}

}  // namespace meiguan::cli
