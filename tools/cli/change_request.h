#pragma once

// What all commands that change the policy share: what goes along with a change, and what came of
// it.

#include <CLI/CLI.hpp>
#include <boost/json/object.hpp>
#include <string>

#include "tools/cli/context.h"

namespace meiguan::cli {

struct Description {
  std::string ticket;
  std::string comment;
  std::string confirm;
  bool reopen_ports{false};
};
void add_description(CLI::App& command, const Context& context, Description& description);
// Into the request; false, told of, where the time to confirm is none.
[[nodiscard]] bool describe(const Context& context, const Description& description,
                            boost::json::object& request);

// Asks for the change and shows what came of it; the exit code.
[[nodiscard]] int show_change(const Context& context, const boost::json::object& request);

}  // namespace meiguan::cli
