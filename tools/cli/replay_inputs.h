#pragma once

// The captures that replay reads.

#include <optional>
#include <string>
#include <vector>

#include "controlplane/analysis/replay.h"
#include "controlplane/lifecycle/bundle.h"
#include "tools/cli/context.h"

namespace meiguan::cli {

// A capture and the port it came in by; none: a tap.
struct ReplaySource {
  std::string path;
  PortId port;
};

// What the words PORT=FILE of the command line name; nothing, with a message, where one is wrong.
[[nodiscard]] std::optional<std::vector<ReplaySource>> find_sources(
    const Context& context, const lifecycle::Bundle& bundle, const std::vector<std::string>& in);

// Opens a capture and adds it to `inputs`; a message where it cannot be read.
void open_input(const Context& context, const std::string& path, PortId port,
                std::vector<analysis::ReplayInput>& inputs);

// Says what of a capture could not be judged, or not as it was on the wire; true where packets are
// missing.
[[nodiscard]] bool report_input(const Context& context, const analysis::ReplayInput& input);

// From now on a capture that another program cuts while it is mapped, which has no pages any more
// where the reader is, ends the program with a sentence and exit code 2.
void expect_truncation(const Context& context);

}  // namespace meiguan::cli
