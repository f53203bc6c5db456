#pragma once

// Random policies as text: small trees in a small world of addresses, so that everything overlaps.
// What the loader refuses is taken out block by block, so that the rest is a policy.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "controlplane/policy/model.h"
#include "tests/property/naive_decide.h"

namespace meiguan::property {

using Random = std::mt19937_64;

[[nodiscard]] inline std::size_t below(Random& random, std::size_t n) {
  return static_cast<std::size_t>(random() % n);
}
[[nodiscard]] inline bool chance(Random& random, unsigned percent) {
  return random() % 100 < percent;
}

// One table of a file, which can be left out unless it is `fixed`.
struct Block {
  std::string file;
  std::string text;
  bool fixed{false};
};

class PolicyText {
 public:
  std::vector<Block> blocks;

  // Writes the files and loads them; where the loader finds errors in blocks that can go, they go.
  // Nothing when it does not accept what is left.
  [[nodiscard]] std::optional<policy::CheckedPolicy> load_accepted(
      const std::filesystem::path& directory);
  // As it is, or nothing.
  [[nodiscard]] std::optional<policy::CheckedPolicy> load(
      const std::filesystem::path& directory) const;
  [[nodiscard]] std::string show() const;

 private:
  void write(const std::filesystem::path& directory) const;
};

[[nodiscard]] PolicyText random_policy(Random& random);
// Schedules for the root of a random policy, and the lines of a rule that hang it on times; with
// few schedules and dates, so that rules share them (random_times.cc).
void add_schedules(Random& random, PolicyText& text);
[[nodiscard]] std::string random_times(Random& random);
// In half of the policies, rules of many nodes that meet in the same traffic at different times.
void add_crowd(Random& random, PolicyText& text);
// An instant of the weeks of which the dates are, often at a border of some rule, and sometimes far
// away.
[[nodiscard]] std::int64_t random_instant(Random& random, const policy::CheckedPolicy& policy);
// The text of a gateway file that fits the zones of a policy.
[[nodiscard]] std::string random_gateway(Random& random, const policy::CheckedPolicy& policy);
// A packet between addresses of the small world, often at the edges of the policy's prefixes.
[[nodiscard]] Packet random_packet(Random& random, const policy::CheckedPolicy& policy);
// An address of either family.
[[nodiscard]] net::Address random_address(Random& random, const policy::CheckedPolicy& policy,
                                          net::Family family);

}  // namespace meiguan::property
