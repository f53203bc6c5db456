#pragma once

// Packs of a database, and batches that are in none yet, on their way to an answer.

#include <array>
#include <cstdint>
#include <limits>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "controlplane/store/dictionary.h"
#include "controlplane/store/plan.h"
#include "controlplane/store/store.h"

namespace meiguan::store {

class Gather {
 public:
  // All of them outlive it.
  Gather(const Query& query, const Plan& plan, const OffsetAt& offset);

  // Packs that come now have the numbers of that dictionary, which stays as it is meanwhile.
  void use(const Dictionary& dictionary);
  // Whether packs of single nodes are wanted; else those without places say all.
  [[nodiscard]] bool wants_nodes() const noexcept { return wants_nodes_; }
  // Of these nodes, ascending. Empty: of none.
  [[nodiscard]] const std::vector<std::uint32_t>& nodes() const noexcept { return nodes_; }
  // False: it is no pack, or there are more rows than an answer may have, see overflowed().
  [[nodiscard]] bool add_sums(std::int64_t time, std::string_view pack);
  [[nodiscard]] bool add_watches(std::int64_t time, std::string_view pack);

  // Where the batch lies in the time asked for.
  void add(const Batch& batch);

  [[nodiscard]] bool overflowed() const noexcept { return overflowed_; }
  // Errors: there are more rows than an answer may have.
  [[nodiscard]] Result<Answer> take();

 private:
  struct Cell {
    Sums sums;
    std::int64_t denied{0};
  };
  // What a group counts for; its number is that of a line of the answer.
  struct Line {
    std::uint32_t number{kNoLine};
    bool dropped{false};
  };
  static constexpr std::uint32_t kNoLine = std::numeric_limits<std::uint32_t>::max();

  [[nodiscard]] bool passes(const Key& key) const;
  [[nodiscard]] std::uint32_t line_of(std::vector<std::string> names);
  [[nodiscard]] std::uint32_t node_of(const std::string& name);
  [[nodiscard]] std::int64_t step_of(std::int64_t time) const;
  [[nodiscard]] std::vector<Cell>& cells_at(std::int64_t time);
  [[nodiscard]] std::vector<Watch>& watches_at(std::int64_t time);
  [[nodiscard]] bool grow(std::vector<Cell>& cells, std::size_t line);
  void choose_lines(const Dictionary& dictionary);

  const Query& query_;
  const Plan& plan_;
  const OffsetAt& offset_;
  std::map<std::vector<std::string>, std::uint32_t> numbers_;
  std::vector<const std::vector<std::string>*> names_;
  std::map<std::int64_t, std::vector<Cell>> steps_;
  std::size_t cells_{0};
  bool overflowed_{false};
  Watched watched_;
  std::map<std::string, std::uint32_t> node_numbers_;
  // Of the dictionary in use:
  const Dictionary* dictionary_{nullptr};
  bool wants_nodes_{true};
  std::vector<std::uint32_t> nodes_;
  std::vector<Line> lines_;              // by group
  std::vector<std::uint32_t> watchers_;  // by name, those that pass: where they stand in watched_
  static constexpr std::uint32_t kUnseen = kNoLine - 1;  // passes, and was in no pack so far
};

}  // namespace meiguan::store
