// `explain` at an instant: the answer, and until when it holds.

#include <boost/test/unit_test.hpp>

#include <optional>
#include <string>

#include "controlplane/analysis/explain.h"
#include "controlplane/policy/compile.h"
#include "controlplane/policy/instant_text.h"
#include "controlplane/policy/load.h"

namespace meiguan::analysis {
namespace {

const std::string kPolicy = R"([node]
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
id = "office-hours"
days = ["mon", "tue", "wed", "thu", "fri"]
start = 08:30:00
end = 18:00:00
[[schedule]]
id = "mornings"
days = ["mon", "tue", "wed", "thu", "fri"]
start = 08:30:00
end = 12:00:00
[[rule]]
id = "never-ends"
action = "allow"
from = ["unit:a"]
to = ["unit:b"]
ports = ["22/tcp"]
[[rule]]
id = "by-day"
action = "allow"
from = ["unit:a"]
to = ["unit:b"]
ports = ["80/tcp"]
schedule = "office-hours"
not_before = 2026-11-23
expires = 2026-12-01
[[rule]]
id = "mornings-too"
action = "allow"
from = ["unit:a"]
to = ["unit:b"]
ports = ["443/tcp"]
schedule = "mornings"
[[rule]]
id = "all-day"
action = "allow"
from = ["unit:a"]
to = ["unit:b"]
ports = ["443/tcp"]
)";

BOOST_AUTO_TEST_CASE(explain_says_until_when_an_answer_holds) {
  const auto policy = policy::load_policy_text("node.toml", kPolicy);
  BOOST_REQUIRE(policy.has_value());
  const auto compiled = policy::compile(*policy, nullptr, nullptr);
  BOOST_REQUIRE(compiled.has_value());
  const auto image = image::Image::open(compiled->bytes.span());
  BOOST_REQUIRE(image.has_value());
  struct Case {
    const char* name;
    const char* to;
    const char* at;
    const char* rule;   // empty: default-deny
    const char* until;  // empty: for ever
  };
  for (const Case& c : {
           Case{"no time", "10.0.2.1:22/tcp", "2026-11-23T09:00", "1/never-ends", ""},
           Case{"before its first day", "10.0.2.1:80/tcp", "2026-11-20T09:00", "",
                "2026-11-23T08:30:00+08:00"},
           Case{"in the hours", "10.0.2.1:80/tcp", "2026-11-23T08:30", "1/by-day",
                "2026-11-23T18:00:00+08:00"},
           Case{"in another time zone", "10.0.2.1:80/tcp", "2026-11-23T00:30:00Z", "1/by-day",
                "2026-11-23T18:00:00+08:00"},
           Case{"over the weekend", "10.0.2.1:80/tcp", "2026-11-27T18:00", "",
                "2026-11-30T08:30:00+08:00"},
           Case{"the last second", "10.0.2.1:80/tcp", "2026-12-01T17:59:59", "1/by-day",
                "2026-12-01T18:00:00+08:00"},
           Case{"after its last hour", "10.0.2.1:80/tcp", "2026-12-01T18:00", "", ""},
           Case{"another rule takes over", "10.0.2.1:443/tcp", "2026-12-01T09:00", "1/mornings-too",
                "2026-12-01T12:00:00+08:00"},
       }) {
    Question question;
    question.from = *net::parse_address("10.0.1.1");
    question.to = *parse_destination(c.to);
    question.at = *policy::parse_instant(policy->utc_offsets, c.at);
    const auto answer = explain(*image, compiled->catalog, question);
    BOOST_REQUIRE_MESSAGE(answer.has_value(), c.name);
    const RuleId rule = answer->decision.rule;
    const std::string name = rule.is_some() ? compiled->catalog.rules[rule.index()].full_name : "";
    BOOST_TEST(name == c.rule, c.name << ": " << name);
    const std::string until = answer->until
                                  ? policy::instant_text(policy->utc_offsets, *answer->until)
                                  : "";
    BOOST_TEST(until == c.until, c.name << ": " << until);
  }
}

}  // namespace
}  // namespace meiguan::analysis
