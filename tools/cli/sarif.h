#pragma once

// SARIF 2.1.0 (OASIS Standard, 2020), as code scanning reads it.

#include <cstdint>
#include <string>
#include <vector>

#include "tools/cli/out.h"

namespace meiguan::cli {

struct SarifPlace {
  std::string file;         // relative to what was looked at; empty: no place
  std::uint32_t line{0};    // 0: the file as a whole
  std::uint32_t column{0};  // in characters
  std::uint32_t length{0};
  std::string message;  // of a related place
};

struct SarifRule {
  std::string id;
  std::string level;  // error | warning | note
  std::string text;   // one sentence
};

struct SarifResult {
  std::string rule;  // a SarifRule's id
  std::string level;
  std::string text;
  SarifPlace place;
  std::vector<SarifPlace> related;
};

// One run of `meiguan`.
void print_sarif(const std::vector<SarifRule>& rules, const std::vector<SarifResult>& results,
                 Out& out);

}  // namespace meiguan::cli
