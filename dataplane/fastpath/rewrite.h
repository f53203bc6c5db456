#pragma once

// What forwarding changes in a frame (RFC 1812 section 5.3, RFC 8200 section 3).

#include <cstdint>

#include "dataplane/fastpath/packet_info.h"
#include "dataplane/fastpath/pipeline.h"
#include "dataplane/net/link.h"

namespace meiguan::fastpath {

// Gives the frame its new Ethernet header, with a tag or without, takes one from TTL or hop limit
// and cuts padding off. The frame's start moves where a tag comes or goes (Frame::kHeadroom).
// The priority bits of a tag are kept. `info` is the frame's own; its TTL is above 1.
void rewrite(Frame& frame, const PacketInfo& info, const net::Link& link) noexcept;

}  // namespace meiguan::fastpath
