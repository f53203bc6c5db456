#pragma once

// The rows of the matrix: which block every source class has for every kBlockColumns target
// classes, and the stripes of blocks in which an image keeps them.

#include <cstdint>
#include <deque>
#include <span>
#include <vector>

#include "controlplane/policy/compile_block_store.h"
#include "controlplane/policy/compile_columns.h"

namespace meiguan::policy {

class RowFiller {
 public:
  // Everything referred to outlives it.
  RowFiller(const CheckedPolicy& policy, const Blocks& blocks, BlockStore& store);

  // Adds the row of one source class, which matches `lists` of sources, ascending, and whose
  // ruling node is `node` (none without a unit).
  void add(std::span<const std::uint32_t> lists, NodeId node);

  // The stripes of each row in turn, and the blocks of each stripe; a row's last stripe is filled
  // up with its last block.
  [[nodiscard]] std::uint32_t stripes_per_row() const;
  [[nodiscard]] std::vector<std::uint32_t> take_rows() { return std::move(rows_); }
  [[nodiscard]] std::span<const std::uint32_t> stripe(std::uint32_t number) const {
    return stripes_.list(number);
  }

 private:
  // The row of wide rules alone.
  struct Base {
    std::vector<Match> matches;         // of all blocks
    std::vector<std::uint32_t> ends;    // by block: where its matches end
    std::vector<std::uint32_t> blocks;  // with those that fill the last stripe up
    std::vector<std::uint32_t> stripes;
    [[nodiscard]] std::span<const Match> of(std::size_t block) const {
      const std::size_t first = block == 0 ? 0 : ends[block - 1];
      return std::span{matches}.subspan(first, ends[block] - first);
    }
  };
  // What was asked last of a block: rows that follow one another mostly ask the same.
  struct Asked {
    std::uint32_t base{image::kNone};
    NodeId node;
    std::vector<const Blocks::Part*> parts;
    std::uint32_t number{0};
  };

  void sort_lists(std::span<const std::uint32_t> lists);
  void enter_node(NodeId node);
  [[nodiscard]] std::uint32_t base_of(std::span<const std::uint32_t> lists);
  [[nodiscard]] Base make_base(std::span<const std::uint32_t> wide);
  [[nodiscard]] std::uint32_t block_number(std::uint32_t base, std::uint32_t block);
  [[nodiscard]] std::uint32_t stripe_number(std::span<const std::uint32_t> blocks);
  [[nodiscard]] bool covers(NodeId node) const { return covers_[node.index()] != 0; }

  const CheckedPolicy& policy_;
  const Blocks& blocks_;
  BlockStore& store_;
  ListInterner<std::uint32_t> wide_lists_;  // node, then the lists of a row that have wide rules
  std::vector<std::uint32_t> base_of_wide_lists_;
  ListInterner<std::uint32_t> wide_rules_;  // wide rules, each with whether it covers the source
  std::deque<Base> bases_;                  // by number of wide_rules_
  ListInterner<std::uint32_t> stripes_;
  std::vector<std::uint32_t> rows_;
  // Of the row in hand.
  NodeId node_;
  std::vector<std::uint8_t> covers_;                     // by NodeId: at or above the row's
  std::vector<std::vector<const Blocks::Part*>> parts_;  // by block
  std::vector<std::uint32_t> touched_;  // the blocks of which it is not empty, ascending
  std::vector<Match> narrow_;
  std::vector<Match> matches_;
  std::vector<std::uint32_t> words_;
  std::vector<std::uint32_t> stripe_;
  std::vector<Asked> asked_;  // by block
};

}  // namespace meiguan::policy
