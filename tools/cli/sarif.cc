#include "tools/cli/sarif.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>

namespace meiguan::cli {
namespace {

namespace json = boost::json;

// A path as a relative reference (RFC 3986 section 4.2).
std::string uri_of(const std::string& path) {
  std::string uri;
  for (const char c : path) {
    const bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                          (c >= '0' && c <= '9') || c == '/' || c == '-' || c == '_' || c == '.' ||
                          c == '~';
    if (is_plain) {
      uri += c;
    } else {
      uri += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return uri;
}

json::object location_of(const SarifPlace& place) {
  json::object physical;
  physical["artifactLocation"] = json::object{{"uri", uri_of(place.file)}};
  if (place.line > 0) {
    json::object region{{"startLine", place.line}};
    if (place.column > 0) {
      region["startColumn"] = place.column;
      if (place.length > 0) region["endColumn"] = place.column + place.length;
    }
    physical["region"] = std::move(region);
  }
  json::object location{{"physicalLocation", std::move(physical)}};
  if (!place.message.empty()) location["message"] = json::object{{"text", place.message}};
  return location;
}

}  // namespace

void print_sarif(const std::vector<SarifRule>& rules, const std::vector<SarifResult>& results,
                 Out& out) {
  json::array descriptors;
  for (const SarifRule& rule : rules) {
    descriptors.push_back(
        json::object{{"id", rule.id},
                     {"shortDescription", json::object{{"text", rule.text}}},
                     {"defaultConfiguration", json::object{{"level", rule.level}}}});
  }
  json::array found;
  for (const SarifResult& result : results) {
    json::object object{{"ruleId", result.rule},
                        {"level", result.level},
                        {"message", json::object{{"text", result.text}}}};
    if (!result.place.file.empty()) object["locations"] = json::array{location_of(result.place)};
    const auto rule = std::ranges::find(rules, result.rule, &SarifRule::id);
    if (rule != rules.end()) object["ruleIndex"] = rule - rules.begin();
    json::array related;
    for (const SarifPlace& place : result.related) related.push_back(location_of(place));
    if (!related.empty()) object["relatedLocations"] = std::move(related);
    found.push_back(std::move(object));
  }
  json::object driver{{"name", "meiguan"}, {"rules", std::move(descriptors)}};
  json::object run{{"tool", json::object{{"driver", std::move(driver)}}},
                   {"columnKind", "unicodeCodePoints"},
                   {"results", std::move(found)}};
  const json::object document{{"$schema", "https://json.schemastore.org/sarif-2.1.0.json"},
                              {"version", "2.1.0"},
                              {"runs", json::array{std::move(run)}}};
  out.line(json::serialize(document));
}

}  // namespace meiguan::cli
