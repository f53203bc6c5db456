#include "controlplane/policy/format_policy.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "controlplane/policy/format_toml.h"
#include "controlplane/policy/message.h"
#include "controlplane/policy/reporter.h"
#include "controlplane/policy/source.h"
#include "controlplane/policy/toml_document.h"

namespace meiguan::policy {
namespace {

bool same(const TomlValue& a, const TomlValue& b);

bool same(const std::vector<TomlMember>& a, const std::vector<TomlMember>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const TomlMember& one, const TomlMember& other) {
                      return one.key == other.key && same(one.value, other.value);
                    });
}

bool same(const TomlValue& a, const TomlValue& b) {
  return a.kind == b.kind && a.text == b.text && a.integer == b.integer && a.boolean == b.boolean &&
         a.has_fraction == b.has_fraction && a.offset_seconds == b.offset_seconds &&
         std::equal(a.items.begin(), a.items.end(), b.items.begin(), b.items.end(),
                    [](const TomlValue& one, const TomlValue& other) {
                      return same(one, other);
                    }) &&
         same(a.members, b.members);
}

bool same(const TomlTable& a, const TomlTable& b) {
  return a.name == b.name && a.is_array == b.is_array && same(a.members, b.members);
}

std::vector<TomlTable> tables_of(std::uint32_t file, std::string_view text, Reporter& reporter) {
  std::vector<TomlTable> tables;
  for_each_table(file, text, reporter, [&](const TomlTable& table) { tables.push_back(table); });
  return tables;
}

std::optional<std::string> format_file(std::uint32_t file, std::string_view text,
                                       Reporter& reporter) {
  const auto before = tables_of(file, text, reporter);
  if (reporter.has_errors()) return std::nullopt;
  auto formatted = format_toml(text);
  if (!formatted) {
    auto error = std::move(formatted.error());
    error.place.file = file;
    reporter.error(error.place, std::move(error.message));
    return std::nullopt;
  }
  const std::vector<SourceFile> alone{{"", *formatted}};
  Reporter own{alone};
  const auto after = tables_of(0, *formatted, own);
  const bool kept = !own.has_errors() &&
                    std::equal(before.begin(), before.end(), after.begin(), after.end(),
                               [](const auto& a, const auto& b) { return same(a, b); });
  if (!kept) {
    reporter.error(Place{file, 1, 1},
                   say("the formatted text would not say the same", "格式化后内容会改变"));
    return std::nullopt;
  }
  return std::move(*formatted);
}

std::expected<std::vector<FormattedFile>, Diagnostics> format(PolicySource& source,
                                                              Reporter& reporter) {
  std::vector<FormattedFile> result;
  for (std::uint32_t i = 0; i < source.files.size() && !reporter.is_full(); ++i) {
    Reporter one{source.files};
    auto& file = source.files[i];
    auto after = format_file(i, file.text, one);
    if (after) {
      result.push_back({file.path, file.text, std::move(*after)});
      continue;
    }
    for (auto& wrong : one.take()) {
      reporter.error(Place{i, wrong.line, wrong.column}, std::move(wrong.message),
                     std::move(wrong.hint));
    }
  }
  if (reporter.has_errors()) return std::unexpected{reporter.take()};
  return result;
}

}  // namespace

std::expected<std::vector<FormattedFile>, Diagnostics> format_policy(
    const std::filesystem::path& path) {
  PolicySource source;
  Reporter reporter{source.files};
  read_source(path, source, reporter);
  return format(source, reporter);
}

std::expected<std::string, Diagnostics> format_policy_text(std::string_view name,
                                                           std::string_view text) {
  PolicySource source;
  Reporter reporter{source.files};
  read_source_text(name, text, source, reporter);
  auto result = format(source, reporter);
  if (!result) return std::unexpected{std::move(result.error())};
  return std::move(result->front().after);
}

}  // namespace meiguan::policy
