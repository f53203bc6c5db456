#pragma once

// Numbers for values: equal values get the same one, in the order in which they come.

#include <array>
#include <cstddef>
#include <cstdint>
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
  [[nodiscard]] const std::vector<T>& values() const { return values_; }
  void clear() {
    numbers_.clear();
    values_.clear();
  }

 private:
  std::unordered_map<T, std::uint32_t, Hasher> numbers_;
  std::vector<T> values_;
};

}  // namespace meiguan::policy
