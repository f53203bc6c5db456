#pragma once

#include <string>

#include "dataplane/base/text.h"

namespace meiguan::runtime {

enum class Level : unsigned char { kDebug, kInfo, kWarning, kError };

// The log goes to standard error, one sentence a line, in one of the two languages.
void set_log(Language language, Level least);
void log(Level level, const Text& text);

inline void log_info(std::string english, std::string chinese) {
  log(Level::kInfo, Text{std::move(english), std::move(chinese)});
}
inline void log_warning(std::string english, std::string chinese) {
  log(Level::kWarning, Text{std::move(english), std::move(chinese)});
}
inline void log_error(std::string english, std::string chinese) {
  log(Level::kError, Text{std::move(english), std::move(chinese)});
}

}  // namespace meiguan::runtime
