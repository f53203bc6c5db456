#pragma once

#include <string>

#include "tools/cli/context.h"

namespace meiguan::cli {

// `replay --cases DIR`: every directory in DIR with an expect.txt or a case.toml is a case; DIR
// itself is one where it has an expect.txt. A case has
//   policy/ or policy.toml, gateway.toml   of its own, or else those in DIR
//   PORT.pcap, PORT.pcapng                 what came in by that port of the gateway
//   expect.txt                             the golden text of --expect; a word `?` stands for any
//   case.toml                              optional: policy, gateway, captures (a directory) and
//                                          expect, as paths relative to it
// With UPDATE_EXPECT=1 what was expected is rewritten, but not of a case that cannot be run.
// Exit codes: 0 all as expected, 1 some are not, 2 one cannot be run.
[[nodiscard]] int run_replay_cases(const Context& context, const std::string& directory);

}  // namespace meiguan::cli
