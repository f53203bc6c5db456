// Schedules and dates in the image: conditions by meaning, branches, limits. That the branches say
// what policy.md says is tests/property's.

#include <fmt/format.h>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <string>

#include "controlplane/policy/compile.h"
#include "controlplane/policy/load.h"
#include "dataplane/image/reader.h"

namespace meiguan::policy {
namespace {

const std::string kHead = R"([node]
code = "1"
name = "r"
tier = "county"
[policy]
schema = 1
[[zone]]
id = "e"
kind = "extranet"
[[unit]]
id = "a"
zone = "e"
prefixes = ["10.0.1.0/24"]
[[unit]]
id = "b"
zone = "e"
prefixes = ["10.0.2.0/24"]
[[schedule]]
id = "day"
days = ["mon", "tue", "wed", "thu", "fri"]
start = 08:00:00
end = 18:00:00
[[schedule]]
id = "day-too"
days = ["fri", "thu", "wed", "tue", "mon"]
start = 08:00:00
end = 18:00:00
[[schedule]]
id = "ever"
days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
)";

std::string rule(std::size_t id, const std::string& action, const std::string& times,
                 const std::string& phase = "local") {
  return fmt::format(
      "[[rule]]\nid = \"r{}\"\naction = \"{}\"\nphase = \"{}\"\nfrom = [\"unit:a\"]\n"
      "to = [\"unit:b\"]\n{}\n",
      id, action, phase, times);
}

// A time of its own for each number.
std::string own_time(std::size_t i) {
  return fmt::format("expires = 2026-{:02}-{:02}T{:02}:{:02}:00", 1 + i % 12, 1 + i / 12 % 28,
                     i / 336 % 24, i / 8064 % 60);
}

Result<Compiled> compiled(const std::string& rules) {
  const auto policy = load_policy_text("node.toml", kHead + rules);
  BOOST_REQUIRE(policy.has_value());
  return compile(*policy, nullptr, nullptr);
}

BOOST_AUTO_TEST_CASE(conditions_and_branches_are_no_more_than_the_policy_needs) {
  struct Case {
    const char* name;
    std::string rules;
    std::size_t schedules;
    std::size_t conditions;
    std::size_t branches;
  };
  const std::string day = "schedule = \"day\"";
  const std::string until = "expires = 2026-12-31";
  const std::string audits = [] {
    std::string rules;
    for (std::size_t i = 0; i < 300; ++i) rules += rule(i, "audit", own_time(i));
    return rules;
  }();
  const std::string chain = [] {
    std::string rules;
    for (std::size_t i = 0; i < 300; ++i) rules += rule(i, "allow", own_time(i));
    return rules;
  }();
  for (const Case& c : {
           Case{"none", rule(1, "allow", ""), 0, 0, 0},
           Case{"a schedule that always holds", rule(1, "allow", "schedule = \"ever\""), 0, 0, 0},
           Case{"one", rule(1, "allow", day), 1, 1, 1},
           Case{"equal schedules of two names",
                rule(1, "allow", day) + rule(2, "deny", "schedule = \"day-too\""), 1, 1, 1},
           Case{"the same date twice", rule(1, "deny", until) + rule(2, "allow", until), 0, 1, 1},
           Case{"a date and a date-time that mean the same",
                rule(1, "deny", until) + rule(2, "allow", "expires = 2027-01-01T00:00:00"), 0, 1,
                1},
           Case{"schedule and date together", rule(1, "allow", day + "\n" + until), 1, 1, 1},
           // Where an allow that names no service is passed over, more is asked than behind a deny.
           Case{"behind a deny that is always there", rule(1, "deny", "") + rule(2, "deny", day), 1,
                1, 0},
           Case{"behind an allow that is always there", rule(1, "allow", "") + rule(2, "deny", day),
                1, 1, 1},
           Case{"a mandatory one leaves the local one out",
                rule(1, "deny", day, "mandatory") + rule(2, "deny", "") +
                    rule(3, "deny", until, "baseline"),
                1, 2, 1},
           Case{"audits, each with a time of its own", audits, 0, 300, 0},
           // A condition each; the first that holds decides.
           Case{"a chain of 300", chain, 0, 300, 300},
       }) {
    const auto result = compiled(c.rules);
    BOOST_REQUIRE_MESSAGE(result.has_value(), c.name);
    const auto image = image::Image::open(result->bytes.span());
    BOOST_REQUIRE_MESSAGE(image.has_value(), c.name);
    BOOST_TEST(image->schedules().size() == c.schedules, c.name);
    BOOST_TEST(image->conditions().size() == c.conditions, c.name);
    BOOST_TEST(image->branches().size() == c.branches, c.name);
  }
}

BOOST_AUTO_TEST_CASE(too_many_times_are_an_error_that_names_a_rule) {
  const auto repeat = [](std::size_t n, auto&& make) {
    std::string rules;
    for (std::size_t i = 0; i < n; ++i) rules += make(i);
    return rules;
  };
  struct Case {
    const char* name;
    std::string rules;
    const char* english;
    const char* chinese;
  };
  for (const Case& c : {
           Case{"conditions",
                repeat(image::kMaxConditions + 1,
                       [](std::size_t i) { return rule(i, "deny", own_time(i)); }),
                "rule 1/r4096 (node.toml:", "规则 1/r4096（node.toml:"},
           Case{"a cell", repeat(3000, [](std::size_t i) { return rule(i, "deny", own_time(i)); }),
                "too many rules of different schedules and dates match the same traffic",
                "匹配同一流量而时间表、日期各不相同的规则过多"},
           Case{"all cells",
                repeat(3000,
                       [](std::size_t i) {
                         return rule(i, i % 2 == 0 ? "audit" : "deny", own_time(i));
                       }),
                "meet in more combinations than can be worked out", "组合过多，无法全部算出"},
       }) {
    const auto result = compiled(c.rules);
    BOOST_REQUIRE_MESSAGE(!result.has_value(), c.name);
    const Text& message = result.error().message;
    BOOST_TEST(message.english.find(c.english) != std::string::npos, message.english);
    BOOST_TEST(message.chinese.find(c.chinese) != std::string::npos, message.chinese);
    BOOST_TEST(message.english.find("1/r") != std::string::npos, message.english);
  }
}

BOOST_AUTO_TEST_CASE(equal_policies_with_times_give_equal_bytes) {
  std::string rules;
  for (std::size_t i = 0; i < 40; ++i) {
    rules += rule(i, i % 3 == 0 ? "deny" : i % 3 == 1 ? "allow" : "audit", own_time(i % 11));
  }
  const auto one = compiled(rules);
  const auto two = compiled(rules);
  BOOST_REQUIRE(one.has_value());
  BOOST_REQUIRE(two.has_value());
  BOOST_TEST(std::ranges::equal(one->bytes.span(), two->bytes.span()));
  // What changes nothing but a time changes the digest.
  const auto later = compiled(rules + rule(99, "deny", own_time(12)));
  BOOST_REQUIRE(later.has_value());
  BOOST_TEST(image::Image::open(one->bytes.span())->meta().policy_digest !=
             image::Image::open(later->bytes.span())->meta().policy_digest);
}

}  // namespace
}  // namespace meiguan::policy
