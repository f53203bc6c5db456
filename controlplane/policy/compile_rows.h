#pragma once

// The rows of the matrix: which block every source class has for every kBlockColumns target
// classes, and the stripes of blocks in which an image keeps them.

#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

#include "controlplane/policy/compile_block_store.h"
#include "controlplane/policy/compile_trace.h"

namespace meiguan::policy {

struct Blocks {
  std::vector<BlockColumns> columns;
  std::vector<std::vector<std::uint32_t>> of_rule;  // blocks that a rule touches, by position
};

class RowFiller {
 public:
  // Everything referred to outlives it.
  RowFiller(const CheckedPolicy& policy, const RuleOrder& order, const Blocks& blocks,
            BlockStore& store);

  // Adds the row of one source class.
  void add(const CompileTrace::Row& row);

  // The stripes of each row in turn, and the blocks of each stripe; a row's last stripe is filled
  // up with block 0.
  [[nodiscard]] std::uint32_t stripes_per_row() const;
  [[nodiscard]] std::vector<std::uint32_t> take_rows() { return std::move(rows_); }
  [[nodiscard]] std::vector<std::uint32_t> stripes() const;

 private:
  // Whether a rule matches some column of a block and its scope covers one with it.
  enum class Touch : std::uint8_t { kNever, kByTheSource, kAlways };
  [[nodiscard]] static bool meets(Touch touch, const Candidate& candidate) {
    return touch == Touch::kAlways ||
           (touch == Touch::kByTheSource && candidate.covers_source != 0);
  }
  using Stripe = std::array<std::uint32_t, image::kStripeBlocks>;
  // The row of wide rules alone.
  struct Base {
    std::vector<std::vector<Candidate>> candidates;  // by block: which of them meet it
    std::vector<std::uint32_t> blocks;               // with those that fill the last stripe up
    std::vector<std::uint32_t> stripes;
  };
  // What was asked last of a block: rows that follow one another mostly ask the same.
  struct Asked {
    const Base* base{nullptr};
    std::vector<Candidate> narrow;
    std::uint32_t number{0};
  };

  void sort_rules(const CompileTrace::Row& row);
  [[nodiscard]] std::uint32_t block_number(const Base& base, std::uint32_t block);
  [[nodiscard]] Base make_base();
  [[nodiscard]] std::uint32_t stripe_number(std::span<const std::uint32_t> blocks);

  const CheckedPolicy& policy_;
  const Blocks& blocks_;
  BlockStore& store_;
  std::vector<NodeId> node_of_rule_;        // by position
  std::vector<std::uint8_t> rule_is_wide_;  // by position
  // By position: of a wide rule by block, of another in the order of its blocks.
  std::vector<std::vector<Touch>> touches_;
  std::unordered_map<std::vector<Candidate>, Base, Hash> bases_;  // by the wide rules of a row
  Interner<Stripe> stripes_;
  std::vector<std::uint32_t> rows_;
  // Of the row in hand.
  std::vector<Candidate> wide_;
  std::vector<std::vector<Candidate>> narrow_;  // by block
  std::vector<std::uint32_t> touched_;          // the blocks of which it is not empty, ascending
  std::vector<Candidate> candidates_;
  std::vector<Asked> asked_;  // by block
};

}  // namespace meiguan::policy
