#pragma once

// Names, and groups of names, by numbers, as a database has them: a chunk of each for every
// transaction that brought new ones, so that a hundred thousand groups are read in milliseconds.
//
//   names:  each its length and its bytes
//   groups: each the numbers of its names, in the order of Key::names

#include <array>
#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "controlplane/store/row.h"

namespace meiguan::store {

// Numbers of names; 0: there is none.
using GroupKey = std::array<std::uint32_t, kKeyNames>;

// Of numbers that are small and alike: every bit of each reaches every bit of it.
struct NumbersHash {
  [[nodiscard]] std::size_t operator()(std::span<const std::uint32_t> numbers) const noexcept {
    std::uint64_t hash = numbers.size();
    for (const auto number : numbers) {
      hash = (hash ^ number) * 0x9e37'79b9'7f4a'7c15U;
      hash ^= hash >> 32U;
    }
    return hash;
  }
};

// As it is read.
class Dictionary {
 public:
  Dictionary() : names_(1), groups_(1) {}
  // By number; 0 is the name of none, and no group.
  [[nodiscard]] const std::deque<std::string>& names() const noexcept { return names_; }
  [[nodiscard]] const std::vector<GroupKey>& groups() const noexcept { return groups_; }
  // The chunk that goes on with that number. False: it does not, or it is no chunk.
  [[nodiscard]] bool add_names(std::int64_t first, std::string_view chunk);
  [[nodiscard]] bool add_groups(std::int64_t first, std::string_view chunk);

 protected:
  std::deque<std::string> names_;  // which stay where they are
  std::vector<GroupKey> groups_;
};

// A group of which node, unit and peer are not told apart: what all nodes have of it together.
[[nodiscard]] GroupKey without_place(GroupKey key) noexcept;
// Whether these can be told by groups without a place.
[[nodiscard]] constexpr bool is_place(Dimension dimension) noexcept {
  return dimension == Dimension::kNode || dimension == Dimension::kUnit ||
         dimension == Dimension::kPeer;
}

// As it is written: gives numbers to what has none.
class Numbering : public Dictionary {
 public:
  // Of groups with places, and of names. What comes beyond it is added up as kOther, by node and
  // reason, so that nobody below can fill the memory with names.
  static constexpr std::size_t kMost = std::size_t{1} << 20;
  explicit Numbering(std::size_t most = kMost) : most_{most} {}

  [[nodiscard]] std::uint32_t name(std::string_view text);
  [[nodiscard]] std::uint32_t group(const Key& key);
  // The number of that group without its place.
  [[nodiscard]] std::uint32_t without_place_of(std::uint32_t group);

  // What has no place in the database yet: the first number, and a chunk; empty: nothing.
  struct Chunk {
    std::int64_t first{0};
    std::string bytes;
  };
  [[nodiscard]] Chunk new_names() const;
  [[nodiscard]] Chunk new_groups() const;
  // All that was added by now is in the database.
  void saved() noexcept;
  // The transaction came to nothing.
  void forget_new();

 private:
  void index();
  [[nodiscard]] std::uint32_t group_of(const GroupKey& key);
  [[nodiscard]] GroupKey key_of(const Key& key);

  std::size_t most_;
  std::size_t saved_names_{1};
  std::size_t saved_groups_{1};
  std::unordered_map<std::string_view, std::uint32_t> name_numbers_;
  std::unordered_map<GroupKey, std::uint32_t, NumbersHash> group_numbers_;
  std::vector<std::uint32_t> without_place_{0};
};

}  // namespace meiguan::store
