#include "tools/cli/example_json.h"

#include <boost/json.hpp>

#include "controlplane/policy/instant_text.h"

namespace meiguan::cli {
namespace {

boost::json::value text_or_null(std::string_view text) {
  return text.empty() ? boost::json::value(nullptr) : boost::json::value(text);
}

}  // namespace

boost::json::value example_json(const image::Image& image, const analysis::Names& names,
                                const analysis::Example& example) {
  const auto* const reason = fastpath::find_reason(example.decision.reason);
  const auto* const rule = names.rule(example.decision.rule);
  boost::json::object object;
  object.emplace("from", net::to_string(example.from));
  object.emplace("from_zone", names.zone_id(example.from_zone));
  object.emplace("to", analysis::to_string(example.to));
  object.emplace("to_zone", names.zone_id(example.to_zone));
  object.emplace("at", example.timed ? boost::json::value(
                                           policy::instant_text(image.utc_offsets(), example.at))
                                     : boost::json::value(nullptr));
  object.emplace("unit", text_or_null(names.unit_id(example.unit)));
  object.emplace("to_unit", text_or_null(names.unit_id(example.to_unit)));
  object.emplace("service", text_or_null(names.service_id(example.service)));
  object.emplace("verdict", fastpath::name_of(example.decision.verdict()));
  object.emplace("reason", reason != nullptr ? reason->name : std::string_view{});
  object.emplace("rule", text_or_null(names.rule_name(example.decision.rule)));
  object.emplace("where", rule != nullptr ? text_or_null(rule->where) : nullptr);
  object.emplace("explain", analysis::explain_options(image, names, example));
  return object;
}

}  // namespace meiguan::cli
