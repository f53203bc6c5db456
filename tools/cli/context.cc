#include "tools/cli/context.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <utility>

namespace meiguan::cli {
namespace {

constexpr std::array<std::pair<std::string_view, Format>, 6> kFormats{{{"table", Format::kTable},
                                                                       {"json", Format::kJson},
                                                                       {"jsonl", Format::kJsonl},
                                                                       {"csv", Format::kCsv},
                                                                       {"junit", Format::kJunit},
                                                                       {"sarif", Format::kSarif}}};

}  // namespace

std::optional<Format> Context::format(std::initializer_list<Format> allowed) const {
  if (format_name.empty()) return *allowed.begin();
  std::string known;
  for (const auto& [name, value] : kFormats) {
    const bool has = std::find(allowed.begin(), allowed.end(), value) != allowed.end();
    if (has && name == format_name) return value;
    if (has) known += (known.empty() ? "" : ", ") + std::string{name};
  }
  complain(*this, {fmt::format("this command has no format `{}`; it has: {}", format_name, known),
                   fmt::format("该命令没有 `{}` 格式；可用：{}", format_name, known)});
  return std::nullopt;
}

void complain(const Context& context, const Text& text) {
  const bool chinese = context.language == Language::kChinese;
  const char* const red = context.colour_errors ? "\033[1;31m" : "";
  const char* const plain = context.colour_errors ? "\033[0m" : "";
  std::fprintf(stderr, "%s: %s%s%s%s\n", context.program.c_str(), red,
               chinese ? "错误：" : "error: ", plain, context.tr(text).c_str());
}

void note(const Context& context, const Text& text) {
  std::fprintf(stderr, "%s\n", context.tr(text).c_str());
}

}  // namespace meiguan::cli
