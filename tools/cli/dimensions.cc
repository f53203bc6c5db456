#include "tools/cli/dimensions.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>

#include "controlplane/policy/message.h"
#include "controlplane/policy/suggest.h"

namespace meiguan::cli {
namespace {

std::unexpected<Error> none_of_them(std::string_view option, std::string_view word) {
  std::string all;
  for (const auto name : store::kDimensionNames) {
    all += (all.empty() ? "" : ", ") + std::string{name};
  }
  const auto shown = policy::printable(word);
  const auto hint = policy::near_hint(word, store::kDimensionNames);
  const auto with = [](const std::string& text, std::string_view between, const std::string& more) {
    return more.empty() ? text : text + std::string{between} + more;
  };
  return fail(with(fmt::format("{}: `{}` is none of {}", option, shown, all), "; ", hint.english),
              with(fmt::format("{}：`{}` 不是以下之一：{}", option, shown, all), "；",
                   hint.chinese));
}

}  // namespace

Result<std::vector<store::Dimension>> dimensions_of(std::string_view option,
                                                    std::string_view words) {
  std::vector<store::Dimension> result;
  for (std::size_t from = 0; from < words.size();) {
    const auto end = std::min(words.find(',', from), words.size());
    const auto word = words.substr(from, end - from);
    from = end + 1;
    if (word.empty()) continue;
    const auto found = std::ranges::find(store::kDimensionNames, word);
    if (found == store::kDimensionNames.end()) return none_of_them(option, word);
    result.push_back(static_cast<store::Dimension>(found - store::kDimensionNames.begin()));
  }
  return result;
}

}  // namespace meiguan::cli
