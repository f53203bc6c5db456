#include "tools/cli/usage.h"

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "controlplane/policy/suggest.h"
#include "tools/cli/width.h"

namespace meiguan::cli {
namespace {

std::string replaced(std::string text, std::string_view word, std::string_view instead) {
  for (std::size_t at = text.find(word); at != text.npos;
       at = text.find(word, at + instead.size())) {
    text.replace(at, word.size(), instead);
  }
  return text;
}

// CLI11's help with Chinese labels, in columns that count cells and not bytes.
class ChineseFormatter : public CLI::Formatter {
 public:
  std::string make_option(const CLI::Option* option, bool is_positional) const override {
    return row(make_option_name(option, is_positional) + make_option_opts(option),
               make_option_desc(option));
  }
  std::string make_group(std::string group, bool is_positional,
                         std::vector<const CLI::Option*> options) const override {
    return CLI::Formatter::make_group(group == "Options" ? "选项" : std::move(group), is_positional,
                                      std::move(options));
  }
  std::string make_subcommand(const CLI::App* command) const override {
    return row(command->get_display_name(true), command->get_description());
  }
  std::string make_option_opts(const CLI::Option* option) const override {
    std::string text = CLI::Formatter::make_option_opts(option);
    constexpr std::array<std::pair<std::string_view, std::string_view>, 6> kWords{
        {{"TEXT", "文本"},
         {"UINT", "数"},
         {"REQUIRED", "必需"},
         {"(Env:", "（环境变量 "},
         {"Excludes: ", "不能同用："},
         {"Needs: ", "须同用："}}};
    for (const auto& [word, instead] : kWords) text = replaced(std::move(text), word, instead);
    return option->get_envname().empty() ? text : replaced(std::move(text), ")", "）");
  }
  std::string make_usage(const CLI::App* app, std::string name) const override {
    std::string text = CLI::Formatter::make_usage(app, std::move(name));
    constexpr std::array<std::pair<std::string_view, std::string_view>, 4> kWords{
        {{"Usage: ", "用法："},
         {"[OPTIONS]", "[选项]"},
         {"SUBCOMMANDS", "命令"},
         {"SUBCOMMAND", "命令"}}};
    for (const auto& [word, instead] : kWords) text = replaced(std::move(text), word, instead);
    return text;
  }

 private:
  [[nodiscard]] std::string row(const std::string& name, const std::string& description) const {
    std::string text = pad("  " + name, get_column_width(), false);
    if (description.empty()) return text + "\n";
    if (display_width("  " + name) >= get_column_width()) {
      text += "\n" + std::string(get_column_width(), ' ');
    }
    return text + description + "\n";
  }
};

// The command that was given, as far as its words are known.
const CLI::App* deepest(const CLI::App& app) {
  const CLI::App* at = &app;
  for (auto given = at->get_subcommands(); !given.empty(); given = at->get_subcommands()) {
    at = given.back();
  }
  return at;
}

std::string path_of(const CLI::App* app) {
  std::string path;
  for (; app != nullptr; app = app->get_parent()) {
    path = app->get_name() + (path.empty() ? "" : " ") + path;
  }
  return path;
}

// "did you mean `--policy`?" for the first word that was not understood; empty where nothing is
// near.
Text near_word(const CLI::App& app) {
  const auto words = app.remaining(true);
  if (words.empty()) return {};
  const std::string word = words.front().substr(0, words.front().find('='));
  policy::Nearest nearest{word};
  for (const CLI::App* at = deepest(app); at != nullptr; at = at->get_parent()) {
    for (const auto* const option : at->get_options()) {
      for (const auto& name : option->get_lnames()) nearest.offer("--" + name);
    }
  }
  for (const auto* const command :
       deepest(app)->get_subcommands([](const CLI::App*) { return true; })) {
    nearest.offer(command->get_name());
  }
  return nearest.hint();
}

// CLI11's sentences, by what stands before, between and behind the words that are the user's.
struct Sentence {
  std::string_view before;
  std::string_view between;
  std::string_view behind;
  std::string_view chinese;  // {0}, {1}
};
constexpr std::array<Sentence, 9> kSentences{
    {{"The following arguments were not expected: ", {}, {}, "多余或不认识的参数：{0}"},
     {"The following argument was not expected: ", {}, {}, "多余或不认识的参数：{0}"},
     {"A subcommand is required", {}, {}, "缺少命令"},
     {"Could not convert: ", " = ", {}, "{0} 的值无法识别：{1}"},
     {{}, " not in ", {}, "{0} 不在允许的值之内：{1}"},
     {{}, " excludes ", {}, "{0} 不能与 {1} 同用"},
     {{}, " requires ", {}, "{0} 须与 {1} 同用"},
     {{}, {}, " is required", "缺少必需的参数：{0}"},
     {{}, ": 1 required ", " missing", "{0} 缺少值（{1}）"}}};

std::string in_chinese(std::string_view english) {
  for (const auto& sentence : kSentences) {
    std::string_view text = english;
    if (!text.starts_with(sentence.before) || !text.ends_with(sentence.behind)) continue;
    if (text.size() < sentence.before.size() + sentence.behind.size()) continue;
    text.remove_prefix(sentence.before.size());
    text.remove_suffix(sentence.behind.size());
    const auto at = sentence.between.empty() ? text.size() : text.find(sentence.between);
    if (at == text.npos) continue;
    const auto rest = sentence.between.empty() ? std::string_view{}
                                               : text.substr(at + sentence.between.size());
    return replaced(replaced(std::string{sentence.chinese}, "{0}", text.substr(0, at)), "{1}",
                    rest);
  }
  return "用法不对：" + std::string{english};
}

}  // namespace

void set_language(CLI::App& app, Language language) {
  if (language != Language::kChinese) return;
  auto formatter = std::make_shared<ChineseFormatter>();
  formatter->label("Positionals", "参数");
  app.formatter(formatter);
  app.group("命令");
}

void complain_of_usage(const Context& context, const CLI::App& app, const CLI::ParseError& error) {
  complain(context, {error.what(), in_chinese(error.what())});
  if (const Text near = near_word(app); !near.english.empty()) note(context, near);
  const auto path = path_of(deepest(app));
  note(context,
       {fmt::format("try `{} --help`", path), fmt::format("可用 `{} --help` 查看用法", path)});
}

}  // namespace meiguan::cli
