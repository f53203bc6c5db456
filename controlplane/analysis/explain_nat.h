#pragma once

// What becomes of a packet's addresses, in words.

#include <optional>

#include "controlplane/analysis/explain_words.h"
#include "dataplane/image/reader.h"

namespace meiguan::analysis {

// What stands behind a public address: where the rules see the packet go.
struct Arrival {
  Destination to;
  SpaceId space;
  Text text;
};

// Nothing where the address is no public one, or leads nowhere for a packet without a flow.
[[nodiscard]] std::optional<Arrival> arrive(const image::Image& image, SpaceId space,
                                            const Destination& to);

// What becomes of the source of an allowed packet; nothing where it stays. `isolation` is what
// decide() answered with.
[[nodiscard]] std::optional<Text> describe_departure(const image::Image& image,
                                                     const fastpath::Subject& subject,
                                                     const net::Address& source, SpaceId space,
                                                     image::Isolation isolation);

}  // namespace meiguan::analysis
