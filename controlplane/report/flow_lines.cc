#include "controlplane/report/flow_lines.h"

#include <boost/json.hpp>

#include "controlplane/analysis/names.h"

namespace meiguan::report {
namespace {

namespace json = boost::json;

json::value name_or_null(std::string_view text) {
  return text.empty() ? json::value(nullptr) : json::value(text);
}

}  // namespace

std::string_view name_of(fastpath::FlowEnd end) {
  switch (end) {
    case fastpath::FlowEnd::kIdle: return "idle";
    case fastpath::FlowEnd::kClosed: return "closed";
    case fastpath::FlowEnd::kReset: return "reset";
    case fastpath::FlowEnd::kRevoked: return "revoked";
    case fastpath::FlowEnd::kShutdown: return "shutdown";
    case fastpath::FlowEnd::kBlocked: return "blocked";
    case fastpath::FlowEnd::kNone: break;
  }
  return "";
}

std::string flow_line(const fastpath::Event& event, const policy::Catalog& catalog,
                      const std::string& revision, std::int64_t ended_ms) {
  const analysis::Names names{catalog};
  const auto lasted = event.time >= event.start ? event.time - event.start : 0;
  const bool translated = event.translated_source != net::Address{};
  json::object line{{"start_ms", ended_ms - static_cast<std::int64_t>(lasted)},
                    {"end_ms", ended_ms},
                    {"end", name_of(event.end)},
                    {"protocol", event.protocol},
                    {"source", net::to_string(event.source)},
                    {"source_port", event.source_port},
                    {"destination", net::to_string(event.destination)},
                    {"destination_port", event.destination_port},
                    {"in", name_or_null(names.port_name(event.in_port))},
                    {"out", name_or_null(names.port_name(event.out_port))},
                    {"unit", name_or_null(names.unit_id(event.unit))},
                    {"to_unit", name_or_null(names.unit_id(event.to_unit))},
                    {"service", name_or_null(names.service_id(event.service))},
                    {"rule", name_or_null(names.rule_name(event.rule))},
                    {"packets", event.packets},
                    {"bytes", event.bytes},
                    {"reply_packets", event.reply_packets},
                    {"reply_bytes", event.reply_bytes},
                    {"tcp_flags", event.tcp_flags >> 8},
                    {"reply_tcp_flags", event.tcp_flags & 0xff},
                    {"generation", event.generation},
                    {"revision", name_or_null(revision)}};
  if (translated) {
    line.emplace("translated_source", net::to_string(event.translated_source));
    line.emplace("translated_source_port", event.translated_source_port);
    line.emplace("translated_destination", net::to_string(event.translated_destination));
    line.emplace("translated_destination_port", event.translated_destination_port);
  }
  return json::serialize(line);
}

}  // namespace meiguan::report
