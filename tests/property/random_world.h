#pragma once

// What the parts of a random policy share: the names that are there so far, and words to choose
// from.

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "tests/property/random_policy.h"

namespace meiguan::property {

inline constexpr std::array<std::string_view, 4> kTiers{"province", "prefecture", "county",
                                                        "township"};
inline constexpr std::array<std::string_view, 4> kLabels{"finance", "hall", "town", "nobody"};
inline constexpr std::array<std::string_view, 3> kServiceLabels{"core", "web", "none"};

template <std::size_t N>
std::string_view pick(Random& random, const std::array<std::string_view, N>& from) {
  return from[below(random, N)];
}
inline const std::string& pick(Random& random, const std::vector<std::string>& from) {
  return from[below(random, from.size())];
}

inline std::string list(const std::vector<std::string>& words) {
  std::string text = "[";
  for (const auto& word : words) text += (text.size() > 1 ? ", \"" : "\"") + word + "\"";
  return text + "]";
}

struct World {
  std::vector<std::string> zones;
  std::vector<std::string> private_zones;
  std::vector<std::string> codes;
  std::vector<std::string> directories;  // of the nodes
  std::vector<std::string> units;
  std::vector<std::string> unit_directories;  // of each unit
  std::vector<std::string> unit_prefixes;     // one of each unit
  std::vector<std::string> wider_prefixes;    // the same, with as many addresses more
  std::vector<std::string> services;
  std::vector<std::string> service_directories;  // of each service
  std::vector<std::string> groups;
};

// A selector of any kind that may stand in `from`, or in `to`.
[[nodiscard]] std::string selector(Random& random, const World& world, bool to, bool groups);

// What a service offers itself to.
[[nodiscard]] std::vector<std::string> offer(Random& random, const World& world);
// What is of the subtree at `directory`, most of the time.
[[nodiscard]] std::vector<std::string> own_sources(Random& random, const World& world,
                                                   const std::string& directory);
// What is translated (random_nat.cc).
void add_nat(Random& random, const World& world, PolicyText& text);
// A line of a unit, service or rule, or nothing.
[[nodiscard]] std::string random_limits(Random& random);
// Rules by which a node grants what a node above has offered, or has not.
void add_grants(Random& random, const World& world, PolicyText& text);

}  // namespace meiguan::property
