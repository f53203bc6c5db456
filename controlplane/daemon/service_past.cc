// What is kept of the past: where it lies, and who is asked for it.

#include <chrono>

#include "controlplane/api/protocol.h"
#include "controlplane/daemon/service.h"
#include "controlplane/daemon/stats_answers.h"
#include "controlplane/daemon/stats_request.h"

namespace meiguan::daemon {

std::unique_ptr<report::Recorder> Service::make_recorder() {
  std::unique_ptr<report::FlowRing> flows;
  if (settings_.flow_record_bytes > 0) {
    auto opened = report::FlowRing::open(settings_.changes.state_dir / "flows",
                                         settings_.flow_record_bytes);
    if (opened) {
      flows = std::move(*opened);
    } else {
      log_(opened.error().message);
    }
  }
  const auto directory = settings_.stats_dir.empty() ? settings_.changes.state_dir / "stats"
                                                     : settings_.stats_dir;
  store::Options options;
  options.retention = settings_.keep;
  // Days begin at midnight of the policy in force.
  options.offset = [this](std::int64_t seconds) {
    const auto now = bundle();
    return now ? offset_at(now->image.utc_offsets(), seconds) : 0;
  };
  return std::make_unique<report::Recorder>(
      [directory, options, server = settings_.stats_postgres] {
        return server.empty() ? store::open_sqlite(directory, options)
                              : store::open_postgres(server, options);
      },
      std::move(flows), [] { return std::chrono::system_clock::now(); }, log_);
}

std::optional<boost::json::object> Service::past_answer(const lifecycle::Bundle& bundle,
                                                        const boost::json::object& request) {
  const StatsInput input{bundle, *recorder_,
                         std::chrono::system_clock::to_time_t(std::chrono::system_clock::now())};
  const auto command = api::string_at(request, "command");
  if (command == "stats") return stats_answer(input, request);
  if (command == "hits") return hits_answer(input, request);
  if (command == "month") return month_answer(input, request);
  if (command == "past-flows") return past_flows_answer(input, request);
  if (command == "top" && request.contains("since")) {
    return api::string_at(request, "what") == "talkers" ? talkers_answer(input, request)
                                                        : top_since_answer(input, request);
  }
  return std::nullopt;
}

}  // namespace meiguan::daemon
