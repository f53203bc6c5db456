// diff --semantic against exhaustive enumeration: two random small policies that differ in a few
// tables; every change of access that enumeration finds must be told of, and no other.

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <map>
#include <optional>
#include <set>
#include <tuple>

#include "controlplane/analysis/semantic_diff.h"
#include "controlplane/policy/compile.h"
#include "dataplane/fastpath/decide.h"
#include "tests/property/random_policy.h"
#include "tests/property/universe.h"

namespace meiguan::property {
namespace {

using analysis::ChangeEnd;
using policy::CheckedPolicy;

constexpr std::int64_t kNow = 1'772'380'800;  // 2026-03-02, among the dates of random policies

std::uint64_t from_environment(const char* name, std::uint64_t otherwise) {
  const char* const value = std::getenv(name);
  return value != nullptr ? std::strtoull(value, nullptr, 0) : otherwise;
}

std::filesystem::path scratch() {
  static const auto path = std::filesystem::temp_directory_path() /
                           fmt::format("meiguan-property-diff-{}", ::getpid());
  return path;
}

// Puts the unit or service of a block into another zone; false where it is none.
bool move_to_another_zone(Random& random, const PolicyText& text, Block& block) {
  constexpr std::string_view kKey = "\nzone = \"";
  const auto key = block.text.find(kKey);
  if (key == std::string::npos) return false;
  const auto start = key + kKey.size();
  std::vector<std::string> zones;
  for (const auto& other : text.blocks) {
    constexpr std::string_view kZone = "[[zone]]\nid = \"";
    const auto at = other.text.find(kZone);
    if (at == std::string::npos) continue;
    const auto id = at + kZone.size();
    zones.push_back(other.text.substr(id, other.text.find('"', id) - id));
  }
  if (zones.empty()) return false;
  block.text.replace(start, block.text.find('"', start) - start,
                     zones[below(random, zones.size())]);
  return true;
}

// A few tables fewer, rules that say the opposite, objects in other zones.
PolicyText other_than(Random& random, PolicyText text) {
  for (std::size_t n = 1 + below(random, 3); n > 0; --n) {
    const std::size_t i = below(random, text.blocks.size());
    auto& block = text.blocks[i];
    if (block.fixed) continue;
    const auto allow = block.text.find("\"allow\"");
    if (chance(random, 50) && move_to_another_zone(random, text, block)) continue;
    if (allow != std::string::npos && chance(random, 50)) {
      block.text.replace(allow, 7, "\"deny\"");
    } else {
      text.blocks.erase(text.blocks.begin() + static_cast<std::ptrdiff_t>(i));
    }
  }
  return text;
}

struct Side {
  CheckedPolicy policy;
  policy::Compiled compiled;
  image::Image image;
};

std::optional<Side> compile_side(CheckedPolicy policy) {
  auto compiled = policy::compile(policy, nullptr, nullptr);
  if (!compiled) return std::nullopt;
  const auto image = image::Image::open(compiled->bytes.span());
  if (!image) return std::nullopt;
  return Side{std::move(policy), std::move(*compiled), *image};
}

// A packet's end on both sides, at one address: where both know of no object, in one zone.
template <typename End>
struct Pair {
  End before;
  End after;
};

// What both sides together tell apart, counted out by each side alone and then put together: ends
// at one address and port go together where they are in one zone, or where their objects put them
// in different ones.
template <typename End, typename KeyOf>
std::vector<Pair<End>> put_together(const std::vector<End>& before, const std::vector<End>& after,
                                    const KeyOf& key_of, const auto& has_objects) {
  std::map<decltype(key_of(before.front())), std::pair<std::vector<End>, std::vector<End>>> all;
  for (const auto& one : before) all[key_of(one)].first.push_back(one);
  for (const auto& one : after) all[key_of(one)].second.push_back(one);
  std::vector<Pair<End>> pairs;
  for (const auto& [key, ends] : all) {
    const auto& [old, now] = ends;
    const auto in = [](const std::vector<End>& list, ZoneId zone) {
      return std::ranges::any_of(list, [&](const End& e) { return e.zone == zone; });
    };
    const bool old_fixed = has_objects(0, old.front());
    const bool now_fixed = has_objects(1, now.front());
    for (const auto& a : old) {
      for (const auto& b : now) {
        const bool alone = old_fixed && now_fixed && (!in(now, a.zone) || !in(old, b.zone));
        if (a.zone == b.zone || alone) pairs.push_back({a, b});
      }
    }
  }
  return pairs;
}

using Told = std::set<std::tuple<bool, std::string, std::string>>;

std::string unit_name(const Side& side, SpaceId space, const net::Address& address, ZoneId zone) {
  const auto unit = unit_at(side.policy, space, address);
  return unit.is_some() ? "unit " + side.policy.units[unit.index()].id
                        : "zone " + side.policy.zones[zone.index()].id;
}

std::string target_name(const Side& side, const UniverseTarget& to) {
  const auto target = fastpath::find_target(side.image, to.space, to.address,
                                            {to.protocol, to.value}, {});
  if (target.service.is_some()) {
    return "service " + side.compiled.catalog.services[target.service.index()].id;
  }
  return unit_name(side, to.space, to.address, to.zone);
}

// Instants at which either side differs from what it was, one for each pair of moments.
std::vector<Pair<image::Moment>> joint_moments(const Side& a, const Side& b) {
  std::vector<Pair<image::Moment>> moments;
  constexpr std::int64_t kHorizon = std::int64_t{60} * 86'400;
  for (std::int64_t now = kNow; now < kNow + kHorizon;) {
    const Pair<image::Moment> pair{{a.image, now}, {b.image, now}};
    if (std::ranges::none_of(moments, [&](const auto& m) {
          return m.before.same_conditions(pair.before) && m.after.same_conditions(pair.after);
        })) {
      moments.push_back(pair);
    }
    const std::int64_t ends = std::min(pair.before.ends(), pair.after.ends());
    if (ends > kNow + kHorizon) break;
    now = ends;
  }
  return moments;
}

Told enumerate(const Side& a, const Side& b) {
  Cuts cuts;
  add_cuts(a.policy, cuts);
  add_cuts(b.policy, cuts);
  const Universe before = count_out(a.policy, cuts);
  const Universe after = count_out(b.policy, cuts);
  const Side* const sides[2] = {&a, &b};
  const auto sources = put_together(
      before.sources, after.sources,
      [](const UniverseSource& s) {
        return std::tuple{s.space, s.address};
      },
      [&](std::size_t side, const UniverseSource& s) {
        const auto& policy = sides[side]->policy;
        if (unit_at(policy, s.space, s.address).is_some()) return true;
        return std::ranges::any_of(policy.services, [&](const auto& service) {
          return policy.zones[service.zone.index()].space == s.space &&
                 std::ranges::any_of(service.endpoints,
                                     [&](const auto& e) { return e.prefix.contains(s.address); });
        });
      });
  const auto all_targets = put_together(
      before.targets, after.targets,
      [](const UniverseTarget& t) {
        return std::tuple{t.space, t.address, t.protocol, t.value};
      },
      [&](std::size_t side, const UniverseTarget& t) {
        const auto& policy = sides[side]->policy;
        return unit_at(policy, t.space, t.address).is_some() ||
               !services_at(policy, t.space, {{}, t.address, t.protocol, t.value}).empty();
      });
  // Ports that both images put into one target are judged alike.
  std::set<std::tuple<net::Family, std::uint32_t, std::uint32_t, SpaceId, ZoneId, ZoneId>> seen;
  std::vector<Pair<UniverseTarget>> targets;
  for (const auto& to : all_targets) {
    const auto number = [](const Side& side, const UniverseTarget& t) {
      return fastpath::find_target(side.image, t.space, t.address, {t.protocol, t.value}, {})
          .number;
    };
    if (seen.emplace(to.before.address.family(), number(a, to.before), number(b, to.after),
                     to.before.space, to.before.zone, to.after.zone)
            .second) {
      targets.push_back(to);
    }
  }
  const auto moments = joint_moments(a, b);
  Told told;
  for (const auto& from : sources) {
    for (const auto& to : targets) {
      if (from.before.address.family() != to.before.address.family()) continue;
      for (const auto& moment : moments) {
        const bool old = lets_by(a.image, moment.before, from.before, to.before);
        const bool now = lets_by(b.image, moment.after, from.after, to.after);
        if (old == now) continue;
        const Side& side = now ? b : a;
        const auto& source = now ? from.after : from.before;
        told.emplace(now, unit_name(side, source.space, source.address, source.zone),
                     target_name(side, now ? to.after : to.before));
      }
    }
  }
  return told;
}

std::string name_of(const ChangeEnd& end) {
  switch (end.kind) {
    case ChangeEnd::Kind::kUnit: return "unit " + end.id;
    case ChangeEnd::Kind::kService: return "service " + end.id;
    case ChangeEnd::Kind::kZone: break;
  }
  return "zone " + end.id;
}

std::string list(const Told& told, const Told& without) {
  std::string text;
  for (const auto& one : told) {
    if (without.contains(one)) continue;
    text += fmt::format("  {} {} {}\n", std::get<1>(one), std::get<0>(one) ? "gains" : "loses",
                        std::get<2>(one));
  }
  return text;
}

BOOST_AUTO_TEST_CASE(diff_agrees_with_enumeration) {
  const auto first = from_environment("MEIGUAN_SEED", 20260501);
  const auto count = from_environment("MEIGUAN_POLICIES", 100);
  std::size_t pairs = 0;
  std::size_t gains = 0;
  std::size_t losses = 0;
  std::size_t timed = 0;
  std::size_t same = 0;
  for (std::uint64_t seed = first; seed < first + count; ++seed) {
    Random random{seed};
    auto text = random_policy(random);
    auto before = text.load_accepted(scratch());
    if (!before) continue;
    auto other = other_than(random, text);
    auto after = other.load_accepted(scratch());
    if (!after) continue;
    if (chance(random, 50)) std::swap(*before, *after);
    const auto a = compile_side(std::move(*before));
    const auto b = compile_side(std::move(*after));
    BOOST_REQUIRE((a && b));
    ++pairs;
    const analysis::Sides<analysis::PolicySide> sides{analysis::PolicySide{&a->image,
                                                                           &a->compiled.catalog},
                                                      analysis::PolicySide{&b->image,
                                                                           &b->compiled.catalog}};
    const auto changes = analysis::diff_access(sides, kNow, 1'000'000);
    Told got;
    BOOST_TEST_CONTEXT("seed " << seed) {
      BOOST_TEST(changes.all);
      for (const auto& change : changes.changes) {
        BOOST_TEST((got.emplace(change.gains, name_of(change.from), name_of(change.to)).second));
        // The example is one.
        const auto& decisions = change.example.decisions;
        BOOST_TEST(decisions[analysis::kAfter].forwards() == change.gains);
        BOOST_TEST(decisions[analysis::kBefore].forwards() != change.gains);
        BOOST_TEST(change.example.at >= kNow);
        ++(change.gains ? gains : losses);
        if (change.example.timed) ++timed;
      }
      const Told want = enumerate(*a, *b);
      if (want.empty()) ++same;
      BOOST_TEST(list(got, want) == "", "told of and not so:\n" << list(got, want));
      BOOST_TEST(list(want, got) == "", "not told of:\n" << list(want, got));
    }
  }
  std::filesystem::remove_all(scratch());
  BOOST_TEST_MESSAGE(
      fmt::format("{} pairs, {} without a change: {} gains, {} losses, {} at some "
                  "instants",
                  pairs, same, gains, losses, timed));
  if (count < 50) return;  // too few to say anything of the generator
  BOOST_TEST(pairs > count / 2);
  BOOST_TEST(gains > 0U);
  BOOST_TEST(losses > 0U);
}

}  // namespace
}  // namespace meiguan::property
