#include "controlplane/policy/diagnostic.h"

#include <boost/test/unit_test.hpp>

namespace meiguan::policy {
namespace {

Diagnostic sample(std::string line, std::uint32_t column, std::uint32_t length) {
  Diagnostic d;
  d.file = "units.toml";
  d.line = 12;
  d.column = column;
  d.length = length;
  d.source_line = std::move(line);
  d.message = {"what is, what should be", "现状与期望"};
  d.hint = {"what to do", "怎么做"};
  return d;
}

struct RenderCase {
  std::string_view name;
  Diagnostic diagnostic;
  std::string_view want;  // the two lines of source and carets
};

BOOST_AUTO_TEST_CASE(carets_stand_under_what_is_meant) {
  const std::vector<RenderCase> cases{
      {"plain", sample("zone = \"x\"", 8, 3), " 12 | zone = \"x\"\n    |        ^~~\n"},
      {"wide characters before", sample("名 = \"x\"", 5, 3), " 12 | 名 = \"x\"\n    |      ^~~\n"},
      {"wide characters under", sample("x = \"财政厅\"", 5, 5),
       " 12 | x = \"财政厅\"\n    |     ^~~~~~~~\n"},
      {"combining characters", sample("e\u0301 = 1", 6, 1), " 12 | e\u0301 = 1\n    |     ^\n"},
      {"tabs", sample("\tx", 2, 1), " 12 |         x\n    |         ^\n"},
      {"behind the end", sample("x", 9, 4), " 12 | x\n    |  ^\n"},
      {"no control character reaches the terminal", sample("a\x1b[1m", 1, 1),
       " 12 | a?[1m\n    | ^\n"},
      {"nor a C1 control character", sample("a\u009b1mb", 5, 1), " 12 | a?1mb\n    |     ^\n"},
      {"nor one that turns the direction of text", sample("a\u202eb", 3, 1),
       " 12 | a?b\n    |   ^\n"},
      {"bytes that are not UTF-8", sample("a\xff", 2, 1), " 12 | a?\n    |  ^\n"},
  };
  for (const RenderCase& c : cases) {
    BOOST_TEST(render(c.diagnostic, Language::kEnglish, false) ==
                   "units.toml:12:" + std::to_string(c.diagnostic.column) +
                       ": error: what is, what should be\n" + std::string(c.want) +
                       "  hint: what to do\n",
               c.name);
  }
}

BOOST_AUTO_TEST_CASE(forms) {
  Diagnostic d = sample("", 3, 1);
  BOOST_TEST(render(d, Language::kChinese, false) ==
             "units.toml:12:3: 错误：现状与期望\n  提示：怎么做\n");
  d.hint = {};
  d.line = 0;
  BOOST_TEST(render(d, Language::kEnglish, false) ==
             "units.toml: error: what is, what should be\n");
  BOOST_TEST(render(d, Language::kEnglish, true).find("\x1b[") != std::string::npos);
}

}  // namespace
}  // namespace meiguan::policy
