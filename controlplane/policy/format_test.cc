#include <boost/test/unit_test.hpp>
#include <string>

#include "controlplane/policy/format_policy.h"
#include "controlplane/policy/format_toml.h"

namespace meiguan::policy {
namespace {

struct FormatCase {
  std::string_view name;
  std::string_view text;
  std::string_view want;
};

constexpr FormatCase kCases[] = {
    {"empty", "", ""},
    {"blank lines only", "\n \n\t\n", ""},
    {"comments only", "\n# a  \r\n\n\n#b", "# a\n\n#b\n"},
    {"space around words", "[ node ]\n  code=  \"1\"\t\nname\t= 'n'\n",
     "[node]\ncode = \"1\"\nname = 'n'\n"},
    {"space around dots", "[ \"a b\" . c ]\nd . \"e.f\"=1.5\n", "[\"a b\".c]\nd.\"e.f\" = 1.5\n"},
    {"lists of tables", "[[unit]]\nid=\"a\"\n[[unit]]\n\nid=\"b\"\n\n\n\n[[unit]]\n",
     "[[unit]]\nid = \"a\"\n\n[[unit]]\nid = \"b\"\n\n[[unit]]\n"},
    {"a comment belongs to the header below it",
     "[a]\nx=1\n# of b\n# too\n[b]\n# of x\n\n\n# alone\n\n[c]\n",
     "[a]\nx = 1\n\n# of b\n# too\n[b]\n# of x\n\n# alone\n\n[c]\n"},
    {"comments behind values",
     "[a] # head\nx=1# one\nlong_name = \"政务\"    # two\n\ny = 2 # three\n",
     "[a]                 # head\nx = 1               # one\nlong_name = \"政务\"  # two\n\n"
     "y = 2  # three\n"},
    {"wide lines push no comments away",
     "x = 1 # a\ny = \"12345678901234567890123456789012345678901234567890123456789012345\" # b\n",
     "x = 1  # a\n"
     "y = \"12345678901234567890123456789012345678901234567890123456789012345\"  # b\n"},
    {"lists on one line", "a=[ 1,2 ,\n3, ]\nb=[]\nc=[ [1] , [ ] ]\n",
     "a = [1, 2, 3]\nb = []\nc = [[1], []]\n"},
    {"wide lists",
     "prefixes = [\"10.64.37.0/27\", \"10.64.38.0/27\", \"10.64.39.0/27\", \"10.64.40.0/27\", "
     "\"10.64.41.0/27\", \"10.64.42.0/27\"]\n",
     "prefixes = [\n  \"10.64.37.0/27\",\n  \"10.64.38.0/27\",\n  \"10.64.39.0/27\",\n"
     "  \"10.64.40.0/27\",\n  \"10.64.41.0/27\",\n  \"10.64.42.0/27\",\n]\n"},
    {"width counts cells, not bytes",
     "a = [\"政政政政政政政政政政\", \"政政政政政政政政政政\", \"政政政政政政政政政政\", "
     "\"政政政政政政政政政政\"]\n",
     "a = [\"政政政政政政政政政政\", \"政政政政政政政政政政\", \"政政政政政政政政政政\", "
     "\"政政政政政政政政政政\"]\n"},
    {"lists with comments keep their lines",
     "a = [ # first\n1,2, # pair\n  3 # last\n , # odd\n# end\n]# behind\n",
     "a = [\n  # first\n  1, 2,  # pair\n  3,     # last\n  # odd\n  # end\n]  # behind\n"},
    {"a comment alone in a list", "a=[#x\n]\n", "a = [\n  #x\n]\n"},
    {"inline tables", "a={x=1,y={ } , z.w=[ 2,\n3 ]}\n", "a = { x = 1, y = {}, z.w = [2, 3] }\n"},
    {"comments in lists of inline tables", "a = {x=[1,#c\n2]}\n",
     "a = { x = [\n  1,  #c\n  2,\n] }\n"},
    {"strings stay as they are",
     "a=\"# \\\" ]\"\nb='''x\n  # no comment\n'y'''''\nc=\"\"\"\\\n  z \\\"\"\" \"\"\"\"\n",
     "a = \"# \\\" ]\"\nb = '''x\n  # no comment\n'y'''''\nc = \"\"\"\\\n  z \\\"\"\" \"\"\"\"\n"},
    {"a long string breaks its list", "a=['''x\ny''', 1]\n", "a = [\n  '''x\ny''',\n  1,\n]\n"},
    {"dates, times and numbers",
     "a=2026-01-01\nb=2026-01-01T08:30:00.5+08:00\nc=2026-01-01 08:30:00\nd=08:30:00.25\n"
     "e=-1_000.5e-3\nf=0x_0\n",
     "a = 2026-01-01\nb = 2026-01-01T08:30:00.5+08:00\nc = 2026-01-01 08:30:00\n"
     "d = 08:30:00.25\ne = -1_000.5e-3\nf = 0x_0\n"},
    {"keys that look like numbers", "1.2 = 3\n2026-01-01 = 1\n", "1.2 = 3\n2026-01-01 = 1\n"},
    {"line ends of Windows", "[a]\r\nx = 1\r\n\r\n\r\n[b]\r\n", "[a]\nx = 1\n\n[b]\n"},
};

BOOST_AUTO_TEST_CASE(canonical_text) {
  for (const auto& test : kCases) {
    BOOST_TEST_CONTEXT(test.name) {
      const auto got = format_toml(test.text);
      BOOST_REQUIRE(got.has_value());
      BOOST_TEST(*got == test.want);
      const auto again = format_toml(*got);
      BOOST_REQUIRE(again.has_value());
      BOOST_TEST(*again == *got);
    }
  }
}

BOOST_AUTO_TEST_CASE(texts_that_are_left_alone) {
  struct Case {
    std::string_view name;
    std::string_view text;
    std::uint32_t line;
  };
  const std::string deep = "[a]\nx = " + std::string(40, '[') + std::string(40, ']') + "\n";
  const Case cases[] = {
      {"a string without an end", "[a]\nx = \"1\n", 2},
      {"a long string without an end", "[a]\nx = '''1\n", 2},
      {"a lone bracket", "[\n", 1},
      {"no value", "[a]\n\nx =\n", 3},
      {"a second value", "[a]\nx = 1 2\n", 2},
      {"a full-width equals sign", "[a]\nx ＝ 1\n", 2},
      {"a key twice", "[a]\nx = 1\nx = 2\n", 3},
      {"a table twice", "[a]\n[a]\n", 2},
      {"a list without an end", "[a]\nx = [1,\n", 2},
      {"a lone carriage return", "[a]\rx = 1\n", 1},
      {"nested too deep", deep, 1},
      {"not UTF-8", "[a]\nx = \"\xff\"\n", 2},
      {"a byte-order mark", "\xef\xbb\xbf[a]\n", 1},
      {"a NUL", std::string_view{"[a]\nx = \"\0\"\n", 12}, 2},
  };
  for (const auto& test : cases) {
    BOOST_TEST_CONTEXT(test.name) {
      const auto got = format_policy_text("p.toml", test.text);
      BOOST_REQUIRE(!got.has_value());
      BOOST_TEST(got.error().front().line == test.line);
    }
  }
}

}  // namespace
}  // namespace meiguan::policy
