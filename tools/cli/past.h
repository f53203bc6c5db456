#pragma once

// Questions about time that has passed, put to meiguan-controld and shown.

#include <string>
#include <vector>

#include "tools/cli/context.h"

namespace CLI {
class App;
}

namespace meiguan::cli {

// --since, --until, --step, --by, --filter, --node as they were given.
struct PastOptions {
  std::string since;
  std::string until;
  std::string step;
  std::string by;                    // dimensions, separated by commas
  std::vector<std::string> filters;  // each `key=value`, or several with ` and ` between
  std::string node;

  void add_times(CLI::App& command, const Context& context);
  void add_filter(CLI::App& command, const Context& context);
  void add_node(CLI::App& command, const Context& context);
};

[[nodiscard]] int show_stats(const Context& context, const PastOptions& options);
[[nodiscard]] int show_top_since(const Context& context, const std::string& what,
                                 const PastOptions& options);
[[nodiscard]] int show_past_flows(const Context& context, const PastOptions& options);

}  // namespace meiguan::cli
