#include "tools/cli/context.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <utility>

#include "controlplane/policy/message.h"

namespace meiguan::cli {
namespace {

constexpr std::array<std::pair<std::string_view, Format>, 8> kFormats{{{"table", Format::kTable},
                                                                       {"json", Format::kJson},
                                                                       {"jsonl", Format::kJsonl},
                                                                       {"csv", Format::kCsv},
                                                                       {"junit", Format::kJunit},
                                                                       {"sarif", Format::kSarif},
                                                                       {"md", Format::kMarkdown},
                                                                       {"html", Format::kHtml}}};

}  // namespace

std::optional<Format> Context::format(std::initializer_list<Format> allowed,
                                      std::initializer_list<Format> rows) const {
  const auto names = [](std::initializer_list<Format> forms) {
    std::string text;
    for (const auto& [name, value] : kFormats) {
      if (std::ranges::find(forms, value) == forms.end()) continue;
      text += (text.empty() ? "" : ", ") + std::string{name};
    }
    return text;
  };
  std::optional<Format> chosen;
  if (format_name.empty()) chosen = *allowed.begin();
  for (const auto& [name, value] : kFormats) {
    const bool has = std::ranges::find(allowed, value) != allowed.end();
    if (has && name == format_name) chosen = value;
  }
  if (!chosen) {
    const auto known = names(allowed);
    complain(*this, {fmt::format("this command has no format `{}`; it has: {}", format_name, known),
                     fmt::format("该命令没有 `{}` 格式；可用：{}", format_name, known)});
    return std::nullopt;
  }
  const char* const option = !columns.empty() ? "--columns"
                             : !sort.empty()  ? "--sort"
                             : limit          ? "--limit"
                                              : nullptr;
  if (option != nullptr && std::ranges::find(rows, *chosen) == rows.end()) {
    const auto known = names(rows);
    complain(*this, rows.size() == 0 ? Text{fmt::format("{}: this command prints no rows", option),
                                            fmt::format("{}：该命令不输出表格", option)}
                                     : Text{fmt::format("{}: goes with -o {} here", option, known),
                                            fmt::format("{}：此处仅用于 -o {}", option, known)});
    return std::nullopt;
  }
  return chosen;
}

namespace {

// What was typed, and the names of files, stand in these lines.
std::string shown(const Context& context, const Text& text) {
  return policy::one_line(context.tr(text));
}

}  // namespace

void complain(const Context& context, const Text& text) {
  const bool chinese = context.language == Language::kChinese;
  const char* const red = context.colour_errors ? "\033[1;31m" : "";
  const char* const plain = context.colour_errors ? "\033[0m" : "";
  std::fprintf(stderr, "%s: %s%s%s%s\n", context.program.c_str(), red,
               chinese ? "错误：" : "error: ", plain, shown(context, text).c_str());
}

void note(const Context& context, const Text& text) {
  std::fprintf(stderr, "%s\n", shown(context, text).c_str());
}

}  // namespace meiguan::cli
