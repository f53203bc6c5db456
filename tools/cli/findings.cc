#include "tools/cli/findings.h"

#include <algorithm>
#include <boost/json.hpp>
#include <charconv>

#include "tools/cli/junit.h"
#include "tools/cli/sarif.h"
#include "tools/cli/table.h"

namespace meiguan::cli {
namespace {

namespace json = boost::json;
using analysis::Lint;
using analysis::LintKind;

constexpr const char* kErrorRule = "policy-error";

json::object to_json(const Context& context, const policy::Diagnostic& d) {
  return {{"file", d.file},
          {"line", d.line},
          {"column", d.column},
          {"message", context.tr(d.message)},
          {"hint", context.tr(d.hint)}};
}

void print_json(const Findings& findings, const Context& context, Out& out) {
  json::array errors;
  for (const auto& error : findings.errors) errors.push_back(to_json(context, error));
  json::array lints;
  for (const Lint& lint : findings.lints) {
    json::object object{{"name", lint.kind->name},
                        {"level", name_of(lint.kind->level)},
                        {"subject", lint.subject}};
    for (auto& [key, value] : to_json(context, lint.diagnostic)) object.emplace(key, value);
    json::array related;
    for (const auto& one : lint.related) {
      related.push_back(json::object{{"name", one.name}, {"where", one.where}});
    }
    object.emplace("related", std::move(related));
    lints.push_back(std::move(object));
  }
  const json::object document{{"schema", findings.schema},
                              {"errors", std::move(errors)},
                              {"lints", std::move(lints)}};
  out.line(json::serialize(document));
}

Table to_table(const Findings& findings, const Context& context) {
  Table table;
  table.schema = findings.schema;
  table.columns = {{"level", {"LEVEL", "级别"}},     {"name", {"NAME", "检查项"}},
                   {"subject", {"SUBJECT", "对象"}}, {"file", {"FILE", "文件"}},
                   {"line", {"LINE", "行"}, true},   {"column", {"COLUMN", "列"}, true},
                   {"message", {"MESSAGE", "内容"}}, {"hint", {"HINT", "提示"}}};
  const auto add = [&](std::string_view level, std::string_view name, const std::string& subject,
                       const policy::Diagnostic& d) {
    table.rows.push_back({json::value(level), json::value(name), json::value(subject),
                          json::value(d.file), json::value(d.line), json::value(d.column),
                          json::value(context.tr(d.message)), json::value(context.tr(d.hint))});
  };
  for (const auto& error : findings.errors) add("error", kErrorRule, "", error);
  for (const Lint& lint : findings.lints) {
    add(name_of(lint.kind->level), lint.kind->name, lint.subject, lint.diagnostic);
  }
  return table;
}

SarifPlace place_of(const policy::Diagnostic& d) {
  return {d.file, d.line, d.column, d.length, {}};
}

void print_as_sarif(const Findings& findings, const Context& context, Out& out) {
  std::vector<SarifRule> rules{
      {kErrorRule, "error", context.tr("the policy does not load", "策略无法加载")}};
  for (const auto* const kind : findings.looked_for) {
    rules.push_back({std::string{kind->name}, std::string{name_of(kind->level)},
                     context.tr(Text{std::string{kind->english}, std::string{kind->chinese}})});
  }
  const auto sentence = [&](const policy::Diagnostic& d) {
    const auto& hint = context.tr(d.hint);
    return hint.empty()
               ? context.tr(d.message)
               : fmt::format("{}{}{}", context.tr(d.message), context.tr("; ", "；"), hint);
  };
  std::vector<SarifResult> results;
  for (const auto& d : findings.errors) {
    results.push_back({kErrorRule, "error", sentence(d), place_of(d), {}});
  }
  for (const Lint& lint : findings.lints) {
    SarifResult result{std::string{lint.kind->name},
                       std::string{name_of(lint.kind->level)},
                       sentence(lint.diagnostic),
                       place_of(lint.diagnostic),
                       {}};
    for (const auto& one : lint.related) {
      const auto colon = one.where.rfind(':');
      std::uint32_t line = 0;
      std::from_chars(one.where.data() + colon + 1, one.where.data() + one.where.size(), line);
      result.related.push_back({one.where.substr(0, colon), line, 0, 0, one.name});
    }
    results.push_back(std::move(result));
  }
  print_sarif(rules, results, out);
}

void print_as_junit(const Findings& findings, const Context& context, Out& out) {
  std::vector<JunitCase> cases;
  const auto text = [&](const policy::Diagnostic& d) {
    return fmt::format("{}:{}:{}: {}\n{}", d.file, d.line, d.column, context.tr(d.message),
                       context.tr(d.hint));
  };
  for (const auto& d : findings.errors) {
    cases.push_back(
        {d.file, fmt::format("{} {}:{}", kErrorRule, d.line, d.column), {text(d)}, true, 0});
  }
  if (findings.errors.empty()) cases.push_back({"policy", "loads", {}, false, 0});
  // What was looked for and not found has passed.
  for (const auto* const kind : findings.looked_for) {
    const bool found = std::ranges::any_of(findings.lints,
                                           [&](const Lint& l) { return l.kind == kind; });
    if (findings.errors.empty() && !found) {
      cases.push_back({"policy", std::string{kind->name}, {}, false, 0});
    }
  }
  for (const Lint& lint : findings.lints) {
    const auto& d = lint.diagnostic;
    JunitCase one{d.file,
                  fmt::format("{} {} {}:{}", lint.kind->name, lint.subject, d.line, d.column),
                  {},
                  false,
                  0};
    if (findings.fails(lint.kind->level)) one.failures.push_back(text(d));
    cases.push_back(std::move(one));
  }
  print_junit(findings.suite, cases, out);
}

}  // namespace

std::string_view name_of(analysis::LintLevel level) {
  return level == analysis::LintLevel::kWarning ? "warning" : "note";
}

int print(const Findings& findings, const Context& context, Format format, Out& out) {
  switch (format) {
    case Format::kTable:
    case Format::kJson: print_json(findings, context, out); break;
    case Format::kJsonl:
    case Format::kCsv: return print(to_table(findings, context), context, format, out);
    case Format::kJunit: print_as_junit(findings, context, out); break;
    case Format::kMarkdown:
    case Format::kHtml:  // refused before
    case Format::kSarif: print_as_sarif(findings, context, out); break;
  }
  return kYes;
}

}  // namespace meiguan::cli
