#pragma once

#include <string>
#include <vector>

#include "dataplane/base/result.h"
#include "dataplane/channel/capture.h"

namespace meiguan::cli {

inline constexpr std::size_t kMaxFilterBytes = 1024;

// A pcap filter (pcap-filter(7)) of Ethernet frames as a program; empty text: no instructions, all
// frames. Compiled here, by whoever asks, so that no daemon ever parses it. Errors: the text is too
// long, is no filter, or the program is longer than a worker runs.
[[nodiscard]] Result<std::vector<channel::CaptureInstruction>> compile_filter(
    const std::string& text);

}  // namespace meiguan::cli
