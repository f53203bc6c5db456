// Every rule that matches a packet, as explain --all tells it: against the decision of the image
// and, rule by rule, against the naive twin.

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <set>

#include "controlplane/analysis/matched_rules.h"
#include "controlplane/policy/compile.h"
#include "dataplane/fastpath/decide.h"
#include "tests/property/naive_match.h"
#include "tests/property/random_policy.h"

namespace meiguan::property {
namespace {

struct Asked {
  Packet packet;
  Ends ends;
  analysis::Explanation::Ends located;
};

Asked random_question(Random& random, const policy::CheckedPolicy& policy,
                      const image::Image& image) {
  Asked asked;
  asked.packet = random_packet(random, policy);
  const auto zone = [&] {
    return ZoneId{static_cast<ZoneId::rep>(below(random, policy.zones.size()))};
  };
  asked.ends.from_zone = zone();
  asked.ends.to_zone = zone();
  asked.ends.from_space = policy.zones[asked.ends.from_zone.index()].space;
  asked.ends.to_space = policy.zones[asked.ends.to_zone.index()].space;
  asked.ends.by_objects = chance(random, 50);
  asked.ends.at = random_instant(random, policy);
  const auto unit = unit_at(policy, asked.ends.from_space, asked.packet.source);
  if (asked.ends.by_objects && unit.is_some()) {
    asked.ends.from_zone = policy.units[unit.index()].zone;
  }
  asked.located.subject = fastpath::find_subject(image, asked.ends.from_space, asked.packet.source,
                                                 asked.ends.from_zone);
  auto& target = asked.located.target;
  target = fastpath::find_target(image, asked.ends.to_space, asked.packet.destination,
                                 {asked.packet.protocol, asked.packet.value},
                                 asked.ends.by_objects ? ZoneId{} : asked.ends.to_zone);
  if (asked.ends.by_objects && image.targets()[target.number].zone_set == image::kNoZoneSet) {
    target.assumed_zone = asked.ends.to_zone;
  }
  return asked;
}

// What is wrong with the answer; empty where nothing is.
std::string compare(const policy::CheckedPolicy& policy, const image::Image& image,
                    const policy::CompileTrace& trace, const Asked& asked) {
  const image::Moment moment{image, asked.ends.at};
  const auto access = fastpath::decide(image, moment, asked.located.subject, asked.located.target);
  const auto matched = analysis::matched_rules(policy, image, trace, asked.located, moment);
  std::set<std::size_t> rules;
  std::set<std::uint32_t> audits;
  RuleId decides;
  for (const auto& one : matched) {
    if (!rules.insert(one.rule).second) return "a rule is told of twice";
    if (one.decides && decides.is_some()) return "two rules decide";
    if (one.decides) decides = RuleId{static_cast<std::uint32_t>(one.rule)};
    if (one.counts) audits.insert(static_cast<std::uint32_t>(one.rule));
    if (one.why.english.empty() || one.why.chinese.empty()) return "no reason is given";
  }
  if (decides != access.decision.rule) return "another rule decides";
  std::set<std::uint32_t> want;
  for (const auto& audit : access.audits) {
    if (moment.holds(audit.condition)) want.insert(audit.rule);
  }
  if (audits != want) return "other audits count";
  const Case c{policy,
               asked.packet,
               asked.ends,
               unit_at(policy, asked.ends.from_space, asked.packet.source),
               unit_at(policy, asked.ends.to_space, asked.packet.destination),
               services_at(policy, asked.ends.to_space, asked.packet)};
  for (std::size_t i = 0; i < policy.rules.size(); ++i) {
    const bool does = rule_matches(c, policy.rules[i]).matches;
    const bool told = rules.contains(i);
    // Of nodes below the root the scope may leave some out.
    // A mandatory allow outside its subtree is told of, and that it is passed over.
    const auto& rule = policy.rules[i];
    const bool may_be_outside = rule.action == policy::Action::kAllow &&
                                rule.phase == policy::Phase::kMandatory && rule.node != NodeId{0};
    if (told && !does && !may_be_outside)
      return fmt::format("rule {} does not match", policy.rules[i].id);
    if (does && !told && policy.rules[i].node == NodeId{0}) {
      return fmt::format("rule {} matches", policy.rules[i].id);
    }
  }
  return {};
}

BOOST_AUTO_TEST_CASE(matched_rules_agree_with_the_decision) {
  const char* const given = std::getenv("MEIGUAN_SEED");
  const std::uint64_t first = given != nullptr ? std::strtoull(given, nullptr, 0) : 9'000;
  const auto scratch = std::filesystem::temp_directory_path() /
                       fmt::format("meiguan-matched-{}", ::getpid());
  std::size_t several = 0;
  for (std::uint64_t seed = first; seed < first + 40; ++seed) {
    Random random{seed};
    PolicyText text = random_policy(random);
    const auto policy = text.load_accepted(scratch);
    std::filesystem::remove_all(scratch);
    if (!policy) continue;
    policy::CompileTrace trace;
    const auto compiled = policy::compile(*policy, nullptr, nullptr, &trace);
    if (!compiled) continue;
    const auto image = image::Image::open(compiled->bytes.span());
    BOOST_REQUIRE(image.has_value());
    for (int i = 0; i < 400; ++i) {
      const Asked asked = random_question(random, *policy, *image);
      const auto wrong = compare(*policy, *image, trace, asked);
      if (wrong.empty()) {
        ++several;
        continue;
      }
      BOOST_ERROR(fmt::format("seed {}: {} -> {} protocol {} value {} at {}: {}\n{}", seed,
                              net::to_string(asked.packet.source),
                              net::to_string(asked.packet.destination), asked.packet.protocol,
                              asked.packet.value, asked.ends.at, wrong, text.show()));
      return;
    }
  }
  BOOST_TEST(several > 1000U);
}

}  // namespace
}  // namespace meiguan::property
