// The compiled image and fastpath/decide.h against the naive twin, on random policies. On a
// mismatch the seed is printed, and the policy with every block taken out that the mismatch does
// not need. MEIGUAN_SEED and MEIGUAN_POLICIES choose another run.

#define BOOST_TEST_MODULE property
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <functional>
#include <map>
#include <string_view>

#include "controlplane/analysis/explain.h"
#include "controlplane/analysis/names.h"
#include "controlplane/policy/compile.h"
#include "controlplane/policy/load.h"
#include "dataplane/fastpath/decide.h"
#include "tests/property/naive_match.h"
#include "tests/property/random_policy.h"

namespace meiguan::property {
namespace {

using fastpath::Reason;
using policy::CheckedPolicy;

struct Subject {
  const CheckedPolicy& policy;
  const policy::CheckedGateway* gateway;
  const policy::Compiled& compiled;
  const image::Image& image;
};

std::uint64_t from_environment(const char* name, std::uint64_t otherwise) {
  const char* const value = std::getenv(name);
  return value != nullptr ? std::strtoull(value, nullptr, 0) : otherwise;
}

std::filesystem::path scratch() {
  static const auto path = std::filesystem::temp_directory_path() /
                           fmt::format("meiguan-property-{}", ::getpid());
  return path;
}

std::string show(const Packet& packet, std::int64_t at) {
  return fmt::format("{} -> {} protocol {} value {} at {}", net::to_string(packet.source),
                     net::to_string(packet.destination), packet.protocol, packet.value, at);
}

std::string show(const Answer& answer) {
  std::string audits;
  for (const auto& audit : answer.audits) audits += " " + audit;
  const auto* const info = fastpath::find_reason(answer.reason);
  return fmt::format("{} rule={} unit={} to_unit={} service={} audits={}",
                     info != nullptr ? info->name : "?", answer.rule, answer.unit, answer.to_unit,
                     answer.service, audits);
}

bool same(const Answer& got, const Answer& want) {
  const bool reason = got.reason == want.reason ||
                      (want.either_isolation && (got.reason == Reason::kZoneIsolated ||
                                                 got.reason == Reason::kInternetIsolated));
  return reason && got.rule == want.rule && got.unit == want.unit && got.to_unit == want.to_unit &&
         got.service == want.service && got.audits == want.audits;
}

Answer by_image(const Subject& s, const Packet& packet, const Ends& ends) {
  const analysis::Names names{s.compiled.catalog};
  const auto unit = unit_at(s.policy, ends.from_space, packet.source);
  ZoneId in_zone = ends.from_zone;
  if (ends.by_objects && unit.is_some()) in_zone = s.policy.units[unit.index()].zone;
  const auto subject = fastpath::find_subject(s.image, ends.from_space, packet.source, in_zone);
  auto target = fastpath::find_target(s.image, ends.to_space, packet.destination,
                                      {packet.protocol, packet.value},
                                      ends.by_objects ? ZoneId{} : ends.to_zone);
  if (ends.by_objects && s.image.targets()[target.number].zone_set == image::kNoZoneSet) {
    target.assumed_zone = ends.to_zone;
  }
  const image::Moment moment{s.image, ends.at};
  const auto access = fastpath::decide(s.image, moment, subject, target);
  Answer answer;
  answer.reason = access.decision.reason;
  answer.rule = names.rule_name(access.decision.rule);
  answer.unit = names.unit_id(subject.unit);
  answer.to_unit = names.unit_id(target.unit);
  answer.service = names.service_id(target.service);
  for (const auto& audit : access.audits) {
    if (moment.holds(audit.condition)) {
      answer.audits.emplace_back(names.rule_name(RuleId{audit.rule}));
    }
  }
  std::sort(answer.audits.begin(), answer.audits.end());
  return answer;
}

// One question put to both sides; the difference as text, empty where they agree.
using Question = std::function<std::string(const Subject&)>;

std::string compare_decision(const Subject& s, const Packet& packet, Ends ends) {
  ends.gateway = s.gateway;
  const auto want = decide(s.policy, packet, ends);
  const auto got = by_image(s, packet, ends);
  if (same(got, want)) return {};
  return fmt::format("{}\n  spaces {} -> {}, zones {} -> {}{}\n  image: {}\n  naive: {}\n",
                     show(packet, ends.at), ends.from_space.value(), ends.to_space.value(),
                     s.policy.zones[ends.from_zone.index()].id,
                     s.policy.zones[ends.to_zone.index()].id,
                     ends.by_objects ? " (by the objects)" : "", show(got), show(want));
}

// The whole judgement of a gateway, by explain: that is a Pipeline's own answer.
std::string compare_judgement(const Subject& s, const Packet& packet, PortId in, std::int64_t at) {
  const auto want = judge(s.policy, *s.gateway, in, packet, at);
  analysis::Question question;
  question.from = packet.source;
  question.to = {packet.destination, {packet.protocol, packet.value}};
  question.in = in;
  question.at = at;
  const auto explained = analysis::explain(s.image, s.compiled.catalog, question);
  if (!explained) return show(packet, at) + "\n  explain: " + explained.error().message.english;
  const analysis::Names names{s.compiled.catalog};
  Answer got;
  got.reason = explained->decision.reason;
  got.rule = names.rule_name(explained->decision.rule);
  got.unit = names.unit_id(explained->unit);
  got.to_unit = names.unit_id(explained->to_unit);
  got.service = names.service_id(explained->service);
  got.audits = want.audits;  // compared by compare_decision
  if (same(got, want)) return {};
  return fmt::format("{}\n  in by {}\n  pipeline: {}\n  naive:    {}\n", show(packet, at),
                     s.gateway->ports[in.index()].name, show(got), show(want));
}

// Builds what a question needs from text, asks, and tells the difference; nothing where the text
// is not a policy any more.
std::optional<std::string> ask(const PolicyText& text, const std::string& gateway_text,
                               const Question& question) {
  const auto policy = text.load(scratch());
  if (!policy) return std::nullopt;
  std::optional<policy::CheckedGateway> gateway;
  if (!gateway_text.empty()) {
    auto loaded = policy::load_gateway_text("gateway.toml", gateway_text, *policy);
    if (!loaded) return std::nullopt;
    gateway.emplace(std::move(*loaded));
  }
  const auto compiled = policy::compile(*policy, gateway ? &*gateway : nullptr, nullptr);
  if (!compiled) return std::nullopt;
  const auto image = image::Image::open(compiled->bytes.span());
  if (!image) return "the image is not valid: " + image.error().message.english;
  return question({*policy, gateway ? &*gateway : nullptr, *compiled, *image});
}

// Takes out every block that the mismatch does not need.
std::string minimal(PolicyText text, const std::string& gateway, const Question& question) {
  bool smaller = true;
  while (smaller) {
    smaller = false;
    for (std::size_t i = text.blocks.size(); i-- > 0;) {
      if (text.blocks[i].fixed) continue;
      PolicyText without = text;
      without.blocks.erase(without.blocks.begin() + static_cast<std::ptrdiff_t>(i));
      const auto difference = ask(without, gateway, question);
      if (difference && !difference->empty()) {
        text = std::move(without);
        smaller = true;
      }
    }
  }
  return text.show();
}

// More often than not the extranet, so that not everything is isolated.
ZoneId random_zone(Random& random, const CheckedPolicy& policy) {
  if (chance(random, 50)) return ZoneId{0};
  return ZoneId{static_cast<ZoneId::rep>(below(random, policy.zones.size()))};
}

struct Totals {
  std::size_t policies{0};
  std::size_t gateways{0};
  std::size_t questions{0};
  std::size_t branches{0};  // of the images' matrices
  std::map<std::string_view, std::size_t> reasons;
  std::map<std::string_view, std::size_t> judged;  // by a whole gateway
  std::size_t offers{0};     // questions that were allowed by what a node above had offered
  std::size_t egress{0};     // ... that went to the internet by an egress
  std::size_t crossings{0};  // ... from one address space to another
  std::size_t mismatches{0};
};

// Whether the packet goes to the internet, where nothing stands.
bool goes_out(const CheckedPolicy& policy, const Packet& packet, const Ends& ends) {
  return policy.zones[ends.to_zone.index()].kind == image::ZoneKind::kInternet &&
         unit_at(policy, ends.to_space, packet.destination).is_none() &&
         services_at(policy, ends.to_space, packet).empty();
}

// Whether the rule that allowed it stands below everything that there is at the destination.
bool is_by_offer(const CheckedPolicy& policy, const Answer& answer) {
  if (answer.reason != Reason::kAllowed) return false;
  const auto rule = std::ranges::find_if(policy.rules, [&](const policy::Rule& r) {
    return policy.full_name(r) == answer.rule;
  });
  const auto is_own = [&](const auto& objects, const std::string& id) {
    const auto it = std::ranges::find_if(objects, [&](const auto& o) { return o.id == id; });
    return it != objects.end() && policy.is_within(it->node, rule->node);
  };
  return rule->node != NodeId{0} && !is_own(policy.services, answer.service) &&
         !is_own(policy.units, answer.to_unit);
}

// Every service of a node above that an allow names outright was offered to all its sources.
void check_rights(std::uint64_t seed, const CheckedPolicy& policy) {
  for (const policy::Rule& rule : policy.rules) {
    if (rule.action != policy::Action::kAllow || rule.node == NodeId{0}) continue;
    for (const policy::Selector& s : rule.to) {
      if (s.kind != policy::SelectorKind::kService) continue;
      const policy::Service& service = policy.services[s.service.index()];
      BOOST_TEST((policy.is_within(service.node, rule.node) || is_offered(policy, rule, s.service)),
                 "seed " << seed << ": " << policy.full_name(rule) << " opens " << service.id);
    }
  }
}

void count(std::map<std::string_view, std::size_t>& reasons, Reason reason) {
  const auto* const info = fastpath::find_reason(reason);
  ++reasons[info != nullptr ? info->name : "?"];
}

void report(std::uint64_t seed, const PolicyText& text, const std::string& gateway,
            const Question& question, const std::string& difference, Totals& totals) {
  if (++totals.mismatches > 5) return;
  BOOST_TEST_MESSAGE("");
  BOOST_ERROR(fmt::format("seed {}: {}\n{}\n{}", seed, difference, minimal(text, gateway, question),
                          gateway));
}

void run_without_gateway(std::uint64_t seed, Random& random, PolicyText& text, Totals& totals) {
  const auto policy = text.load_accepted(scratch());
  if (!policy) return;
  const auto compiled = policy::compile(*policy, nullptr, nullptr);
  BOOST_REQUIRE_MESSAGE(compiled, "seed " << seed << ": does not compile");
  const auto image = image::Image::open(compiled->bytes.span());
  BOOST_TEST_REQUIRE(image.has_value(), "seed " << seed);
  ++totals.policies;
  check_rights(seed, *policy);
  totals.branches += image->branches().size();
  const Subject subject{*policy, nullptr, *compiled, *image};
  for (int i = 0; i < 400; ++i) {
    const auto packet = random_packet(random, *policy);
    Ends ends;
    ends.by_objects = true;
    ends.from_zone = random_zone(random, *policy);
    ends.to_zone = chance(random, 50) ? ends.from_zone : random_zone(random, *policy);
    ends.from_space = policy->zones[ends.from_zone.index()].space;
    ends.to_space = policy->zones[ends.to_zone.index()].space;
    ends.at = random_instant(random, *policy);
    const Question question = [packet, ends](const Subject& s) {
      return compare_decision(s, packet, ends);
    };
    ++totals.questions;
    const auto difference = question(subject);
    const Answer want = decide(*policy, packet, ends);
    count(totals.reasons, want.reason);
    totals.offers += is_by_offer(*policy, want) ? 1U : 0U;
    if (want.reason == Reason::kAllowed) {
      totals.egress += goes_out(*policy, packet, ends) ? 1U : 0U;
      totals.crossings += ends.from_space != ends.to_space ? 1U : 0U;
    }
    if (!difference.empty()) report(seed, text, {}, question, difference, totals);
  }
}

void run_with_gateway(std::uint64_t seed, Random& random, const PolicyText& text, Totals& totals) {
  const auto policy = text.load(scratch());
  if (!policy) return;
  std::string gateway_text;
  std::optional<policy::CheckedGateway> gateway;
  for (int attempt = 0; attempt < 20 && !gateway; ++attempt) {
    gateway_text = random_gateway(random, *policy);
    if (auto loaded = policy::load_gateway_text("gateway.toml", gateway_text, *policy); loaded) {
      gateway.emplace(std::move(*loaded));
    } else if (std::getenv("MEIGUAN_SHOW_REFUSED") != nullptr) {
      BOOST_TEST_MESSAGE(loaded.error().front().message.english);
    }
  }
  if (!gateway) return;
  const auto compiled = policy::compile(*policy, &*gateway, nullptr);
  BOOST_REQUIRE_MESSAGE(compiled, "seed " << seed << ": does not compile");
  const auto image = image::Image::open(compiled->bytes.span());
  BOOST_TEST_REQUIRE(image.has_value(), "seed " << seed);
  ++totals.gateways;
  const Subject subject{*policy, &*gateway, *compiled, *image};
  for (int i = 0; i < 250; ++i) {
    const auto packet = random_packet(random, *policy);
    // Any zones, whatever the routes: the classes of the image must hold for all of them.
    Ends ends;
    ends.from_zone = random_zone(random, *policy);
    ends.to_zone = chance(random, 40) ? ends.from_zone : random_zone(random, *policy);
    ends.from_space = policy->zones[ends.from_zone.index()].space;
    ends.to_space = policy->zones[ends.to_zone.index()].space;
    ends.at = random_instant(random, *policy);
    ends.gateway = &*gateway;
    const Question question = [packet, ends](const Subject& s) {
      return compare_decision(s, packet, ends);
    };
    ++totals.questions;
    const auto difference = question(subject);
    const Answer want = decide(*policy, packet, ends);
    count(totals.reasons, want.reason);
    totals.offers += is_by_offer(*policy, want) ? 1U : 0U;
    if (!difference.empty()) report(seed, text, gateway_text, question, difference, totals);
  }
  for (int i = 0; i < 40; ++i) {
    auto packet = random_packet(random, *policy);
    constexpr std::array<const char*, 24> kOdd{
        "255.255.255.255", "224.0.0.5",   "127.0.0.1",  "0.0.0.0",       "0.1.2.3",
        "240.0.0.1",       "169.254.1.1", "172.31.0.1", "172.31.0.7",    "172.31.0.8",
        "172.31.0.9",      "192.168.1.1", "ff02::5",    "::1",           "::",
        "fe80::1",         "fd00::1",     "4000::1",    "2001:db8:ff::", "2001:db8:ff::1",
        "2001:db8:ff:1::", "100.64.0.1",  "8.8.8.8",    "2400::1"};
    if (chance(random, 30)) {
      const auto odd = *net::parse_address(kOdd[below(random, kOdd.size())]);
      if (odd.family() == packet.source.family()) {
        (chance(random, 50) ? packet.source : packet.destination) = odd;
      }
    }
    const PortId in{static_cast<PortId::rep>(below(random, gateway->ports.size()))};
    const auto at = random_instant(random, *policy);
    const Question question = [packet, in, at](const Subject& s) {
      return compare_judgement(s, packet, in, at);
    };
    ++totals.questions;
    const auto difference = question(subject);
    count(totals.judged, judge(*policy, *gateway, in, packet, at).reason);
    if (!difference.empty()) report(seed, text, gateway_text, question, difference, totals);
  }
}

BOOST_AUTO_TEST_CASE(image_agrees_with_policy_text) {
  const auto first = from_environment("MEIGUAN_SEED", 20260105);
  const auto count = from_environment("MEIGUAN_POLICIES", 150);
  Totals totals;
  for (std::uint64_t seed = first; seed < first + count && totals.mismatches <= 5; ++seed) {
    Random random{seed};
    auto text = random_policy(random);
    run_without_gateway(seed, random, text, totals);
    run_with_gateway(seed, random, text, totals);
  }
  std::filesystem::remove_all(scratch());
  BOOST_TEST_MESSAGE(
      fmt::format("{} policies, {} with a gateway, {} branches, {} questions, {} by an offer, "
                  "{} by an egress, {} by a translate, {} mismatches",
                  totals.policies, totals.gateways, totals.branches, totals.questions,
                  totals.offers, totals.egress, totals.crossings, totals.mismatches));
  for (const auto& [name, n] : totals.reasons) BOOST_TEST_MESSAGE(fmt::format("  {} {}", name, n));
  for (const auto& [name, n] : totals.judged) {
    BOOST_TEST_MESSAGE(fmt::format("  at a gateway {} {}", name, n));
  }
  BOOST_TEST(totals.mismatches == 0U);
  if (count < 50) return;  // too few to say anything of the generator
  // A generator whose policies are all refused tests nothing.
  BOOST_TEST(totals.policies > count / 2);
  BOOST_TEST(totals.gateways > count / 4);
  BOOST_TEST(totals.branches > 10 * count);
  BOOST_TEST(totals.reasons["allowed"] > totals.questions / 50);
  BOOST_TEST(totals.reasons["denied"] > totals.questions / 50);
  BOOST_TEST(totals.judged["allowed"] > 0U);
  BOOST_TEST(totals.offers > count / 50);
  BOOST_TEST(totals.egress > 0U);
  BOOST_TEST(totals.crossings > 0U);
}

}  // namespace
}  // namespace meiguan::property
