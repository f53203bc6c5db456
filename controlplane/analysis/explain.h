#pragma once

// Why a first packet would pass or not: the stages of policy.md section 5, each with its answer.
//
// With a gateway a synthesised frame goes through a fastpath::Pipeline, so that the answer is the
// workers' own; the details of the stages come from the functions that the pipeline uses. Without
// one, isolation and rules alone are asked, by the zones of the objects.

#include <optional>
#include <string_view>
#include <vector>

#include "controlplane/analysis/probe.h"
#include "controlplane/policy/catalog.h"
#include "dataplane/base/result.h"
#include "dataplane/fastpath/decide.h"
#include "dataplane/image/block_list.h"
#include "dataplane/image/reader.h"

namespace meiguan::analysis {

struct Question {
  net::Address from;
  Destination to;
  // The zones of ends that have no object; they also pick the address space of their end.
  std::optional<ZoneId> from_zone;
  std::optional<ZoneId> to_zone;
  // With a gateway: the port or sub-port that the packet comes in by; inferred where not given.
  std::optional<PortId> in;
  // With a gateway: its block list; null: it is not known what is blocked.
  const image::BlockList* blocks{nullptr};
  std::int64_t at{0};  // when: seconds since 1970-01-01T00:00Z, not before that
};

struct Stage {
  std::string_view name;    // lasting, not translated: "isolation"
  std::string_view result;  // "pass", "drop", "local" or "not-asked"
  Text detail;              // may be empty
};

struct Explanation {
  fastpath::Decision decision;
  UnitId unit;
  UnitId to_unit;
  ServiceId service;
  PortId in;   // with a gateway
  PortId out;  // with a gateway, where it is forwarded
  // The first instant after the asked one at which reason or rule differ because of schedules or
  // dates; nothing where they never do.
  std::optional<std::int64_t> until;
  std::vector<Stage> stages;
  std::vector<Text> assumptions;
  // The ends as isolation and the rules were asked about them; nothing where it did not come to
  // that.
  struct Ends {
    fastpath::Subject subject;
    fastpath::Target target;
  };
  std::optional<Ends> ends;
};

// Errors: the question cannot be answered as put (an end without a zone, a zone that contradicts
// the object's, families that differ, a source without a route where the port is to be inferred).
[[nodiscard]] Result<Explanation> explain(const image::Image& image, const policy::Catalog& catalog,
                                          const Question& question);

}  // namespace meiguan::analysis
