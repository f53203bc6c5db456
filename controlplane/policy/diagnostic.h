#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "dataplane/base/text.h"

namespace meiguan::policy {

// One thing that is wrong in a file, as a compiler would say it.
struct Diagnostic {
  std::string file;         // relative to the policy's directory; the gateway file's base name
  std::uint32_t line{0};    // 1-based; 0 where the file as a whole is meant
  std::uint32_t column{0};  // 1-based, in characters
  std::uint32_t length{1};  // characters to underline
  std::string source_line;  // the text of the line, for the caret display; may be empty
  Text message;             // what is, what should be; lower case, no final period
  Text hint;                // what to do; may be empty
};

using Diagnostics = std::vector<Diagnostic>;

// `file:line:col: error: message`, the source line, carets, `hint: ...`; colour by ANSI codes.
// Column positions count display cells, so that carets stand right under Chinese text.
[[nodiscard]] std::string render(const Diagnostic& diagnostic, Language language, bool colour);

}  // namespace meiguan::policy
