// prove against exhaustive enumeration: on random small policies, random assertions are decided
// both ways, and every counter-example must be one. MEIGUAN_SEED and MEIGUAN_POLICIES choose
// another run.

#include <fmt/format.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <cstdlib>

#include "controlplane/analysis/assertions.h"
#include "controlplane/policy/compile.h"
#include "dataplane/fastpath/decide.h"
#include "tests/property/random_policy.h"
#include "tests/property/universe.h"

namespace meiguan::property {
namespace {

using policy::Assertion;
using policy::CheckedPolicy;
using policy::Selector;

constexpr std::int64_t kBefore = 1'767'225'600;  // 2026-01-01T08:00+08:00, before all dates
constexpr std::int64_t kAmong = 1'772'380'800;   // 2026-03-02, the first day of three weeks of them

std::uint64_t from_environment(const char* name, std::uint64_t otherwise) {
  const char* const value = std::getenv(name);
  return value != nullptr ? std::strtoull(value, nullptr, 0) : otherwise;
}

std::filesystem::path scratch() {
  static const auto path = std::filesystem::temp_directory_path() /
                           fmt::format("meiguan-property-prove-{}", ::getpid());
  return path;
}

// Selectors that stand in the policy's rules, so that they mean something in it.
std::vector<Selector> some(Random& random, const CheckedPolicy& policy, bool to) {
  std::vector<Selector> result;
  const std::size_t n = 1 + below(random, 2);
  for (std::size_t i = 0; i < n; ++i) {
    const auto& rule = policy.rules[below(random, policy.rules.size())];
    const auto& list = to ? rule.to : rule.from;
    result.push_back(list[below(random, list.size())]);
    if (chance(random, 15)) {
      result.back() = {};
      result.back().kind = policy::SelectorKind::kZone;
      result.back().zone = ZoneId{static_cast<ZoneId::rep>(below(random, policy.zones.size()))};
    }
  }
  return result;
}

Assertion random_assertion(Random& random, const CheckedPolicy& policy) {
  Assertion assertion;
  assertion.id = "a";
  assertion.node = NodeId{0};
  assertion.always = chance(random, 40);
  assertion.from = some(random, policy, false);
  if (chance(random, 30)) assertion.from = {Selector{}};  // any
  assertion.to = some(random, policy, true);
  if (chance(random, 30)) assertion.to = {Selector{}};
  if (chance(random, 40)) assertion.except_from = some(random, policy, false);
  if (chance(random, 40)) assertion.except_to = some(random, policy, true);
  if (chance(random, 50)) {
    const auto& ports = policy.rules[below(random, policy.rules.size())].ports;
    assertion.ports = ports;
    if (!ports.empty() && !ports.front().whole && chance(random, 50)) {
      ++assertion.ports.front().first;
      assertion.ports.front().last = std::max(assertion.ports.front().last,
                                              assertion.ports.front().first);
    }
  }
  return assertion;
}

struct Totals {
  std::size_t policies{0};
  std::size_t hold{0};
  std::size_t fail{0};
  std::size_t timed{0};
  std::size_t of_none{0};
};

// What enumeration says: whether there is a packet against it, and whether any matches at all.
struct Enumerated {
  bool holds{true};
  bool speaks_of_none{true};
};

Enumerated enumerate(const CheckedPolicy& policy, const image::Image& image,
                     const std::vector<image::Moment>& moments, const Assertion& assertion) {
  Cuts cuts;
  add_cuts(policy, cuts);
  const Universe universe = count_out(policy, cuts);
  std::vector<UniverseTarget> targets;
  for (const auto& to : universe.targets) {
    if (speaks_of(policy, assertion, to)) targets.push_back(to);
  }
  Enumerated result;
  for (const auto& from : universe.sources) {
    if (!speaks_of(policy, assertion, from)) continue;
    for (const auto& to : targets) {
      if (from.address.family() != to.address.family()) continue;
      result.speaks_of_none = false;
      for (const auto& moment : moments) {
        if (lets_by(image, moment, from, to) != assertion.always) result.holds = false;
      }
      if (!result.holds) return result;
    }
  }
  return result;
}

std::string check_example(const CheckedPolicy& policy, const image::Image& image,
                          const Assertion& assertion, const analysis::Example& example,
                          std::int64_t now) {
  const UniverseSource from{example.from, policy.zones[example.from_zone.index()].space,
                            example.from_zone};
  const UniverseTarget to{example.to.address, example.to.protocol.number, example.to.protocol.value,
                          policy.zones[example.to_zone.index()].space, example.to_zone};
  if (!speaks_of(policy, assertion, from)) return "the assertion does not speak of its source";
  if (!speaks_of(policy, assertion, to)) return "the assertion does not speak of its destination";
  if (example.at < now) return "it lies in the past";
  const image::Moment moment{image, example.at};
  const bool allowed = lets_by(image, moment, from, to);
  if (allowed != example.decision.forwards()) return "it is judged otherwise";
  if (allowed == assertion.always) return "it is not against the assertion";
  return {};
}

BOOST_AUTO_TEST_CASE(prove_agrees_with_enumeration) {
  const auto first = from_environment("MEIGUAN_SEED", 20260301);
  const auto count = from_environment("MEIGUAN_POLICIES", 60);
  Totals totals;
  for (std::uint64_t seed = first; seed < first + count; ++seed) {
    Random random{seed};
    auto text = random_policy(random);
    auto loaded = text.load_accepted(scratch());
    if (!loaded || loaded->rules.empty()) continue;
    ++totals.policies;
    // Judged by an image that knows nothing of the assertion.
    CheckedPolicy plain = *loaded;
    plain.assertions.clear();
    const auto compiled = policy::compile(plain, nullptr, nullptr);
    BOOST_REQUIRE(compiled);
    const auto image = image::Image::open(compiled->bytes.span());
    BOOST_REQUIRE(image);
    const std::int64_t now = chance(random, 40)
                                 ? kBefore
                                 : kAmong + static_cast<std::int64_t>(below(random, 22 * 86'400));
    const auto moments = all_moments(*image, now);
    for (int i = 0; i < 6; ++i) {
      CheckedPolicy policy = plain;
      policy.assertions.push_back(random_assertion(random, policy));
      const Assertion& assertion = policy.assertions.front();
      const auto with = policy::compile(policy, nullptr, nullptr);
      BOOST_REQUIRE(with);
      const auto with_image = image::Image::open(with->bytes.span());
      BOOST_REQUIRE(with_image);
      analysis::Assertions assertions{policy, *with, *with_image, now};
      const auto got = assertions.decide(0);
      const auto want = enumerate(policy, *image, moments, assertion);
      ++(got.holds ? totals.hold : totals.fail);
      if (got.speaks_of_none) ++totals.of_none;
      BOOST_TEST_CONTEXT(fmt::format("seed {} assertion {}\n{}", seed, i, text.show())) {
        BOOST_TEST(got.holds == want.holds);
        if (got.holds) BOOST_TEST(got.speaks_of_none == want.speaks_of_none);
        if (!got.holds) {
          if (got.example->timed) ++totals.timed;
          BOOST_TEST(check_example(policy, *image, assertion, *got.example, now) == "");
        }
      }
    }
  }
  std::filesystem::remove_all(scratch());
  BOOST_TEST_MESSAGE(
      fmt::format("{} policies: {} assertions hold ({} of no packet), {} do not, {} "
                  "at some instants",
                  totals.policies, totals.hold, totals.of_none, totals.fail, totals.timed));
  BOOST_TEST(totals.hold > totals.of_none);
  BOOST_TEST(totals.fail > 0U);
}

}  // namespace
}  // namespace meiguan::property
