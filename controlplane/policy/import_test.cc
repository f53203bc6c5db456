#include <boost/test/unit_test.hpp>

#include "controlplane/policy/csv.h"
#include "controlplane/policy/format_toml.h"
#include "controlplane/policy/import_terminals.h"
#include "controlplane/policy/load.h"

namespace meiguan::policy {
namespace {

using namespace std::string_literals;

std::string shown(const std::expected<std::vector<CsvRow>, CsvError>& rows) {
  if (!rows) return "row " + std::to_string(rows.error().row) + ": " + rows.error().message.english;
  std::string text;
  for (const auto& row : *rows) {
    text += std::to_string(row.number);
    for (const auto& cell : row.cells) text += "|" + cell;
    text += "\n";
  }
  return text;
}

BOOST_AUTO_TEST_CASE(csv_rows) {
  struct Case {
    const char* name;
    std::string text;
    std::string want;
  };
  const Case kCases[] = {
      {"empty", "", ""},
      {"commas", "a,b\r\n1,2\r\n", "1|a|b\n2|1|2\n"},
      {"semicolons", "a;b\n1;2,3\n", "1|a|b\n2|1|2,3\n"},
      {"tabs", "a\tb\r1\t2", "1|a|b\n2|1|2\n"},
      {"named separator", "sep=|\r\na|b\r\n", "2|a|b\n"},
      {"byte-order mark", "\xef\xbb\xbf单位,b\n", "1|单位|b\n"},
      {"GB18030", "\xb5\xa5\xce\xbb,\xd0\xd5\xc3\xfb\n", "1|单位|姓名\n"},
      {"GB18030 of four bytes", "\xb5\xa5,\x95\x32\x82\x36\n", "1|单|𠀀\n"},
      {"quotes", "\"a,\"\"b\"\"\",\" c\r\nd \"\n", "1|a,\"b\"|c\r\nd\n"},
      {"rows are counted as the spreadsheet does", "a\n\"x\ny\"\n\n,,\nb\n", "1|a\n2|x\ny\n5|b\n"},
      {"blanks around cells", "\u3000a , b\u00a0\n", "1|a|b\n"},
      {"a quote inside a cell is text", "a\"b,c\n", "1|a\"b|c\n"},
      {"a quote without an end", "a\n\"b\n", "row 2: a quoted cell has no end"},
      {"text behind a quote", "\"a\"b,c\n",
       "row 1: text stands behind the closing quote in column 1"},
      {"a long cell", "a," + std::string(5000, 'x') + "\n",
       "row 1: column 2 has more than 4096 bytes"},
      {"many columns", std::string(300, ',') + "\n", "row 1: the row has more than 256 columns"},
      {"UTF-16", "\xff\xfe"s + "a\0b\0"s,
       "row 0: the file is UTF-16, UTF-8 or GB18030 expected: save it as CSV UTF-8"},
      {"NUL", "a\0b"s, "row 0: byte 2 is a NUL: this is no CSV file; save the sheet as CSV"},
      {"neither encoding", "a\xff\xff\n",
       "row 0: the file is neither UTF-8 nor GB18030: save it as CSV UTF-8"},
  };
  for (const auto& test : kCases) BOOST_TEST(shown(read_csv(test.text)) == test.want, test.name);
}

BOOST_AUTO_TEST_CASE(csv_limits) {
  std::string many;
  for (std::size_t i = 0; i <= kMaxCsvRows; ++i) many += "a\n";
  BOOST_TEST(shown(read_csv(many)) == "row 500001: the file has more than 500000 rows");
  BOOST_TEST(!read_csv(std::string(kMaxCsvBytes + 1, 'a')).has_value());
}

constexpr std::string_view kPolicy = R"([node]
code = "36"
name = "n"
tier = "county"
[policy]
schema = 1
[[zone]]
id = "extranet"
kind = "extranet"
[[zone]]
id = "vpn"
kind = "private"
[[unit]]
id = "czj"
name = "财政局"
zone = "extranet"
prefixes = ["10.64.37.0/27", "2001:db8:1::/64"]
[[unit]]
id = "vpn-czj"
name = "专网"
zone = "vpn"
prefixes = ["10.64.37.0/27"]
[[unit]]
id = "two-a"
name = "同名"
zone = "extranet"
prefixes = ["10.64.38.0/27"]
[[unit]]
id = "two-b"
name = "同名"
zone = "extranet"
prefixes = ["10.64.39.0/27"]
[[terminal]]
unit = "czj"
addresses = ["10.64.37.1"]
)";

// The terminals as "unit addresses mac name", or the problems as "row heading: message".
std::string imported(const CheckedPolicy& policy, std::string_view csv) {
  const auto result = import_terminals(csv, policy, NodeId{0}, "t.csv");
  std::string text;
  if (!result) {
    for (const auto& problem : result.error()) {
      text += std::to_string(problem.row) + " " + problem.column + ": " + problem.message.english +
              "\n";
      BOOST_TEST(!problem.message.chinese.empty());
    }
    return text;
  }
  const auto formatted = format_toml(result->toml);
  BOOST_REQUIRE(formatted.has_value());
  BOOST_TEST(*formatted == result->toml);
  const auto whole = load_policy_text("p.toml", std::string{kPolicy} + result->toml);
  BOOST_REQUIRE(whole.has_value());
  for (std::size_t i = 1; i < whole->terminals.size(); ++i) {
    const auto& terminal = whole->terminals[i];
    text += whole->units[terminal.unit.index()].id;
    for (const auto& address : terminal.addresses) text += " " + net::to_string(address);
    text += terminal.mac ? " " + net::to_string(*terminal.mac) : " -";
    text += " " + terminal.name + "\n";
  }
  return text;
}

BOOST_AUTO_TEST_CASE(terminals) {
  struct Case {
    const char* name;
    std::string_view csv;
    std::string_view want;
  };
  constexpr Case kCases[] = {
      {"Chinese headings",
       "序号,单位编号,IP地址,IPv6地址,MAC地址,姓名,计算机名\n"
       "1,czj,10.64.37.5,2001:DB8:1::5,52-54-00-12-34-56,张三,PC-03\n",
       "czj 10.64.37.5 2001:db8:1::5 52:54:00:12:34:56 张三 PC-03\n"},
      {"English headings", "Unit ID;MAC Address;Address;User\nczj;5254.0012.3456;10.64.37.5;x\n",
       "czj 10.64.37.5 52:54:00:12:34:56 x\n"},
      {"several addresses in a cell",
       "unit,address\nczj,\"10.64.37.5、10.64.37.6\n2001:db8:1::6\"\n",
       "czj 10.64.37.5 10.64.37.6 2001:db8:1::6 - \n"},
      {"units by name", "单位*,IP地址（必填）\n财政局,10.64.37.5\n", "czj 10.64.37.5 - \n"},
      {"units by id and by name", "单位名称,单位编号,IP\n同名,two-b,10.64.39.5\n",
       "two-b 10.64.39.5 - \n"},
      {"the same address in two address spaces",
       "unit,ip\nczj,10.64.37.5\nvpn-czj,10.64.37.5\n"
       "vpn-czj,10.64.37.1\n",
       "czj 10.64.37.5 - \nvpn-czj 10.64.37.5 - \nvpn-czj 10.64.37.1 - \n"},
      {"names with quotes", "unit,ip,name\nczj,10.64.37.5,\"\"\"甲\\乙\"\"\"\n",
       "czj 10.64.37.5 - \"甲\\乙\"\n"},
      {"missing cells at the end", "unit,ip,mac,name\nczj,10.64.37.5\n", "czj 10.64.37.5 - \n"},
      {"empty", "", "0 : the file is empty\n"},
      {"headings only", "unit,ip\n", "0 : there is no row below the headings\n"},
      {"no unit heading", "ip\n10.64.37.5\n",
       "1 : no heading names the unit: `unit` or `单位编号` expected\n"},
      {"no address heading", "unit\nczj\n",
       "1 : no heading names the address: `address` or `IP地址` expected\n"},
      {"two MAC columns", "unit,ip,mac,MAC地址\n",
       "1 MAC地址: a second column of MACs: keep one\n"},
      {"unknown unit", "unit,ip\nnobody,10.64.37.5\n", "2 unit: the policy has no unit `nobody`\n"},
      {"ambiguous unit", "unit,ip\n同名,10.64.38.5\n",
       "2 unit: several units are called `同名`: give the unit's id\n"},
      {"id and name contradict", "单位编号,单位名称,ip\nczj,同名,10.64.37.5\n",
       "2 单位名称: `同名` is not unit czj, which the row names as well\n"},
      {"no unit, no address", "unit,ip\nczj,\n,10.64.37.5\n",
       "2 : no address is given\n3 : no unit is given\n"},
      {"outside the prefixes", "unit,ip\nczj,10.64.38.5\n",
       "2 ip: 10.64.38.5 is not within the prefixes of unit czj\n"},
      {"no address at all", "unit,ip\nczj,10.64.37\n",
       "2 ip: `10.64.37` is not an IPv4 or IPv6 address\n"},
      {"duplicate in the file", "unit,ip\nczj,10.64.37.5\nczj,10.64.37.5\n",
       "3 ip: 10.64.37.5 is in row 2 as well\n"},
      {"duplicate in the row", "unit,ip\nczj,10.64.37.5 10.64.37.5\n",
       "2 ip: 10.64.37.5 is in row 2 as well\n"},
      {"duplicate with the policy", "unit,ip\nczj,10.64.37.1\n",
       "2 ip: 10.64.37.1 is a terminal's already, at p.toml:33\n"},
      {"bad MACs", "unit,ip,mac\nczj,10.64.37.5,52:54\nczj,10.64.37.6,ff:ff:ff:ff:ff:ff\n",
       "2 mac: `52:54` is not a MAC address, aa:bb:cc:dd:ee:ff expected\n"
       "3 mac: MAC address `ff:ff:ff:ff:ff:ff` is not that of one station\n"},
      {"formulas",
       "unit,ip,name,remark\n=A1,10.64.37.5,x,=1\nczj,@x,=cmd|' /c calc'!A1,\n"
       "czj,10.64.37.6,#REF!,\n",
       "2 unit: `=A1` is a formula or its error, a value expected\n"
       "3 ip: `@x` is a formula or its error, a value expected\n"
       "3 name: `=cmd|' /c calc'!A1` is a formula or its error, a value expected\n"
       "4 name: `#REF!` is a formula or its error, a value expected\n"},
      {"too many columns", "unit,ip\nczj,10.64.37.5,x\n",
       "2 : column 3 has no heading: 2 columns expected\n"},
      {"a name of two lines", "unit,ip,name\nczj,10.64.37.5,\"a\nb\"\n",
       "2 name: `a\\x0ab` is not one line of 256 characters or less\n"},
  };
  const auto policy = load_policy_text("p.toml", kPolicy);
  BOOST_REQUIRE(policy.has_value());
  for (const auto& test : kCases) BOOST_TEST(imported(*policy, test.csv) == test.want, test.name);
}

BOOST_AUTO_TEST_CASE(problems_are_bounded) {
  const auto policy = load_policy_text("p.toml", kPolicy);
  std::string csv = "unit,ip\n";
  for (int i = 0; i < 2000; ++i) csv += "nobody,1.1.1.1\n";
  const auto result = import_terminals(csv, *policy, NodeId{0}, "t.csv");
  BOOST_REQUIRE(!result.has_value());
  BOOST_TEST(result.error().size() == kMaxImportProblems + 1);
  BOOST_TEST(result.error().back().message.english == "1000 more problems are not shown");
}

}  // namespace
}  // namespace meiguan::policy
