#include "controlplane/policy/toml_sections.h"

#include <boost/test/unit_test.hpp>
#include <string>
#include <vector>

namespace meiguan::policy {
namespace {

struct SplitCase {
  std::string_view name;
  std::string_view text;
  std::vector<std::string> want;  // "header line|header|body line|body"
};

std::vector<std::string> split(std::string_view text) {
  std::vector<std::string> result;
  SectionSplitter splitter(text);
  TomlSection section;
  while (splitter.next(section)) {
    result.push_back(std::to_string(section.header_line) + "|" + std::string(section.header) + "|" +
                     std::to_string(section.body_line) + "|" + std::string(section.body));
  }
  return result;
}

BOOST_AUTO_TEST_CASE(sections) {
  const std::vector<SplitCase> cases{
      {"empty", "", {"1||1|"}},
      {"head only", "a = 1\n", {"1||1|a = 1\n"}},
      {"one table", "[a]\nx = 1\n", {"1||1|", "1|[a]|2|x = 1\n"}},
      {"no last newline", "[a]", {"1||1|", "1|[a]|1|"}},
      {"carriage returns", "[a]\r\nx=1\r\n", {"1||1|", "1|[a]|2|x=1\r\n"}},
      {"a list over lines",
       "[a]\nx = [\n  [1],\n[2]\n]\n[b]\n",
       {"1||1|", "1|[a]|2|x = [\n  [1],\n[2]\n]\n", "6|[b]|7|"}},
      {"an open list ends at a header",
       "[a]\nx = [ 1,\n[[b]]\n",
       {"1||1|", "1|[a]|2|x = [ 1,\n", "3|[[b]]|4|"}},
      {"words that are values", "[a]\nx = [\n[true]\n]\n", {"1||1|", "1|[a]|2|x = [\n[true]\n]\n"}},
      {"headers in strings",
       "[a]\nx = \"\"\"\n[b]\n\\\"\"\"\"\"\n[c]\ny = '''\n[d]'''\n",
       {"1||1|", "1|[a]|2|x = \"\"\"\n[b]\n\\\"\"\"\"\"\n", "5|[c]|6|y = '''\n[d]'''\n"}},
      {"headers in comments",
       "[a]\n# [b]\n#\"\n[c]\n",
       {"1||1|", "1|[a]|2|# [b]\n#\"\n", "4|[c]|5|"}},
      {"an open string ends with its line",
       "[a]\nx = \"\n[b]\n",
       {"1||1|", "1|[a]|2|x = \"\n", "3|[b]|4|"}},
      {"a lone bracket", "[\n[a]\n", {"1||1|", "1|[|2|", "2|[a]|3|"}},
  };
  for (const SplitCase& c : cases) {
    BOOST_TEST_CONTEXT(c.name) {
      BOOST_TEST(split(c.text) == c.want, boost::test_tools::per_element());
    }
  }
}

BOOST_AUTO_TEST_CASE(plain_headers) {
  BOOST_TEST(plain_header("[a]").name == "a");
  BOOST_TEST(!plain_header("[a]").is_array);
  BOOST_TEST(plain_header("  [[ rule ]] # x").name == "rule");
  BOOST_TEST(plain_header("  [[ rule ]] # x").is_array);
  BOOST_TEST(plain_header("  [[rule]]").column == 3U);
  for (const std::string_view bad :
       {"", "[", "[]", "[a.b]", "[\"a\"]", "[[a]", "[a] x", "[ [a]]", "[a b]", "[a] # \x01"}) {
    BOOST_TEST(plain_header(bad).name.empty(), bad);
  }
}

}  // namespace
}  // namespace meiguan::policy
