// Offers of services, and the rules below that grant them.

#include <fmt/format.h>

#include "tests/property/random_world.h"

namespace meiguan::property {

// Mostly wide offers, so that some rule's sources are all among them.
std::vector<std::string> offer(Random& random, const World& world) {
  std::vector<std::string> result;
  const std::size_t n = 1 + below(random, 3);
  for (std::size_t i = 0; i < n; ++i) {
    switch (below(random, 8)) {
      case 0: result.push_back("unit:" + pick(random, world.units)); break;
      case 1: result.push_back("tier:" + std::string{pick(random, kTiers)}); break;
      case 2: result.push_back("label:" + std::string{pick(random, kLabels)}); break;
      case 3:
      case 6:
      case 7: result.push_back("node:" + world.codes.front()); break;  // everybody
      case 4: result.emplace_back("group:units"); break;
      default: result.push_back("node:" + pick(random, world.codes)); break;
    }
  }
  return result;
}

std::vector<std::string> own_sources(Random& random, const World& world,
                                     const std::string& directory) {
  std::vector<std::string> own;
  for (std::size_t i = 0; i < world.codes.size(); ++i) {
    if (world.directories[i].starts_with(directory)) own.push_back("node:" + world.codes[i]);
  }
  for (std::size_t i = 0; i < world.units.size(); ++i) {
    if (!world.unit_directories[i].starts_with(directory)) continue;
    own.push_back("unit:" + world.units[i]);
    own.push_back("net:" + world.unit_prefixes[i]);
    if (chance(random, 20)) own.push_back("net:" + world.wider_prefixes[i]);
  }
  std::vector<std::string> result{pick(random, own)};
  if (chance(random, 30)) result.push_back(pick(random, own));
  if (chance(random, 8)) result.push_back(selector(random, world, false, true));
  return result;
}

void add_grants(Random& random, const World& world, PolicyText& text) {
  const std::size_t n = 4 + below(random, 9);
  for (std::size_t i = 0; i < n; ++i) {
    const std::size_t s = below(random, world.services.size());
    std::vector<std::string> below_it;
    for (std::size_t u = 0; u < world.units.size(); ++u) {
      const auto& directory = world.unit_directories[u];
      if (directory.starts_with(world.service_directories[s]) &&
          directory != world.service_directories[s]) {
        below_it.push_back(directory);
      }
    }
    if (below_it.empty()) continue;
    const auto directory = pick(random, below_it);
    std::string block = fmt::format("[[rule]]\nid = \"g{}\"\naction = \"allow\"\nfrom = {}\n", i,
                                    list(own_sources(random, world, directory)));
    if (chance(random, 30)) {
      block += "except_from = " + list(own_sources(random, world, directory)) + "\n";
    }
    block += fmt::format("to = [\"{}\"]\n",
                         chance(random, 40)
                             ? "service:" + world.services[s]
                             : "services:" + std::string{pick(random, kServiceLabels)});
    if (chance(random, 40)) block += "phase = \"baseline\"\n";
    text.blocks.push_back({directory + "rules-0.toml", block});
  }
}

}  // namespace meiguan::property
