#include "controlplane/policy/compile_number.h"

#include <boost/test/unit_test.hpp>

#include <array>
#include <string>

namespace meiguan::policy {
namespace {

using image::kBranchBit;

constexpr std::size_t kBlock = image::kBlockColumns;

// A matrix as it was worked out: numbers of whatever order, and parts that no row leads to.
struct Made {
  const char* name;
  std::vector<std::uint32_t> rows;
  std::vector<std::vector<std::uint32_t>> stripes;
  std::vector<image::Cell> blocks;  // what each block says in all of its columns
  std::vector<image::Branch> branches;
};

// The same two rows: outcome A; a branch to B where its condition 7 holds, else to A.
const std::array<Made, 3> kMade{{
    {"in order", {0, 1}, {{0}, {1}}, {0, kBranchBit | 0}, {{7, 1, 0, 0}}},
    {"the other way round", {1, 0}, {{0}, {1}}, {kBranchBit | 1, 9}, {{3, 4, 5, 0}, {7, 4, 9, 0}}},
    {"with parts that nothing leads to",
     {2, 5},
     {{0}, {0}, {1}, {2}, {0}, {3}},
     {8, 5, 6, kBranchBit | 0},
     {{7, 2, 5, 0}, {1, 0, 5, 0}}},
}};

BOOST_AUTO_TEST_CASE(numbers_say_nothing_of_how_a_matrix_was_worked_out) {
  for (const Made& made : kMade) {
    std::vector<std::vector<std::uint32_t>> stripes = made.stripes;
    for (auto& stripe : stripes) stripe.resize(image::kStripeBlocks, stripe.front());
    std::vector<image::Cell> cells;
    for (const image::Cell cell : made.blocks) cells.insert(cells.end(), kBlock, cell);
    auto rows = made.rows;
    const Numbered numbered = number_cells(
        rows, [&](std::uint32_t s) -> std::span<const std::uint32_t> { return stripes[s]; }, cells,
        made.branches);
    BOOST_TEST_CONTEXT(made.name) {
      BOOST_TEST(rows == (std::vector<std::uint32_t>{0, 1}));
      BOOST_TEST(numbered.stripes.size() == 2 * image::kStripeBlocks);
      BOOST_TEST(numbered.stripes[image::kStripeBlocks] == 1);
      BOOST_TEST(numbered.cells.size() == 2 * kBlock);
      BOOST_TEST(numbered.cells[0] == 0);
      BOOST_TEST(numbered.cells[kBlock] == kBranchBit);
      BOOST_REQUIRE(numbered.branches.size() == 1);
      BOOST_TEST(numbered.branches[0].condition == 7);
      BOOST_TEST(numbered.branches[0].when_holds == 1);
      BOOST_TEST(numbered.branches[0].otherwise == 0);
      BOOST_TEST(numbered.outcomes.size() == 2);
    }
  }
}

}  // namespace
}  // namespace meiguan::policy
