#pragma once

// The rules around the sets of policy_table.h: what a flow's state is asked, and how sets lead from
// a packet to its verdict.

#include <cstdint>

#include "controlplane/host/nft_table.h"

namespace meiguan::kernel {

// `table` has all sets, and the chains `reason_...` that its packets may end in.
void add_policy_rules(host::NftTable& table, std::uint32_t generation);

}  // namespace meiguan::kernel
