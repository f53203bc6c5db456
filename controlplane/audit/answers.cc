#include "controlplane/audit/answers.h"

#include <boost/json.hpp>
#include <deque>
#include <utility>

namespace meiguan::audit {

namespace json = boost::json;

json::object to_json(const Verdict& verdict) {
  json::array flaws;
  for (const auto& flaw : verdict.flaws) {
    flaws.push_back(
        json::object{{"kind", name_of(flaw.kind)},
                     {"file", flaw.file},
                     {"line", flaw.line},
                     {"record", flaw.record},
                     {"message", {{"en", flaw.text.english}, {"zh", flaw.text.chinese}}}});
  }
  return {{"schema", "meiguan.audit-verify/v1"},
          {"whole", verdict.is_whole()},
          {"files", verdict.files},
          {"records", verdict.records},
          {"first", verdict.first},
          {"last", verdict.last},
          {"last_hash", verdict.last_hash},
          {"signatures", verdict.signatures},
          {"unsigned", verdict.unsigned_records},
          {"flaws", std::move(flaws)}};
}

Result<json::object> records(const std::filesystem::path& directory, const Wanted& wanted) {
  std::deque<json::value> rows;
  const auto text = [](const json::object& object, std::string_view key) -> std::string_view {
    const auto* const value = object.if_contains(key);
    return value != nullptr && value->is_string() ? std::string_view{value->get_string()}
                                                  : std::string_view{};
  };
  const auto visit = [&](const Line& record, std::string_view line) {
    boost::system::error_code error;
    json::parse_options options;
    options.max_depth = kMaxDepth;
    auto value = json::parse(line, error, {}, options);
    // A record that is there is shown, whatever is asked for.
    if (error || !value.is_object()) {
      rows.emplace_back(json::object{{"n", record.number}, {"event", "unreadable"}});
      if (rows.size() > wanted.last) rows.pop_front();
      return;
    }
    const auto& object = value.get_object();
    if ((!wanted.user.empty() && text(object, "user") != wanted.user) ||
        (!wanted.event.empty() && text(object, "event") != wanted.event) ||
        (!wanted.since.empty() && text(object, "time") < wanted.since)) {
      return;
    }
    rows.push_back(std::move(value));
    if (rows.size() > wanted.last) rows.pop_front();
  };
  // The same reader, so that what is shown is what is verified.
  const auto verdict = verify_directory(directory, {}, visit);
  if (!verdict) return std::unexpected{verdict.error()};
  json::array array;
  for (auto& row : rows) array.push_back(std::move(row));
  return json::object{{"schema", "meiguan.audit/v1"},
                      {"whole", verdict->is_whole()},
                      {"rows", std::move(array)}};
}

}  // namespace meiguan::audit
