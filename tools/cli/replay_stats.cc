#include "tools/cli/replay_stats.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "controlplane/store/gather.h"
#include "tools/cli/dimensions.h"

namespace meiguan::cli {
namespace {

namespace json = boost::json;

report::RollupOptions options_for(const std::string& node) {
  report::RollupOptions options;
  options.node = node;
  return options;
}

}  // namespace

ReplayStats::ReplayStats(const policy::Catalog& catalog, const std::string& node)
    : catalog_{catalog}, rollup_{options_for(node)} {
  rollup_.set_catalog(catalog);
}

analysis::ReplayEvents ReplayStats::events() {
  report::Sums nothing;
  nothing.reasons.resize(fastpath::kReasonCodes);
  rollup_.attach(nothing);
  return [this](const fastpath::Event& event, fastpath::Tick now) {
    last_ = now;
    rollup_.take(event, 0, static_cast<report::WallMs>(now));
  };
}

Result<Table> ReplayStats::table(const analysis::Replay& replay, const std::string& by) {
  const auto dimensions = dimensions_of("--stats", by);
  if (!dimensions) return std::unexpected{dimensions.error()};
  const auto now = static_cast<report::WallMs>(last_);
  rollup_.count(report::add_up(std::span{&replay.counters(), 1},
                               {.ports = catalog_.ports.size(),
                                .units = catalog_.units.size(),
                                .services = catalog_.services.size(),
                                .rules = catalog_.rules.size()}),
                now, 0);
  rollup_.detach(now);
  store::Query query;
  query.since = std::numeric_limits<std::int64_t>::min() / 2;
  query.until = std::numeric_limits<std::int64_t>::max() / 2;
  query.by = *dimensions;
  const store::OffsetAt utc;
  store::Plan plan;
  plan.since = query.since;
  plan.until = query.until;
  store::Gather gather{query, plan, utc};
  for (const auto& batch : rollup_.take_all()) gather.add(batch);
  Table table;
  table.schema = "meiguan.replay-stats/v1";
  for (const auto dimension : *dimensions) {
    const std::string name{store::kDimensionNames[static_cast<std::size_t>(dimension)]};
    table.columns.push_back({name, {name, name}});
  }
  table.columns.push_back({"packets", {"PACKETS", "报文"}, true});
  table.columns.push_back({"bytes", {"BYTES", "字节"}, true});
  table.columns.push_back({"denied", {"DENIED", "拒绝"}, true});
  table.columns.push_back({"started", {"STARTED", "新建流"}, true});
  table.columns.push_back({"ended", {"ENDED", "结束流"}, true});
  const auto answer = gather.take();
  if (!answer) return std::unexpected{answer.error()};
  for (const auto& row : answer->rows) {
    std::vector<Cell> cells;
    for (const auto& name : row.names) {
      cells.push_back(name.empty() ? Cell{json::value(nullptr)} : Cell{json::value(name)});
    }
    for (const auto n :
         {row.sums.packets, row.sums.bytes, row.denied, row.sums.started, row.sums.ended}) {
      cells.push_back(Cell{json::value(n)});
    }
    table.rows.push_back(std::move(cells));
  }
  return table;
}

}  // namespace meiguan::cli
