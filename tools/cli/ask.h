#pragma once

#include <boost/json/object.hpp>
#include <chrono>
#include <expected>

#include "tools/cli/context.h"

namespace meiguan::cli {

inline constexpr std::chrono::seconds kAskSeconds{15};
inline constexpr std::chrono::seconds kLoadSeconds{600};  // a province is compiled

// Asks meiguan-controld. The answer without its "ok", or, after a message, the exit code where
// there is none to show.
[[nodiscard]] std::expected<boost::json::object, int> ask(
    const Context& context, const boost::json::object& request,
    std::chrono::seconds timeout = kAskSeconds);

}  // namespace meiguan::cli
