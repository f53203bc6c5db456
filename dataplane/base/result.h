#pragma once

#include <expected>
#include <string>
#include <utility>

#include "dataplane/base/text.h"

namespace meiguan {

// Why an operation outside the fast path failed: what is, what should be, what to do.
struct Error {
  Text message;
};

template <typename T>
using Result = std::expected<T, Error>;

[[nodiscard]] inline std::unexpected<Error> fail(std::string english, std::string chinese) {
  return std::unexpected<Error>{Error{Text{std::move(english), std::move(chinese)}}};
}

}  // namespace meiguan
