// What random policies translate: egresses, publishes and translates, and limits.

#include <fmt/format.h>

#include <algorithm>

#include "tests/property/random_world.h"

namespace meiguan::property {
namespace {

// Addresses that nothing else of a random policy has.
std::string public_address(std::size_t number) { return fmt::format("198.51.100.{}", number); }

void add_egress(Random& random, const World& world, std::size_t number, PolicyText& text) {
  std::vector<std::string> from;
  for (std::size_t i = 1 + below(random, 2); i-- > 0;) {
    from.push_back(selector(random, world, false, true));
  }
  std::vector<std::string> pool;
  if (chance(random, 75)) pool.push_back(public_address(number) + "/32");
  if (pool.empty() || chance(random, 40)) {
    pool.push_back(fmt::format("2001:db8:e{}::/{}", number, chance(random, 50) ? 48 : 64));
  }
  text.blocks.push_back(
      {(chance(random, 50) ? std::string{} : pick(random, world.directories)) + "nat.toml",
       fmt::format("[[egress]]\nid = \"e{}\"\nfrom = {}\npool = {}\n", number, list(from),
                   list(pool))});
}

void add_translate(Random& random, const World& world, std::size_t number, PolicyText& text) {
  const std::string& inside = pick(random, world.unit_prefixes);
  const std::string length = inside.substr(inside.find('/'));
  text.blocks.push_back(
      {(chance(random, 60) ? std::string{} : pick(random, world.directories)) + "nat.toml",
       fmt::format("[[translate]]\nzone = \"{}\"\ninside = \"{}\"\noutside = \"198.18.{}.0{}\"\n",
                   pick(random, world.private_zones), inside, number, length)});
}

void add_publish(Random& random, const World& world, std::size_t number, PolicyText& text) {
  constexpr std::array<std::string_view, 4> kPublic{":443/tcp", ":8080/tcp", "/any", "/udp"};
  text.blocks.push_back(
      {chance(random, 70) ? "nat.toml" : pick(random, world.directories) + "nat.toml",
       fmt::format("[[publish]]\nservice = \"{}\"\npublic = \"{}{}\"\n",
                   pick(random, world.services), public_address(100 + number),
                   pick(random, kPublic))});
}

// A private zone whose addresses are translated, and a service on the exchange that is open to it.
void add_crossing(Random& random, const World& world, PolicyText& text) {
  text.blocks.push_back({"nat.toml", fmt::format("[[translate]]\nzone = \"{}\"\ninside = "
                                                 "\"10.0.0.0/25\"\noutside = \"198.19.0.0/25\"\n",
                                                 pick(random, world.private_zones))});
  text.blocks.push_back({"nat.toml",
                         "[[service]]\nid = \"sx\"\nzone = \"exchange\"\nendpoints = "
                         "[\"10.0.0.0/24/any\"]\n"});
  text.blocks.push_back({"nat.toml",
                         "[[rule]]\nid = \"rx\"\nphase = \"mandatory\"\naction = \"allow\"\nfrom = "
                         "[\"any\"]\nto = [\"service:sx\"]\n"});
}

}  // namespace

void add_nat(Random& random, const World& world, PolicyText& text) {
  const std::size_t egresses = below(random, 4);
  for (std::size_t i = 0; i < egresses; ++i) add_egress(random, world, i + 1, text);
  const std::size_t publishes = below(random, 4);
  for (std::size_t i = 0; i < publishes; ++i) add_publish(random, world, i + 1, text);
  if (world.private_zones.empty()) return;
  if (chance(random, 30) && std::ranges::find(world.zones, "exchange") != world.zones.end()) {
    add_crossing(random, world, text);
  }
  const std::size_t translates = below(random, 4);
  for (std::size_t i = 0; i < translates; ++i) add_translate(random, world, i + 1, text);
}

std::string random_limits(Random& random) {
  if (!chance(random, 20)) return {};
  return fmt::format("limits = {{ flows = {}, bandwidth = \"{}Mbit\" }}\n", 1 + below(random, 9),
                     1 + below(random, 9));
}

}  // namespace meiguan::property
