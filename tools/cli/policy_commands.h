#pragma once

// The commands below `meiguan policy` that have a file of their own.

#include "tools/cli/context.h"

namespace meiguan::cli {

void add_diff_command(CLI::App& policy, Context& context, Action& chosen);
void add_fmt_command(CLI::App& policy, Context& context, Action& chosen);
void add_show_command(CLI::App& policy, Context& context, Action& chosen);
void add_lint_command(CLI::App& policy, Context& context, Action& chosen);
void add_grep_command(CLI::App& policy, Context& context, Action& chosen);
void add_policy_test_command(CLI::App& policy, Context& context, Action& chosen);
void add_bundle_apply_command(CLI::App& bundle, Context& context, Action& chosen);
void add_bundle_command(CLI::App& policy, Context& context, Action& chosen);
void add_import_command(CLI::App& policy, Context& context, Action& chosen);

}  // namespace meiguan::cli
