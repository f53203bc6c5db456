#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

#include "controlplane/lifecycle/bundle.h"
#include "dataplane/image/block_list.h"
#include "dataplane/image/bytes.h"
#include "tools/cli/context.h"

namespace meiguan::cli {

// The diagnostics as a compiler would print them, and how many there were, on stderr.
void report(const Context& context, const policy::Diagnostics& diagnostics);

// The same with other last words than "nothing was loaded".
void report_refusal(const Context& context, const policy::Diagnostics& diagnostics,
                    const Text& outcome);

// Loads, checks and compiles; null, with everything that is wrong on stderr, where that fails.
// Assertions are left undecided unless it is said how.
[[nodiscard]] std::unique_ptr<const lifecycle::Bundle> load(
    const Context& context, const std::filesystem::path& policy,
    const std::filesystem::path& gateway,
    lifecycle::DecideAssertions assertions = lifecycle::kLeaveUndecided);

// The instant that --at names, now where it is empty; nothing, told of on stderr, where it is none.
// `offsets` are the policy's wall clock.
[[nodiscard]] std::optional<std::int64_t> instant_of(const Context& context,
                                                     std::span<const image::UtcOffset> offsets,
                                                     std::string_view at);

// A block list as the data plane has it; `list` is a view of `bytes`.
struct LoadedBlocks {
  image::AlignedBytes bytes;
  image::BlockList list;
};
// Of a file as `block export` writes it; nothing, with everything that is wrong on stderr, where it
// cannot be read. Entries that have ended stay: they are asked by the time of the packets.
[[nodiscard]] std::optional<LoadedBlocks> load_blocks(const Context& context,
                                                      const std::string& file,
                                                      std::span<const image::UtcOffset> offsets);

}  // namespace meiguan::cli
