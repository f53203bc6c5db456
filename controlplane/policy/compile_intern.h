#pragma once

// Numbers for values: equal values get the same one, in the order in which they come.

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "controlplane/policy/compile_block.h"
#include "controlplane/policy/compile_scope.h"

namespace meiguan::policy {

struct Hash {
  template <typename T, std::size_t N>
  std::size_t operator()(const std::array<T, N>& a) const {
    return XXH3_64bits(a.data(), sizeof a);
  }
  template <typename T>
  std::size_t operator()(const std::vector<T>& v) const {
    return XXH3_64bits(v.data(), v.size() * sizeof(T));
  }
  std::size_t operator()(const Outcome& o) const {
    const std::array<std::uint64_t, 4> parts{std::uint64_t{o.rule[0]} << 32 | o.rule[1],
                                             static_cast<std::uint64_t>(o.action[0]) << 8 |
                                                 static_cast<std::uint64_t>(o.action[1]) << 1 |
                                                 static_cast<std::uint64_t>(o.published),
                                             (*this)(o.audits[0]), (*this)(o.audits[1])};
    return XXH3_64bits(parts.data(), sizeof parts);
  }
  std::size_t operator()(const TargetNodes& n) const {
    std::size_t hash = n.unit.value();
    for (const NodeId service : n.services) hash = hash * 31 + service.value();
    return hash;
  }
};

// Numbers equal values alike.
template <typename T, typename Hasher = Hash>
class Interner {
 public:
  std::uint32_t operator()(const T& value) {
    const auto [it, is_new] = numbers_.try_emplace(value,
                                                   static_cast<std::uint32_t>(values_.size()));
    if (is_new) values_.push_back(value);
    return it->second;
  }
  // Gives `value` the next number, whether or not it has one.
  void append(const T& value) {
    numbers_.try_emplace(value, static_cast<std::uint32_t>(values_.size()));
    values_.push_back(value);
  }
  [[nodiscard]] const std::vector<T>& values() const { return values_; }
  void clear() {
    numbers_.clear();
    values_.clear();
  }

 private:
  std::unordered_map<T, std::uint32_t, Hasher> numbers_;
  std::vector<T> values_;
};

// The same for lists of numbers, many and mostly short: they lie behind one another.
template <typename Word>
class ListInterner {
 public:
  struct Number {
    std::uint32_t value;
    bool is_new;
  };

  Number operator()(std::span<const Word> list) {
    if (2 * (size() + 1) > slots_.size()) grow();
    const std::uint64_t hash = XXH3_64bits(list.data(), list.size_bytes());
    const auto tag = static_cast<std::uint32_t>(hash >> 32);
    std::size_t i = hash & (slots_.size() - 1);
    for (; slots_[i].number != kFree; i = (i + 1) & (slots_.size() - 1)) {
      if (slots_[i].tag == tag && std::ranges::equal(this->list(slots_[i].number), list)) {
        return {slots_[i].number, false};
      }
    }
    const auto number = static_cast<std::uint32_t>(size());
    slots_[i] = {tag, number};
    words_.insert(words_.end(), list.begin(), list.end());
    ends_.push_back(words_.size());
    hashes_.push_back(hash);
    return {number, true};
  }

  [[nodiscard]] std::size_t size() const { return ends_.size(); }
  [[nodiscard]] std::span<const Word> list(std::uint32_t number) const {
    const std::size_t first = number == 0 ? 0 : ends_[number - 1];
    return std::span{words_}.subspan(first, ends_[number] - first);
  }

 private:
  static constexpr std::uint32_t kFree = 0xffff'ffff;
  struct Slot {
    std::uint32_t tag{0};  // the half of the hash that does not choose the slot
    std::uint32_t number{kFree};
  };

  void grow() {
    slots_.assign(std::max<std::size_t>(64, slots_.size() * 2), {});
    for (std::uint32_t n = 0; n < size(); ++n) {
      std::size_t i = hashes_[n] & (slots_.size() - 1);
      while (slots_[i].number != kFree) i = (i + 1) & (slots_.size() - 1);
      slots_[i] = {static_cast<std::uint32_t>(hashes_[n] >> 32), n};
    }
  }

  std::vector<Word> words_;
  std::vector<std::size_t> ends_;  // by number: where its list ends in words_
  std::vector<std::uint64_t> hashes_;
  std::vector<Slot> slots_;
};

}  // namespace meiguan::policy
