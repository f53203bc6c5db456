// What is kept of the past: where it lies, and who is asked for it.

#include <algorithm>
#include <chrono>

#include "controlplane/api/protocol.h"
#include "controlplane/daemon/answers.h"
#include "controlplane/daemon/nodes_answer.h"
#include "controlplane/daemon/service.h"
#include "controlplane/daemon/stats_answers.h"
#include "controlplane/daemon/stats_request.h"

namespace meiguan::daemon {

// Null where none are to be kept, or they cannot be.
std::unique_ptr<report::FlowRing> Service::open_flows(const char* name, std::uint64_t most_bytes) {
  if (most_bytes == 0) return nullptr;
  auto opened = report::FlowRing::open(settings_.changes.state_dir / name, most_bytes);
  if (opened) return std::move(*opened);
  log_(opened.error().message);
  return nullptr;
}

std::unique_ptr<report::Recorder> Service::make_recorder() {
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
      open_flows("flows", settings_.flow_record_bytes),
      [] { return std::chrono::system_clock::now(); }, log_, in_tree());
}

report::InTree Service::in_tree() {
  report::InTree in;
  auto* const tree = settings_.tree;
  if (tree == nullptr) return in;
  in.forward = [tree](std::span<const store::Batch> batches) { return tree->forward(batches); };
  in.recover = [tree](const report::Take& take) { return tree->recover(take); };
  in.forwards_flows = tree->forwards_flows();
  in.flows_below = open_flows("flows-below", tree->flow_bytes_below());
  return in;
}

std::unique_ptr<report::PortBlockLog> Service::make_block_log() {
  auto opened = report::PortBlockLog::open(settings_.changes.state_dir / "port-blocks",
                                           settings_.port_block_bytes,
                                           [this](SpaceId space, const net::Address& inside) {
                                             const auto now = bundle();
                                             return now ? unit_at(*now, space, inside)
                                                        : std::string{};
                                           });
  if (opened) return std::move(*opened);
  log_(opened.error().message);
  return nullptr;
}

std::optional<boost::json::object> Service::port_blocks(const lifecycle::Bundle& bundle,
                                                        const boost::json::object& request) {
  const auto about = api::string_at(request, "about");
  if (!request.contains("since")) {
    return port_blocks_answer(bundle, collector_.port_blocks(), collector_.forgotten_port_blocks(),
                              about);
  }
  if (!block_log_) return api::refusal({"no log of port blocks is kept", "未保存端口块日志"});
  boost::json::object times = request;
  times.erase("about");
  const auto query =
      parse_query(bundle.image.utc_offsets(), times,
                  std::chrono::system_clock::to_time_t(std::chrono::system_clock::now()));
  if (!query) return api::refusal(query.error().message);
  const auto until = std::chrono::system_clock::from_time_t(query->until);
  auto past = block_log_->read(std::chrono::system_clock::from_time_t(query->since), until);
  // What was taken before and is held to this day, no line of that time tells of.
  for (auto& block : collector_.port_blocks()) {
    const auto same = [&](const report::PortBlockHeld& other) {
      return !other.returned && other.outside == block.outside &&
             other.first_port == block.first_port;
    };
    if (block.returned || (block.taken && *block.taken >= until) ||
        std::ranges::any_of(past.blocks, same)) {
      continue;
    }
    past.blocks.push_back(std::move(block));
  }
  auto answer = port_blocks_answer(bundle, past.blocks, past.forgotten, about);
  if (answer) {
    answer->emplace("damaged_blocks", past.damaged);
    answer->emplace("lost", block_log_->lost());
  }
  return answer;
}

std::optional<boost::json::object> Service::past_answer(const lifecycle::Bundle& bundle,
                                                        const boost::json::object& request) {
  const StatsInput input{bundle, *recorder_,
                         std::chrono::system_clock::to_time_t(std::chrono::system_clock::now())};
  const auto command = api::string_at(request, "command");
  if (command == "stats") return stats_answer(input, request);
  if (command == "hits") return hits_answer(input, request);
  if (command == "nodes") {
    return nodes_answer(input,
                        settings_.tree != nullptr ? settings_.tree->view() : TreeLink::View{},
                        request);
  }
  if (command == "month") return month_answer(input, request);
  if (command == "past-flows") return past_flows_answer(input, request);
  if (command == "top" && request.contains("since")) {
    return api::string_at(request, "what") == "talkers" ? talkers_answer(input, request)
                                                        : top_since_answer(input, request);
  }
  return std::nullopt;
}

}  // namespace meiguan::daemon
