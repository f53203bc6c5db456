#pragma once

// How CLI11 speaks to people: help and usage errors in the language of the messages, with the word
// that was probably meant.

#include <CLI/CLI.hpp>

#include "dataplane/base/text.h"
#include "tools/cli/context.h"

namespace meiguan::cli {

// Before commands and options are added to `app`, which hand it down.
void set_language(CLI::App& app, Language language);

// On stderr: what is wrong, the near word where there is one, whose --help to ask.
void complain_of_usage(const Context& context, const CLI::App& app, const CLI::ParseError& error);

}  // namespace meiguan::cli
