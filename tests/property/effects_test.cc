// What analysis says of each rule, against what the compiled images say with the rule and without
// it: over every packet that the image can tell apart and every state of the schedules.

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <set>

#include "controlplane/analysis/instants.h"
#include "controlplane/analysis/reach.h"
#include "controlplane/analysis/rule_effects.h"
#include "controlplane/policy/compile.h"
#include "controlplane/policy/compile_trace.h"
#include "dataplane/fastpath/decide.h"
#include "tests/property/random_policy.h"

namespace meiguan::property {
namespace {

using analysis::RuleEffect;
using policy::Action;
using policy::CheckedPolicy;

constexpr std::int64_t kFrom = 1'772'000'000;  // 2026-02-25, before the dates of random policies

// One packet of each kind that the image tells apart, both ends in the zones of their objects.
struct Sample {
  SpaceId from_space;
  SpaceId to_space;
  net::Address source;
  net::Address destination;
  fastpath::Protocol protocol;
  ZoneId in_zone;
  ZoneId assumed_zone;
};

std::vector<Sample> samples_of(const image::Image& image) {
  const analysis::Reach reach{image};
  std::vector<Sample> samples;
  for (const net::Family family : {net::Family::kIpv4, net::Family::kIpv6}) {
    const auto bit = analysis::bit_of(family);
    std::set<std::tuple<std::uint32_t, ZoneId>> of_sources;
    for (const auto& from : reach.sources()) {
      if ((from.families & bit) == 0 || !of_sources.emplace(from.row, from.zone).second) continue;
      std::set<std::tuple<std::uint32_t, std::uint32_t>> of_targets;
      for (const auto& to : reach.targets()) {
        const auto key = reach.key(to, family);
        if ((to.families & bit) == 0 || !key) continue;
        if (!of_targets.emplace(to.column, reach.isolation_key(to)).second) continue;
        samples.push_back(
            {from.space,
             to.space,
             reach.ranges(from.space, family, from.atom)[0].first,
             reach.ranges(to.space, family, to.atom)[0].first,
             {static_cast<std::uint8_t>(*key >> 16), static_cast<std::uint16_t>(*key & 0xffff)},
             from.zone,
             to.zone});
      }
    }
  }
  return samples;
}

struct Asked {
  fastpath::Subject subject;
  fastpath::Target target;
};

Asked locate(const image::Image& image, const Sample& sample) {
  Asked asked;
  asked.subject = fastpath::find_subject(image, sample.from_space, sample.source, sample.in_zone);
  asked.target = fastpath::find_target(image, sample.to_space, sample.destination, sample.protocol,
                                       ZoneId{});
  asked.target.assumed_zone = sample.assumed_zone;
  return asked;
}

// One instant of each state that the conditions can be in.
std::vector<std::int64_t> instants_of(const image::Image& image) {
  std::vector<analysis::ConditionRef> refs;
  for (std::uint32_t c = 0; c < image.conditions().size(); ++c) refs.push_back({&image, c});
  std::vector<std::int64_t> instants;
  for (const auto& one : analysis::constellations(refs, kFrom)) instants.push_back(one.first);
  return instants;
}

struct Loaded {
  CheckedPolicy policy;
  policy::Compiled compiled;
  policy::CompileTrace trace;
  image::Image image;
};

std::optional<Loaded> compiled(CheckedPolicy policy) {
  policy::CompileTrace trace;
  auto compiled = policy::compile(policy, nullptr, nullptr, &trace);
  if (!compiled) return std::nullopt;
  auto image = image::Image::open(compiled->bytes.span());
  if (!image) return std::nullopt;
  return Loaded{std::move(policy), std::move(*compiled), std::move(trace), *image};
}

std::optional<Loaded> load(const PolicyText& text) {
  static const auto scratch = std::filesystem::temp_directory_path() /
                              fmt::format("meiguan-effects-{}", ::getpid());
  auto policy = text.load(scratch);
  std::filesystem::remove_all(scratch);
  if (!policy) return std::nullopt;
  return compiled(std::move(*policy));
}

// The text without one rule.
PolicyText without(const PolicyText& text, const CheckedPolicy& policy, const policy::Rule& rule) {
  PolicyText result = text;
  const auto before = std::erase_if(result.blocks, [&](const Block& block) {
    return block.file == policy.files[rule.place.file] && block.text.starts_with("[[rule]]") &&
           block.text.find(fmt::format("id = \"{}\"\n", rule.id)) != std::string::npos;
  });
  BOOST_REQUIRE_EQUAL(before, 1U);
  return result;
}

// Whether the search comes to a decision by the rule, or past the audit.
bool takes_part(const fastpath::Access& access, const image::Moment& moment, RuleId rule) {
  if (access.decision.rule == rule) return true;
  return std::ranges::any_of(access.audits, [&](const image::AuditRecord& audit) {
    return audit.rule == rule.value() && moment.holds(audit.condition);
  });
}

constexpr std::size_t kMostInstants = 60;

struct Instants {
  const std::vector<std::int64_t>& some;
  bool all;
};

// What is wrong with the effect of one rule; empty where nothing is.
std::string compare(const PolicyText& text, const Loaded& whole, const Instants& instants,
                    const std::vector<Sample>& samples, std::size_t index,
                    const RuleEffect& effect) {
  const policy::Rule& rule = whole.policy.rules[index];
  const auto rest = load(without(text, whole.policy, rule));
  if (!rest) return "does not load without the rule";
  bool decides = false;
  bool is_needed = rule.action == Action::kAudit;
  std::string changed;
  for (const std::int64_t at : instants.some) {
    const image::Moment moment{whole.image, at};
    const image::Moment moment_of_rest{rest->image, at};
    for (const Sample& sample : samples) {
      const Asked asked = locate(whole.image, sample);
      const auto access = fastpath::decide(whole.image, moment, asked.subject, asked.target);
      const bool takes = takes_part(access, moment, RuleId{static_cast<std::uint32_t>(index)});
      decides = decides || takes;
      // A rule that does not take part cannot be missed, but that is also to be shown.
      const Asked other = locate(rest->image, sample);
      const auto rests = fastpath::decide(rest->image, moment_of_rest, other.subject, other.target);
      if (access.decision.forwards() == rests.decision.forwards()) continue;
      is_needed = true;
      if (changed.empty()) {
        changed = fmt::format("{} -> {} protocol {} value {} at {}", net::to_string(sample.source),
                              net::to_string(sample.destination), sample.protocol.number,
                              sample.protocol.value, at);
      }
    }
  }
  // An allow of a service that is not published decides, and yet no rule is named.
  const bool says_decides = effect.decides;
  if (decides && !says_decides) return "decides, but is said not to";
  const bool says_needed = effect.is_needed;
  if (rule.action == Action::kAudit) {
    return !instants.all || decides == says_decides ? "" : "audit: differs";
  }
  if (is_needed != says_needed && (is_needed || instants.all)) {
    return fmt::format("is {}needed, but is said {}to be: {}", is_needed ? "" : "not ",
                       says_needed ? "" : "not ", changed);
  }
  return {};
}

BOOST_AUTO_TEST_CASE(what_rules_do_is_what_their_absence_changes) {
  const char* const given = std::getenv("MEIGUAN_SEED");
  const std::uint64_t first = given != nullptr ? std::strtoull(given, nullptr, 0) : 7'000;
  const char* const how_many = std::getenv("MEIGUAN_EFFECTS");
  const std::uint64_t policies = how_many != nullptr ? std::strtoull(how_many, nullptr, 0) : 25;
  std::size_t unneeded = 0;
  std::size_t conditional = 0;
  for (std::uint64_t seed = first; seed < first + policies; ++seed) {
    Random random{seed};
    PolicyText text = random_policy(random);
    const auto scratch = std::filesystem::temp_directory_path() /
                         fmt::format("meiguan-effects-{}", ::getpid());
    auto accepted = text.load_accepted(scratch);
    std::filesystem::remove_all(scratch);
    if (!accepted) continue;
    const auto whole = compiled(std::move(*accepted));
    if (!whole) continue;
    const auto samples = samples_of(whole->image);
    auto instants = instants_of(whole->image);
    const auto effects = analysis::find_effects(whole->policy, whole->image, whole->trace, kFrom);
    // So many states that asking all would take long: then a rule that is said not to matter must
    // not, and nothing is asked of the others.
    const bool all_instants = instants.size() <= kMostInstants;
    if (!all_instants) {
      std::shuffle(instants.begin(), instants.end(), random);
      instants.resize(kMostInstants);
    }
    conditional += whole->image.conditions().size();
    for (std::size_t i = 0; i < effects.rules.size(); ++i) {
      const RuleEffect& effect = effects.rules[i];
      const auto wrong = compare(text, *whole, {instants, all_instants}, samples, i, effect);
      if (!effect.is_needed) ++unneeded;
      if (wrong.empty()) continue;
      BOOST_ERROR(fmt::format("seed {}: rule {} {}\n{}", seed,
                              whole->policy.full_name(whole->policy.rules[i]), wrong, text.show()));
      return;
    }
  }
  BOOST_TEST_MESSAGE(fmt::format("{} rules not needed, {} conditions", unneeded, conditional));
  BOOST_TEST(unneeded > 0U);
}

}  // namespace
}  // namespace meiguan::property
