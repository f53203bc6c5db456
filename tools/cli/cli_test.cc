#define BOOST_TEST_MODULE cli
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <filesystem>

#include "controlplane/lifecycle/files.h"
#include "tools/cli/junit.h"
#include "tools/cli/replay_expect.h"
#include "tools/cli/replay_lines.h"
#include "tools/cli/table.h"
#include "tools/cli/width.h"

namespace meiguan::cli {
namespace {

BOOST_AUTO_TEST_CASE(widths) {
  const std::pair<const char*, std::size_t> kCases[] = {{"", 0},         {"abc", 3},
                                                        {"政务外网", 8}, {"a政b", 4},
                                                        {"e\u0301", 1},  {"\xff\xfe", 2}};
  for (const auto& [text, want] : kCases) BOOST_TEST(display_width(text) == want, text);
  BOOST_TEST(pad("政务", 6, false) == "政务  ");
  BOOST_TEST(pad("政务", 6, true) == "  政务");
  BOOST_TEST(pad("政务", 3, true) == "政务");
}

BOOST_AUTO_TEST_CASE(times) {
  struct Case {
    std::uint64_t nanoseconds;
    std::uint8_t digits;
    std::string_view want;
  };
  constexpr Case kCases[] = {
      {0, 6, "1970-01-01T08:00:00.000000+08:00"},
      {1767574800'000000000, 6, "2026-01-05T09:00:00.000000+08:00"},
      {1767574800'123456789, 9, "2026-01-05T09:00:00.123456789+08:00"},
      {1767574800'123456789, 3, "2026-01-05T09:00:00.123+08:00"},
      {1767574800'123456789, 0, "2026-01-05T09:00:00+08:00"},
      {1709135999'999999999, 6, "2024-02-28T23:59:59.999999+08:00"},
      {1709136000'000000000, 6, "2024-02-29T00:00:00.000000+08:00"},
      {9223372036'854775807, 9, "2262-04-12T07:47:16.854775807+08:00"},
  };
  constexpr std::array<image::UtcOffset, 1> kShanghai{
      {{.at = 0, .seconds = 8 * 3600, .reserved = 0}}};
  TimeText time{kShanghai};
  for (const auto& test : kCases) {
    std::array<char, 40> buffer{};
    const char* const end = time.write(buffer.data(), test.nanoseconds, test.digits);
    BOOST_TEST((std::string_view{buffer.data(), static_cast<std::size_t>(end - buffer.data())} ==
                test.want));
  }
}

std::string printed(const Context& context, Format format) {
  Table table;
  table.schema = "meiguan.test/v1";
  table.columns = {{"name", {"NAME", "名称"}}, {"n", {"N", "数"}, true}};
  table.rows = {{boost::json::value("乙"), boost::json::value(2)},
                {boost::json::value("a,\"b\""), boost::json::value(10)},
                {boost::json::value(nullptr), boost::json::value(1)}};
  std::array<int, 2> pipe{};
  BOOST_REQUIRE(::pipe(pipe.data()) == 0);
  {
    Out out{pipe[1]};
    BOOST_TEST(print(table, context, format, out) == kYes);
  }
  ::close(pipe[1]);
  std::string text(4096, '\0');
  text.resize(static_cast<std::size_t>(::read(pipe[0], text.data(), text.size())));
  ::close(pipe[0]);
  return text;
}

BOOST_AUTO_TEST_CASE(tables) {
  Context context;
  BOOST_TEST(printed(context, Format::kTable) == "NAME    N\n乙      2\na,\"b\"  10\n-       1\n");
  BOOST_TEST(printed(context, Format::kCsv) == "name,n\n乙,2\n\"a,\"\"b\"\"\",10\n,1\n");
  BOOST_TEST(
      printed(context, Format::kJsonl) ==
      "{\"name\":\"乙\",\"n\":2}\n{\"name\":\"a,\\\"b\\\"\",\"n\":10}\n{\"name\":null,\"n\":1}\n");
  context.sort = "-n";
  context.limit = 1;
  context.columns = "n";
  context.no_headers = true;
  BOOST_TEST(printed(context, Format::kTable) == "10\n");
  BOOST_TEST(printed(context, Format::kJson) ==
             "{\"schema\":\"meiguan.test/v1\",\"rows\":[{\"n\":10}]}\n");
}

std::string junit(const std::vector<JunitCase>& cases) {
  std::array<int, 2> pipe{};
  BOOST_REQUIRE(::pipe(pipe.data()) == 0);
  {
    Out out{pipe[1]};
    print_junit("a<b", cases, out);
  }
  ::close(pipe[1]);
  std::string text(4096, '\0');
  text.resize(static_cast<std::size_t>(::read(pipe[0], text.data(), text.size())));
  ::close(pipe[0]);
  return text;
}

BOOST_AUTO_TEST_CASE(junit_text) {
  BOOST_TEST(junit({{"f.toml", "one", {}},
                    {"f.toml", "two & \"3\"", {"want 1\ngot 2", "\x01 \xff"}},
                    {"f.toml", "four", {"cannot"}, true, 1.5}}) ==
             R"(<?xml version="1.0" encoding="UTF-8"?>
<testsuite name="a&lt;b" tests="3" failures="1" errors="1">
  <testcase classname="f.toml" name="one" time="0.000"/>
  <testcase classname="f.toml" name="two &amp; &quot;3&quot;" time="0.000">
    <failure message="want 1">want 1&#10;got 2</failure>
    <failure message="� �">� �</failure>
  </testcase>
  <testcase classname="f.toml" name="four" time="1.500">
    <error message="cannot">cannot</error>
  </testcase>
</testsuite>
)");
}

BOOST_AUTO_TEST_CASE(golden_text) {
  const auto path = (std::filesystem::temp_directory_path() /
                     ("meiguan-golden-" + std::to_string(::getpid())))
                        .string();
  struct Case {
    const char* name;
    const char* expected;
    std::vector<std::string> got;
    bool same;
    const char* updated;
  };
  const Case kCases[] = {
      {"same", "# c\na 0 drop denied -\n", {"a 0 drop denied -"}, true, "# c\na 0 drop denied -\n"},
      {"another reason",
       "# c\na 0 drop denied -\n# end\n",
       {"a 0 drop spoofed -"},
       false,
       "# c\na 0 drop spoofed -\n# end\n"},
      {"one more",
       "a 0 drop denied -\n",
       {"a 0 drop denied -", "a 1 drop denied -"},
       false,
       "a 0 drop denied -\na 1 drop denied -\n"},
      {"one fewer",
       "a 0 drop denied -\n# gone\na 1 drop denied -\n",
       {"a 0 drop denied -"},
       false,
       "a 0 drop denied -\n"},
      {"a name with a space",
       "# x\na b 0 drop denied -\n",
       {"a b 0 drop spoofed -"},
       false,
       "# x\na b 0 drop spoofed -\n"},
  };
  for (const auto& test : kCases) {
    BOOST_TEST_CONTEXT(test.name) {
      BOOST_REQUIRE(lifecycle::write_atomically(path, std::string_view{test.expected}).has_value());
      auto expected = Expected::read(path, false);
      BOOST_REQUIRE(expected.has_value());
      for (const auto& line : test.got) expected->got(line);
      std::array<int, 2> pipe{};
      BOOST_REQUIRE(::pipe(pipe.data()) == 0);
      {
        Out out{pipe[1]};
        BOOST_TEST(expected->compare(out) == test.same);
      }
      ::close(pipe[0]);
      ::close(pipe[1]);
      BOOST_REQUIRE(expected->update(path).has_value());
      BOOST_TEST(*lifecycle::read_file(path, 1000) == test.updated);
    }
  }
  ::unlink(path.c_str());
}

}  // namespace
}  // namespace meiguan::cli
