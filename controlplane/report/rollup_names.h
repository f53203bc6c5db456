#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "controlplane/report/rollup.h"

namespace meiguan::report {

// Every name once, under a number; those of the catalog in force by its ids.
struct Rollup::Names {
  static constexpr std::uint32_t kOther = 1;
  static constexpr std::uint32_t kUntold = 2;

  explicit Names(std::size_t limit) : most{limit} {
    static_cast<void>(intern(""));
    static_cast<void>(intern(store::kOther));
    static_cast<void>(intern(store::kUntold));
  }
  std::uint32_t intern(std::string_view name) {
    const auto found = numbers.find(std::string{name});
    if (found != numbers.end()) return found->second;
    if (text.size() >= most) return kOther;
    const auto number = static_cast<std::uint32_t>(text.size());
    text.emplace_back(name);
    numbers.emplace(name, number);
    return number;
  }
  template <typename Id>
  static std::uint32_t at(const std::vector<std::uint32_t>& all, Id id) {
    return id.is_some() && id.index() < all.size() ? all[id.index()] : 0;
  }

  std::size_t most;
  std::vector<std::string> text;
  std::unordered_map<std::string, std::uint32_t> numbers;
  std::vector<std::uint32_t> units;
  std::vector<std::uint32_t> services;
  std::vector<std::uint32_t> rules;
  std::shared_ptr<const store::RuleList> list;  // of those in force
  std::uint64_t list_fingerprint{0};
  std::vector<std::uint32_t> zones;  // by port
};

}  // namespace meiguan::report
