#pragma once

// What the fast path says of every first packet at one moment, as a small matrix: sources and
// in-ports with equal answers are one row, destinations, protocols and ports with equal answers one
// column. Every answer is that of fastpath::judge_addresses and judge_access for a packet of the
// class, so that the kernel, given this matrix, decides as the data plane would.

#include <cstdint>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "controlplane/kernel/end_classes.h"
#include "dataplane/base/strong_id.h"
#include "dataplane/fastpath/reason.h"
#include "dataplane/image/moment.h"
#include "dataplane/image/reader.h"

namespace meiguan::kernel {

// How a first packet ends; `rule` none where no rule decided.
struct Answer {
  fastpath::Reason reason{fastpath::Reason::kDefaultDeny};
  RuleId rule;
  auto operator<=>(const Answer&) const = default;
};

// Keys of the port maps: protocol << 16 | port, or type of ICMP; both ends belong to it.
struct KeySpan {
  std::uint32_t first{0};
  std::uint32_t last{0};
  std::uint32_t column{0};
  auto operator<=>(const KeySpan&) const = default;
};

// Where packets to some addresses leave, and their column by protocol and port.
struct Destination {
  PortId out;
  std::vector<KeySpan> keys;
  auto operator<=>(const Destination&) const = default;
};

struct Verdicts {
  Ends ends;
  std::vector<std::vector<std::uint32_t>> row_of;            // by in-port, then class: the row
  std::vector<std::optional<std::uint32_t>> destination_of;  // by class; nothing: no route there
  std::vector<Destination> destinations;
  std::vector<Answer> answers;
  std::vector<std::vector<std::uint16_t>> rows;  // by row, then column: an index into `answers`
};

// Nothing where the image's classes are too many to be asked one by one.
[[nodiscard]] std::optional<Verdicts> find_verdicts(const image::Image& image,
                                                    const image::Moment& moment);

}  // namespace meiguan::kernel
