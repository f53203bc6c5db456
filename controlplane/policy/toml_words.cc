#include "controlplane/policy/toml_words.h"

#include <array>
#include <string>

#include "controlplane/policy/message.h"

namespace meiguan::policy {
namespace {

struct Pair {
  std::string_view english;
  std::string_view chinese;
};

// What was being read.
constexpr std::array<Pair, 17> kScopes{{{"array", "列表"},
                                        {"boolean", "布尔值"},
                                        {"comment", "注释"},
                                        {"date", "日期"},
                                        {"date-time offset", "日期时间的时差"},
                                        {"date-time", "日期时间"},
                                        {"floating-point", "浮点数"},
                                        {"decimal integer", "整数"},
                                        {"inline table", "内联表"},
                                        {"key", "键"},
                                        {"key-value pair", "键值对"},
                                        {"literal string", "字符串"},
                                        {"root table", "文件"},
                                        {"string", "字符串"},
                                        {"table header", "表头"},
                                        {"time", "时间"},
                                        {"value", "值"}}};

// "expected X, saw Y", and "expected X".
constexpr std::array<Pair, 37> kExpected{{
    {"value-terminator", "逗号、右括号或行尾"},
    {"comma or closing ']'", "逗号或右括号 ']'"},
    {"comma or closing '}'", "逗号或右括号 '}'"},
    {"value or closing ']'", "值或右括号 ']'"},
    {"key or closing '}'", "键或右括号 '}'"},
    {"key-value pair or closing '}'", "键值对或右括号 '}'"},
    {"key-value pair", "键值对"},
    {"value", "值"},
    {"a comment or whitespace", "注释或空白"},
    {"keys, tables, whitespace or comments", "键、表、空白或注释"},
    {"bare key starting character or string delimiter", "键名（字母、数字、_、-）或引号"},
    {"space or tab", "空格或制表符"},
    {"space, 'T' or 't'", "空格或 'T'"},
    {"digit", "数字"},
    {"decimal digit", "数字"},
    {"decimal digit or '.'", "数字或 '.'"},
    {"decimal digit or exponent", "数字或指数"},
    {"fractional digits", "小数"},
    {"exponent digit", "指数的数字"},
    {"exponent digit or sign", "指数的数字或正负号"},
    {"exponent decimal digit or sign", "指数的数字或正负号"},
    {"hex digit", "十六进制数字"},
    {"hexadecimal digit", "十六进制数字"},
    {"4-digit year", "四位的年份"},
    {"2-digit month", "两位的月份"},
    {"2-digit day", "两位的日期"},
    {"2-digit hour", "两位的小时"},
    {"2-digit minute", "两位的分钟"},
    {"2-digit second", "两位的秒数"},
    {"hour between 0 to 59 (inclusive)", "0 至 23 的小时"},
    {"hour between 0 and 23 (inclusive)", "0 至 23 的小时"},
    {"minute between 0 and 59 (inclusive)", "0 至 59 的分钟"},
    {"second between 0 and 59 (inclusive)", "0 至 59 的秒数"},
    {"month between 1 and 12 (inclusive)", "1 至 12 的月份"},
    {"'\\n' after '\\r'", "'\\r' 之后的 '\\n'"},
    {"'x' or 'X'", "'x' 或 'X'"},
    {"expected digit or sign", "数字或正负号"},
}};

// Other sentences, by how they begin; `...` in Chinese is the rest.
constexpr std::array<Pair, 22> kSentences{{
    {"encountered end-of-file", "文本过早结束"},
    {"could not determine value type", "看不出是哪种值"},
    {"cannot redefine existing ", "重复定义已有的 ..."},
    {"cannot insert ", "不能加入已有的内联表：..."},
    {"unescaped control characters", "含有控制字符（制表符除外），或引号在本行没有结束"},
    {"control characters", "含有控制字符（制表符除外）"},
    {"unexpected control character", "含有控制字符"},
    {"unknown escape sequence ", "未知的转义序列 ..."},
    {"escape sequence ", "TOML 1.0.0 没有这种转义序列"},
    {"unicode surrogates", "不允许代理码位（U+D800 至 U+DFFF）"},
    {"unescaped unicode surrogates", "不允许代理码位（U+D800 至 U+DFFF）"},
    {"values greater than U+10FFFF", "大于 U+10FFFF 的码位无效"},
    {"underscores must be followed by digits", "下划线之后必须是数字"},
    {"underscores may only follow digits", "下划线只能在数字之后"},
    {"values may not begin with underscores", "值不能以下划线开头"},
    {"leading zeroes are prohibited", "数字不能以零开头"},
    {"tables with blank bare keys", "表名不能为空"},
    {"[[array-of-table]] brackets", "[[ 与 ]] 之间不能有空格"},
    {"line-ending backslashes", "行尾的反斜杠之后不能有其他字符"},
    {"exceeded maximum nested value depth", "值的嵌套过深"},
    {"missing exponent", "缺少指数"},
    {"exceeds length limit", "过长"},
}};

template <std::size_t N>
const Pair* find(const std::array<Pair, N>& pairs, std::string_view english) {
  for (const Pair& pair : pairs) {
    if (pair.english == english) return &pair;
  }
  return nullptr;
}

std::string chinese_of_expected(std::string_view what, std::string_view saw) {
  constexpr std::string_view kDay = "day between 1 and ";
  std::string want;
  if (const Pair* const known = find(kExpected, what)) {
    want = known->chinese;
  } else if (what.starts_with(kDay)) {
    const auto last = what.substr(kDay.size());
    want = fmt::format("1 至 {} 的日期", last.substr(0, last.find(' ')));
  } else if (what.starts_with('\'')) {
    want = what;
  } else {
    return {};
  }
  return saw.empty() ? fmt::format("此处应为{}", want)
                     : fmt::format("此处应为{}，却是 {}", want, saw);
}

std::string chinese_of(std::string_view sentence) {
  constexpr std::string_view kExpect = "expected ";
  constexpr std::string_view kSaw = ", saw ";
  if (sentence.starts_with(kExpect)) {
    const auto what = sentence.substr(kExpect.size());
    const auto comma = what.rfind(kSaw);
    const auto saw = comma == what.npos ? std::string_view{} : what.substr(comma + kSaw.size());
    auto text = chinese_of_expected(what.substr(0, comma), saw);
    if (!text.empty()) return text;
  }
  for (const Pair& pair : kSentences) {
    if (!sentence.starts_with(pair.english)) continue;
    const auto dots = pair.chinese.find("...");
    if (dots == pair.chinese.npos) return std::string{pair.chinese};
    return std::string{pair.chinese.substr(0, dots)} +
           std::string{sentence.substr(pair.english.size())};
  }
  return fmt::format("解析器提示 {}", sentence);
}

Text hint_of(std::string_view sentence) {
  if (sentence == "could not determine value type") {
    return say("text stands in double quotes: \"allow\"", "文字须加英文双引号：\"allow\"");
  }
  return {};
}

}  // namespace

TomlWords toml_words(std::string_view parser_said) {
  // It quotes the file.
  const std::string quotable = one_line(parser_said);
  std::string_view description = quotable;
  constexpr std::string_view kPrefix = "Error while parsing ";
  if (description.starts_with(kPrefix)) description.remove_prefix(kPrefix.size());
  const auto colon = description.find(": ");
  const auto scope = description.substr(0, colon == description.npos ? 0 : colon);
  const auto sentence = colon == description.npos ? description : description.substr(colon + 2);
  // The parser sees one table at a time, whose end is not that of the file.
  const bool ends = sentence == "encountered end-of-file";
  const auto english = ends ? std::string_view{"the text ends too early"} : sentence;
  const Pair* const known = find(kScopes, scope);
  const auto chinese = chinese_of(sentence);
  TomlWords words;
  words.message.english = scope.empty() ? std::string{english}
                                        : fmt::format("{}: {}", scope, english);
  words.message.chinese = scope.empty()
                              ? chinese
                              : fmt::format("{}：{}", known != nullptr ? known->chinese : scope,
                                            chinese);
  words.hint = hint_of(sentence);
  return words;
}

}  // namespace meiguan::policy
