// What a month was like: totals, days, units, services, denials, IPv6.

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>

#include "controlplane/api/protocol.h"
#include "controlplane/daemon/stats_answers.h"
#include "controlplane/daemon/stats_request.h"
#include "controlplane/policy/instant_text.h"

namespace meiguan::daemon {
namespace {

namespace json = boost::json;

// The rows of a question as stats_answer() has them, or the refusal.
Result<json::array> rows_of(const StatsInput& input, const json::object& request, const char* since,
                            const char* until, json::array by, json::array filter,
                            const char* step) {
  json::object question{{"since", since},
                        {"until", until},
                        {"by", std::move(by)},
                        {"filter", std::move(filter)}};
  if (*step != '\0') question.emplace("step", step);
  if (const auto node = api::string_at(request, "node"); !node.empty()) {
    question.emplace("node", node);
  }
  auto answer = stats_answer(input, question);
  if (!answer.at("ok").as_bool()) return std::unexpected{Error{api::refusal_text(answer)}};
  return std::move(answer.at("rows").as_array());
}

void largest_first(json::array& rows, const char* key) {
  std::stable_sort(rows.begin(), rows.end(), [&](const json::value& a, const json::value& b) {
    return a.as_object().at(key).to_number<double>() > b.as_object().at(key).to_number<double>();
  });
}

}  // namespace

json::object month_answer(const StatsInput& input, const json::object& request) {
  const auto offsets = input.bundle.image.utc_offsets();
  auto month = api::string_at(request, "month");
  if (month.empty()) month = policy::instant_text(offsets, input.now).substr(0, 7);
  const auto begin = month.size() == 7 ? policy::parse_instant(offsets, month + "-01")
                                       : std::nullopt;
  if (!begin) {
    return api::refusal({"--month is a year and a month, 2026-11", "--month 须为年月，如 2026-11"});
  }
  // Some day of the next one, and back to its first.
  const auto next = policy::instant_text(offsets, *begin + 32 * store::kDay).substr(0, 7) + "-01";
  const std::string since = month + "-01";
  const std::string end = std::min(next,
                                   policy::instant_text(offsets, input.now + 1).substr(0, 19));
  if (end <= since) return api::refusal({"that month is to come", "该月尚未开始"});
  struct Part {
    const char* key;
    json::array by;
    json::array filter;
    const char* step;
    const char* sort;
  };
  Part parts[] = {
      {"total", {}, {}, "", "packets"},
      {"verdicts", {"verdict"}, {}, "", "packets"},
      {"families", {"family"}, {"verdict=forward"}, "", "bytes"},
      {"days", {}, {}, "1d", ""},
      {"units", {"unit"}, {}, "", "bytes"},
      {"services", {"service"}, {}, "", "bytes"},
      {"rules", {"rule"}, {}, "", "bytes"},
      {"denied", {"reason"}, {"verdict=drop"}, "", "packets"},
  };
  json::object answer{{"ok", true},     {"schema", "meiguan.month/v1"},
                      {"month", month}, {"node", input.recorder.node()},
                      {"since", since}, {"until", end}};
  for (auto& part : parts) {
    auto rows = rows_of(input, request, since.c_str(), end.c_str(), std::move(part.by),
                        std::move(part.filter), part.step);
    if (!rows) return api::refusal(rows.error().message);
    if (*part.sort != '\0') largest_first(*rows, part.sort);
    answer.emplace(part.key, std::move(*rows));
  }
  return answer;
}

}  // namespace meiguan::daemon
