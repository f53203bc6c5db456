// meiguan completion bash|zsh|fish: the words of the command line, from the command line itself.

#include <CLI/CLI.hpp>
#include <memory>

#include "tools/cli/context.h"
#include "tools/cli/out.h"

namespace meiguan::cli {
namespace {

struct Level {
  std::string path;   // "policy check"
  std::string words;  // subcommands and options
};

void collect(const CLI::App& app, const std::string& path, const std::string& globals,
             std::vector<Level>& levels) {
  Level level{path, globals};
  const auto add = [&level](const std::string& word) {
    level.words += (level.words.empty() ? "" : " ") + word;
  };
  for (const auto* const option : app.get_options()) {
    for (const auto& name : option->get_lnames()) {
      if (globals.find("--" + name) == std::string::npos) add("--" + name);
    }
  }
  const auto subcommands = app.get_subcommands([](const CLI::App*) { return true; });
  for (const auto* const sub : subcommands) add(sub->get_name());
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
    out.line(fmt::format("    \"{}\") words=\"{}\" ;;", level.path, level.words));
  }
  out.write(kBashTail);
}

void print_fish(const CLI::App& app, const std::string& parent, Out& out) {
  const auto condition = parent.empty() ? std::string{"__fish_use_subcommand"}
                                        : "__fish_seen_subcommand_from " + parent;
  for (const auto* const option : app.get_options()) {
    for (const auto& name : option->get_lnames()) {
      out.line(fmt::format("complete -c meiguan {}-l {}",
                           parent.empty() ? "" : "-n '" + condition + "' ", name));
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
  std::string globals;
  for (const auto* const option : app.get_options()) {
    for (const auto& name : option->get_lnames()) {
      globals += (globals.empty() ? "--" : " --") + name;
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
