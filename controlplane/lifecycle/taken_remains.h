#pragma once

// What still tells of the signed policy that was taken, where the record of it is damaged: nothing
// older may come in through the damage.

#include <filesystem>
#include <span>
#include <string_view>

#include "controlplane/lifecycle/trust.h"

namespace meiguan::lifecycle {

// The highest revision of each node that a whole bundle in `directory` has, or that `signature`
// (Admitted::signature, as the revision in force was written down with) names. An id only where a
// whole bundle of that revision is there, and no other one of the same.
[[nodiscard]] TakenByNode remains_of(const std::filesystem::path& directory,
                                     std::string_view signature);

// Whether `bundles` may begin the record anew. Errors: a node of `remains` is missing; a bundle is
// older than what remains, or of the same revision without being the same.
[[nodiscard]] Result<void> check_against(std::span<const SignedBundle> bundles,
                                         const TakenByNode& remains);

}  // namespace meiguan::lifecycle
