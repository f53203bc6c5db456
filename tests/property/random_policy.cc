#include "tests/property/random_policy.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <map>
#include <set>
#include <string_view>

#include "controlplane/policy/load.h"
#include "tests/property/random_world.h"

namespace meiguan::property {
namespace {

constexpr std::array<std::string_view, 12> kMatches{"443/tcp",       "80/tcp",      "80-443/tcp",
                                                    "8000-8010/tcp", "tcp",         "53/udp",
                                                    "udp",           "1-65535/tcp", "sctp",
                                                    "icmp",          "proto-47",    "any"};
constexpr std::array<std::string_view, 12> kNarrow{"443/tcp",  "80/tcp",  "81-8005/tcp",
                                                   "tcp",      "53/udp",  "udp",
                                                   "icmp/8",   "icmp",    "icmp6/128",
                                                   "proto-47", "80/sctp", "icmp/0"};

// A block of the small world: 10.0.0.0/24 or 2001:db8::/120, `least` bits long at least.
net::Prefix random_prefix(Random& random, net::Family family, std::uint8_t least) {
  const auto byte = static_cast<std::uint8_t>(random());
  const bool v4 = family == net::Family::kIpv4;
  const auto base = v4 ? net::Address::v4(0x0a000000U | byte) : [&] {
    auto bytes = net::parse_address("2001:db8::")->bytes();
    bytes[15] = byte;
    return net::Address::v6(bytes);
  }();
  const std::uint8_t last = v4 ? 32 : 128;
  const auto length = static_cast<std::uint8_t>(
      least + below(random, static_cast<std::size_t>(last - least) + 1));
  return net::Prefix::around(base, length);
}

std::string prefix_text(const net::Prefix& prefix) { return net::to_string(prefix); }

std::string net_selector(Random& random, const World& world) {
  const auto family = chance(random, 70) ? net::Family::kIpv4 : net::Family::kIpv6;
  const std::uint8_t least = family == net::Family::kIpv4 ? 22 : 118;
  std::string text = "net:" + prefix_text(random_prefix(random, family, least));
  if (!world.private_zones.empty() && chance(random, 25)) {
    text += "@" + pick(random, world.private_zones);
  }
  return text;
}

}  // namespace

std::string selector(Random& random, const World& world, bool to, bool groups) {
  switch (below(random, to ? 14 : 9)) {
    case 0: return "any";
    case 1:
    case 2: return "unit:" + pick(random, world.units);
    case 3: return "node:" + pick(random, world.codes);
    case 4: return "tier:" + std::string{pick(random, kTiers)};
    case 5: return "label:" + std::string{pick(random, kLabels)};
    case 6: return "zone:" + pick(random, world.zones);
    case 7: return net_selector(random, world);
    case 8:
      return groups && !world.groups.empty() ? "group:" + pick(random, world.groups)
                                             : "unit:" + pick(random, world.units);
    case 9:
    case 10: return "services:" + std::string{pick(random, kServiceLabels)};
    default: return world.services.empty() ? "any" : "service:" + pick(random, world.services);
  }
}

namespace {

std::vector<std::string> selectors(Random& random, const World& world, bool to, std::size_t most,
                                   bool groups = true) {
  std::vector<std::string> result;
  const std::size_t n = 1 + below(random, most);
  for (std::size_t i = 0; i < n; ++i) result.push_back(selector(random, world, to, groups));
  return result;
}

void add_zones(Random& random, World& world, PolicyText& text) {
  const auto add = [&](const std::string& id, const char* kind) {
    world.zones.push_back(id);
    if (std::string_view{kind} == "private") world.private_zones.push_back(id);
    std::string block = fmt::format("[[zone]]\nid = \"{}\"\nkind = \"{}\"\n", id, kind);
    if (chance(random, 30)) {
      block += fmt::format("unregistered = \"{}\"\n", chance(random, 50) ? "drop" : "rules");
    }
    text.blocks.push_back({"zones.toml", block, true});
  };
  add("extranet", "extranet");
  if (chance(random, 30)) add("extranet-2", "extranet");
  if (chance(random, 80)) add("dmz", "dmz");
  if (chance(random, 80)) add("internet", "internet");
  if (chance(random, 60)) add("exchange", "exchange");
  if (chance(random, 30)) add("management", "management");
  if (chance(random, 60)) add("vpn-a", "private");
  if (chance(random, 40)) add("vpn-b", "private");
}

void add_nodes(Random& random, World& world, PolicyText& text) {
  std::set<std::string> used;
  const auto new_code = [&] {
    for (;;) {
      auto code = fmt::format("{}", 10 + below(random, 90));
      if (used.insert(code).second) return code;
    }
  };
  const auto add = [&](const std::string& directory, std::size_t tier, bool root) {
    const auto code = new_code();
    world.codes.push_back(code);
    world.directories.push_back(directory);
    std::string block = fmt::format("[node]\ncode = \"{}\"\nname = \"n\"\ntier = \"{}\"\n", code,
                                    kTiers[tier]);
    if (root) block += "[policy]\nschema = 1\n";
    text.blocks.push_back({directory + "node.toml", block, true});
  };
  add("", 0, true);
  const std::size_t prefectures = 1 + below(random, 3);
  for (std::size_t p = 0; p < prefectures; ++p) {
    const auto directory = fmt::format("p{}/", p);
    add(directory, 1, false);
    const std::size_t counties = below(random, 3);
    for (std::size_t c = 0; c < counties; ++c) {
      const auto below_it = fmt::format("{}c{}/", directory, c);
      add(below_it, 2, false);
      if (chance(random, 30)) add(below_it + "t/", 3, false);
    }
  }
}

void add_units(Random& random, World& world, PolicyText& text) {
  const std::size_t n = 3 + below(random, 7);
  for (std::size_t i = 0; i < n; ++i) {
    const auto id = fmt::format("u{}", i);
    world.units.push_back(id);
    const auto first = random_prefix(random, net::Family::kIpv4, 25);
    std::vector<std::string> prefixes{prefix_text(first)};
    if (chance(random, 40)) {
      prefixes.push_back(prefix_text(random_prefix(random, net::Family::kIpv6, 121)));
    }
    std::vector<std::string> labels;
    for (const auto label : kLabels) {
      if (label != "nobody" && chance(random, 30)) labels.emplace_back(label);
    }
    std::string block = fmt::format("[[unit]]\nid = \"{}\"\nzone = \"{}\"\nprefixes = {}\n", id,
                                    chance(random, 70) ? "extranet" : pick(random, world.zones),
                                    list(prefixes));
    if (!labels.empty()) block += "labels = " + list(labels) + "\n";
    const bool bound = chance(random, 20);
    if (bound) block += "admission = \"bound\"\n";
    const auto& directory = pick(random, world.directories);
    world.unit_directories.push_back(directory);
    world.unit_prefixes.push_back(prefixes.front());
    world.wider_prefixes.push_back(prefix_text(
        net::Prefix::around(first.address(), static_cast<std::uint8_t>(first.length() - 1))));
    text.blocks.push_back({directory + "units.toml", block});
    if (bound) {
      // The first address of the prefix, and one that may or may not lie inside.
      const auto slash = prefixes.front().find('/');
      text.blocks.push_back(
          {directory + "units.toml",
           fmt::format("[[terminal]]\nunit = \"{}\"\naddresses = [\"{}\"]\n{}", id,
                       prefixes.front().substr(0, slash),
                       chance(random, 50) ? "mac = \"52:54:00:12:34:56\"\n" : "")});
    }
  }
}

void add_services(Random& random, World& world, PolicyText& text) {
  const std::size_t n = 1 + below(random, 6);
  for (std::size_t i = 0; i < n; ++i) {
    const auto id = fmt::format("s{}", i);
    world.services.push_back(id);
    std::vector<std::string> endpoints;
    const std::size_t count = 1 + below(random, 3);
    for (std::size_t e = 0; e < count; ++e) {
      const bool v6 = chance(random, 20);
      const auto prefix = v6 ? random_prefix(random, net::Family::kIpv6, 124)
                             : random_prefix(random, net::Family::kIpv4, 26);
      std::string_view match = pick(random, kMatches);
      if (v6 && match == "icmp") match = "icmp6";
      const auto slash = match.find('/');
      const auto address = v6 ? "[" + net::to_string(prefix.address()) + "]"
                              : net::to_string(prefix.address());
      const auto whole = prefix.length() == (v6 ? 128 : 32);
      std::string endpoint = address + (whole ? "" : fmt::format("/{}", prefix.length()));
      endpoint += slash == std::string_view::npos ? "/" + std::string{match}
                                                  : ":" + std::string{match};
      endpoints.push_back(endpoint);
    }
    std::vector<std::string> labels;
    if (chance(random, 40)) labels.emplace_back("core");
    if (chance(random, 40)) labels.emplace_back("web");
    const bool dmz = std::ranges::find(world.zones, "dmz") != world.zones.end() &&
                     chance(random, 30);
    std::string block = fmt::format("[[service]]\nid = \"{}\"\nzone = \"{}\"\nendpoints = {}\n", id,
                                    dmz                  ? "dmz"
                                    : chance(random, 60) ? "extranet"
                                                         : pick(random, world.zones),
                                    list(endpoints));
    if (!labels.empty()) block += "labels = " + list(labels) + "\n";
    if (dmz && chance(random, 70)) block += "publish = true\n";
    if (chance(random, 60)) block += "offered_to = " + list(offer(random, world)) + "\n";
    const auto directory = chance(random, 60) ? std::string{} : pick(random, world.directories);
    world.service_directories.push_back(directory);
    text.blocks.push_back({directory + "services.toml", block});
  }
}

void add_groups(Random& random, World& world, PolicyText& text) {
  // One that offers may name, because it holds units only.
  text.blocks.push_back(
      {"groups.toml", fmt::format("[[group]]\nid = \"units\"\nmembers = [\"unit:{}\", "
                                  "\"label:finance\"]\nexcept = [\"unit:{}\"]\n",
                                  pick(random, world.units), pick(random, world.units))});
  const std::size_t n = below(random, 4);
  for (std::size_t i = 0; i < n; ++i) {
    const auto id = fmt::format("g{}", i);
    std::string block = fmt::format("[[group]]\nid = \"{}\"\nmembers = {}\n", id,
                                    list(selectors(random, world, chance(random, 40), 3)));
    if (chance(random, 40)) {
      block += "except = " + list(selectors(random, world, chance(random, 30), 2)) + "\n";
    }
    world.groups.push_back(id);
    text.blocks.push_back(
        {(chance(random, 70) ? std::string{} : pick(random, world.directories)) + "groups.toml",
         block});
  }
}

void add_rules(Random& random, World& world, PolicyText& text) {
  const std::size_t n = 6 + below(random, 30);
  for (std::size_t i = 0; i < n; ++i) {
    const bool root = chance(random, 40);
    const auto directory = root ? std::string{} : pick(random, world.directories);
    const auto action = chance(random, 60) ? "allow" : chance(random, 70) ? "deny" : "audit";
    // Below the root an allow may name little else; rules that may not are taken out by the loader.
    std::vector<std::string> to = selectors(random, world, true, 2);
    if (!directory.empty() && std::string_view{action} == "allow" && chance(random, 70)) {
      switch (below(random, 4)) {
        case 0: to = {"services:" + std::string{pick(random, kServiceLabels)}}; break;
        case 1: to = {"unit:" + pick(random, world.units)}; break;
        case 2: to = {"node:" + pick(random, world.codes)}; break;
        default: to = {"service:" + pick(random, world.services)}; break;
      }
    }
    const auto from = chance(random, 40) ? own_sources(random, world, directory)
                                         : selectors(random, world, false, 2);
    std::string block = fmt::format("[[rule]]\nid = \"r{}\"\naction = \"{}\"\nfrom = {}\nto = {}\n",
                                    i, action, list(from), list(to));
    if (chance(random, 45)) {
      block += fmt::format("phase = \"{}\"\n", chance(random, 50) ? "mandatory" : "baseline");
    }
    if (chance(random, 25)) {
      block += "except_from = " + list(selectors(random, world, false, 2)) + "\n";
    }
    if (chance(random, 25)) {
      block += "except_to = " + list(selectors(random, world, true, 2)) + "\n";
    }
    if (chance(random, 40)) {
      std::vector<std::string> ports{std::string{pick(random, kNarrow)}};
      if (chance(random, 30)) ports.emplace_back(pick(random, kNarrow));
      block += "ports = " + list(ports) + "\n";
    }
    block += random_times(random) + random_limits(random);
    const auto* const file = chance(random, 50) ? "rules-1.toml" : "rules-2.toml";
    text.blocks.push_back({directory + file, block});
  }
}

}  // namespace

PolicyText random_policy(Random& random) {
  PolicyText text;
  World world;
  add_nodes(random, world, text);
  add_zones(random, world, text);
  add_units(random, world, text);
  add_services(random, world, text);
  add_groups(random, world, text);
  add_schedules(random, text);
  add_grants(random, world, text);
  add_rules(random, world, text);
  add_crowd(random, text);
  add_nat(random, world, text);
  return text;
}

void PolicyText::write(const std::filesystem::path& directory) const {
  std::filesystem::remove_all(directory);
  std::map<std::string, std::string> files;
  for (const auto& block : blocks) files[block.file] += block.text + "\n";
  for (const auto& [name, text] : files) {
    const auto path = directory / name;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream{path} << text;
  }
}

std::optional<policy::CheckedPolicy> PolicyText::load(
    const std::filesystem::path& directory) const {
  write(directory);
  auto loaded = policy::load_policy(directory);
  if (!loaded) return std::nullopt;
  return std::move(*loaded);
}

std::optional<policy::CheckedPolicy> PolicyText::load_accepted(
    const std::filesystem::path& directory) {
  for (int round = 0; round < 20; ++round) {
    write(directory);
    auto loaded = policy::load_policy(directory);
    if (loaded) return std::move(*loaded);
    // Which block a line of a file belongs to.
    std::map<std::string, std::uint32_t> next_line;
    std::vector<bool> bad(blocks.size());
    std::vector<std::pair<std::uint32_t, std::uint32_t>> spans;
    for (const auto& block : blocks) {
      auto& line = next_line.try_emplace(block.file, 1).first->second;
      const auto lines = static_cast<std::uint32_t>(std::ranges::count(block.text, '\n')) + 1;
      spans.emplace_back(line, line + lines);
      line += lines;
    }
    bool any = false;
    for (const auto& diagnostic : loaded.error()) {
      for (std::size_t i = 0; i < blocks.size(); ++i) {
        if (blocks[i].file == diagnostic.file && !blocks[i].fixed &&
            spans[i].first <= diagnostic.line && diagnostic.line < spans[i].second) {
          bad[i] = true;
          any = true;
        }
      }
    }
    if (!any) return std::nullopt;
    std::vector<Block> kept;
    for (std::size_t i = 0; i < blocks.size(); ++i) {
      if (!bad[i]) kept.push_back(std::move(blocks[i]));
    }
    blocks = std::move(kept);
  }
  return std::nullopt;
}

std::string PolicyText::show() const {
  std::map<std::string, std::string> files;
  for (const auto& block : blocks) files[block.file] += block.text + "\n";
  std::string text;
  for (const auto& [name, content] : files) text += "# --- " + name + "\n" + content;
  return text;
}

}  // namespace meiguan::property
