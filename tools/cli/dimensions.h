#pragma once

#include <string_view>
#include <vector>

#include "controlplane/store/row.h"
#include "dataplane/base/result.h"

namespace meiguan::cli {

// "unit,verdict": what rows are told apart by. Errors: a word that is none of kDimensionNames, with
// the nearest of them; `option` is what the message calls the words ("--by").
[[nodiscard]] Result<std::vector<store::Dimension>> dimensions_of(std::string_view option,
                                                                  std::string_view words);

}  // namespace meiguan::cli
