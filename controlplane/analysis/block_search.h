#pragma once

// The search of policy.md, "Which one wins", over one block of the matrix, with an account of every
// rule: what it matches, what it decides, what is decided in the end. The compiler's own search
// (compile_block.h) answers with the outcome alone; this one is for who asks of rules. All columns
// of the block are searched at once, a bit for each.

#include <cstdint>
#include <span>
#include <vector>

#include "controlplane/policy/compile_scope.h"
#include "controlplane/policy/compile_trace.h"
#include "controlplane/policy/model.h"

namespace meiguan::analysis {

using policy::ColumnMask;

// The two ways in which isolation lets the rules be asked.
enum class Mode : std::uint8_t { kRules, kService };

class BlockSearch {
 public:
  BlockSearch(const policy::CheckedPolicy& policy, const policy::RuleOrder& order)
      : policy_{policy}, order_{order} {}

  // `candidates` ascend by position and may meet the block: each matches a column there that its
  // node's scope may cover.
  void begin(const policy::BlockColumns& block, std::span<const policy::Candidate> candidates);

  // Searches as if of the candidates those alone were there whose `is_there` is not 0; what is in
  // none of the `open` columns is left out.
  void run(Mode mode, std::span<const std::uint8_t> is_there, ColumnMask open);

  [[nodiscard]] std::size_t size() const { return entries_.size(); }
  [[nodiscard]] const policy::Rule& rule(std::size_t i) const {
    return order_.at(entries_[i].position);
  }
  [[nodiscard]] std::uint32_t position(std::size_t i) const { return entries_[i].position; }
  // Where `from`, `to`, `ports` and the scope match, whatever isolation says.
  [[nodiscard]] ColumnMask in_scope(std::size_t i) const { return entries_[i].scope; }
  // Where the rule counts as matching in a mode: an allow may be passed over for want of a service,
  // or be mandatory outside its subtree.
  [[nodiscard]] ColumnMask matched(std::size_t i, Mode mode) const;
  // Where a service that the rule names is not published.
  [[nodiscard]] ColumnMask unpublished(std::size_t i) const { return entries_[i].unpublished; }
  // Where an allow is mandatory outside its subtree.
  [[nodiscard]] ColumnMask outside(std::size_t i) const {
    return entries_[i].scope & ~entries_[i].subtree;
  }

  // After run(): where candidate `i` decides; of an audit, where the search comes past it.
  [[nodiscard]] ColumnMask decides(std::size_t i) const { return decides_[i]; }
  // Where it is its own node's first match of the local phase.
  [[nodiscard]] ColumnMask first_of_node(std::size_t i) const { return first_[i]; }
  [[nodiscard]] ColumnMask allowed() const { return allowed_; }
  // Of `allowed`, where every service that the deciding rule names is published.
  [[nodiscard]] ColumnMask allowed_published() const { return published_; }
  [[nodiscard]] ColumnMask denied() const { return denied_; }

  // The candidates in the order in which the search asks them in one column: by phase, by the turns
  // of the nodes, within a node by line.
  [[nodiscard]] std::vector<std::size_t> order_in(std::size_t column) const;

 private:
  struct Entry {
    std::uint32_t position{0};
    ColumnMask scope{0};
    ColumnMask service{0};  // of `scope`, where it names the destination by service
    ColumnMask unpublished{0};
    ColumnMask subtree{0};  // where a mandatory allow may apply; all columns for other rules
  };
  // One node's rules of one phase, with its turn in some of the columns.
  struct Turn {
    std::size_t first;  // entries
    std::size_t end;
    ColumnMask columns;
  };

  void add_turns(std::size_t phase);
  void search(const Turn& turn, Mode mode, std::span<const std::uint8_t> is_there);
  void local(const Turn& turn, Mode mode, std::span<const std::uint8_t> is_there, ColumnMask open);
  void decide(std::size_t i, ColumnMask columns);

  const policy::CheckedPolicy& policy_;
  const policy::RuleOrder& order_;
  const policy::BlockColumns* block_{};
  std::vector<Entry> entries_;
  std::vector<std::uint32_t> covers_source_;  // by entry
  std::array<std::vector<Turn>, policy::kPhases> turns_;
  std::vector<ColumnMask> decides_;
  std::vector<ColumnMask> first_;
  ColumnMask undecided_{0};
  ColumnMask allowed_{0};
  ColumnMask published_{0};
  ColumnMask denied_{0};
};

}  // namespace meiguan::analysis
