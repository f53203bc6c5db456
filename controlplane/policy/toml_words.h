#pragma once

// What the TOML library says is wrong, in both languages.

#include <string_view>

#include "dataplane/base/text.h"

namespace meiguan::policy {

struct TomlWords {
  Text message;
  Text hint;  // may be empty
};

// `description` is the library's: "Error while parsing array: expected comma or closing ']', saw
// 't'". What is not known stays in English, and is called so in Chinese. Characters that a terminal
// would not show as they are come out as \xNN.
[[nodiscard]] TomlWords toml_words(std::string_view parser_said);

}  // namespace meiguan::policy
