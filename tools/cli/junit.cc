#include "tools/cli/junit.h"

#include <fmt/format.h>

#include <algorithm>

#include "controlplane/policy/utf8.h"

namespace meiguan::cli {
namespace {

// XML 1.0 section 2.2: no control character but tab, line feed and carriage return, no U+FFFE or
// U+FFFF, and UTF-8 throughout.
std::string escaped(std::string_view text) {
  constexpr std::string_view kReplacement = "\xef\xbf\xbd";
  std::string result;
  result.reserve(text.size());
  for (std::size_t i = 0; i < text.size();) {
    const auto length = policy::utf8_length_at(text, i);
    const auto one = text.substr(i, std::max<std::size_t>(length, 1));
    i += one.size();
    const char c = one.front();
    if (length == 0 || one == "\xef\xbf\xbe" || one == "\xef\xbf\xbf") {
      result += kReplacement;
    } else if (c == '<') {
      result += "&lt;";
    } else if (c == '>') {
      result += "&gt;";
    } else if (c == '&') {
      result += "&amp;";
    } else if (c == '"') {
      result += "&quot;";
    } else if (c == '\n' || c == '\r' || c == '\t') {
      // As numbers: an attribute's white space is otherwise read as blanks (section 3.3.3).
      result += fmt::format("&#{};", static_cast<int>(c));
    } else if (length == 1 && (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)) {
      result += kReplacement;
    } else {
      result += one;
    }
  }
  return result;
}

std::string_view first_line(std::string_view text) { return text.substr(0, text.find('\n')); }

}  // namespace

void print_junit(std::string_view suite, const std::vector<JunitCase>& cases, Out& out) {
  const auto failed = std::ranges::count_if(cases, [](const JunitCase& one) {
    return !one.failures.empty() && !one.error;
  });
  const auto errors = std::ranges::count_if(cases, [](const JunitCase& one) { return one.error; });
  out.line(R"(<?xml version="1.0" encoding="UTF-8"?>)");
  out.line(fmt::format(R"(<testsuite name="{}" tests="{}" failures="{}" errors="{}">)",
                       escaped(suite), cases.size(), failed, errors));
  for (const auto& one : cases) {
    const auto head = fmt::format(R"(  <testcase classname="{}" name="{}" time="{:.3f}")",
                                  escaped(one.group), escaped(one.name), one.seconds);
    if (one.failures.empty() && !one.error) {
      out.line(head + "/>");
      continue;
    }
    out.line(head + ">");
    const char* const tag = one.error ? "error" : "failure";
    for (const auto& text : one.failures) {
      out.line(fmt::format(R"(    <{} message="{}">{}</{}>)", tag, escaped(first_line(text)),
                           escaped(text), tag));
    }
    out.line("  </testcase>");
  }
  out.line("</testsuite>");
}

}  // namespace meiguan::cli
