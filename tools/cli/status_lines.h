#pragma once

#include <boost/json/object.hpp>

#include "tools/cli/context.h"
#include "tools/cli/out.h"

namespace meiguan::cli {

// Of an answer to `status`: to whom records are exported, and what goes on that somebody should
// look at; a line each.
void print_exports(const Context& context, const boost::json::object& answer, Out& out);
// What the kernel teaches of routes, where it is asked.
void print_routes(const Context& context, const boost::json::object& answer, Out& out);
void print_alarms(const Context& context, const boost::json::object& answer, Out& out);

}  // namespace meiguan::cli
