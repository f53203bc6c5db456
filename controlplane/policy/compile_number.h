#pragma once

// The numbers that stripes, blocks, outcomes and branches have in an image: in the order in which
// one comes to them from the first row on. So they say nothing of how the matrix was worked out,
// and what no row leads to is left out.

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "dataplane/image/format.h"

namespace meiguan::policy {

struct Numbered {
  std::vector<std::uint32_t> stripes;  // blocks, kStripeBlocks for each
  std::vector<image::Cell> cells;      // kBlockColumns for each block
  std::vector<image::Branch> branches;
  std::vector<std::uint32_t> outcomes;  // by new number, the old one
};

// Renumbers `rows`, the stripes of each row in turn. `stripe` gives the blocks of one, `cells`
// those of all blocks; they lead to `branches` and outcomes.
[[nodiscard]] Numbered number_cells(
    std::vector<std::uint32_t>& rows,
    const std::function<std::span<const std::uint32_t>(std::uint32_t)>& stripe,
    const std::vector<image::Cell>& cells, const std::vector<image::Branch>& branches);

}  // namespace meiguan::policy
