#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>

#include "dataplane/base/text.h"

namespace meiguan::policy {

// One sentence in both languages from the same values; `{0}` and so on where their order differs.
template <typename... Args>
[[nodiscard]] Text say(fmt::format_string<const Args&...> english,
                       fmt::format_string<const Args&...> chinese, const Args&... args) {
  return Text{fmt::format(english, args...), fmt::format(chinese, args...)};
}

// `text` fit to stand in one line of output: what has_control() speaks of, and bytes that are not
// UTF-8, as \xNN.
[[nodiscard]] std::string one_line(std::string_view text);

// The same, cut with "..." where it is longer than 80 bytes.
[[nodiscard]] std::string printable(std::string_view text);

// The sentence with which everything marked `intranet` is refused.
[[nodiscard]] Text intranet_refusal();

}  // namespace meiguan::policy
