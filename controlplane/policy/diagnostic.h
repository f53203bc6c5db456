#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "dataplane/base/text.h"

namespace meiguan::policy {

// One thing that is wrong in a file, as a compiler would say it.
struct Diagnostic {
  std::string file;         // relative to the policy's directory; the gateway file's base name
  std::string path;         // as it can be opened from the working directory; may be empty
  std::uint32_t line{0};    // 1-based; 0 where the file as a whole is meant
  std::uint32_t column{0};  // 1-based, in characters
  std::uint32_t length{1};  // characters to underline
  std::string source_line;  // the text of the line, for the caret display; may be empty
  Text message;             // what is, what should be; lower case, no final period
  Text hint;                // what to do; may be empty
};

using Diagnostics = std::vector<Diagnostic>;

// What `file` of the policy at `policy` (a directory or one file) can be opened by.
[[nodiscard]] std::string openable(const std::filesystem::path& policy, const std::string& file);

enum class Severity : std::uint8_t { kError, kWarning, kNote };

// `path:line:col: error: message` (`warning`, `note`), the source line, carets, `hint: ...`; colour
// by ANSI codes. Without a path, the file. Column positions count display cells, so that carets
// stand right under Chinese text.
[[nodiscard]] std::string render(const Diagnostic& diagnostic, Language language, bool colour,
                                 Severity severity = Severity::kError);

}  // namespace meiguan::policy
