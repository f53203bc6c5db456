#pragma once

// The gateway's own questions and answers of ARP and neighbour discovery, by one interface. Frames
// are made by net/neighbour_build.h; here is who speaks from which address to whom.

#include <cstdint>
#include <vector>

#include "dataplane/net/address.h"
#include "dataplane/net/link.h"
#include "dataplane/net/neighbour_build.h"
#include "dataplane/runtime/interfaces.h"

namespace meiguan::runtime {

using FrameBytes = std::vector<std::uint8_t>;

// The Ethernet header of a frame from `from` to `to` (zero: whom the builder knows).
[[nodiscard]] inline net::Link link_from(const Interface& from,
                                         const net::MacAddress& to) noexcept {
  return {to, from.mac, from.vlan};
}

// Asks for `target`: everybody, or `known` alone where it is not zero and only to be confirmed.
// Empty where the interface has no address to ask from.
[[nodiscard]] inline FrameBytes build_request(const Interface& from, const net::Address& target,
                                              const net::MacAddress& known) {
  const auto source = from.source_for(target);
  if (!source) return {};
  FrameBytes frame(net::kMostNeighbourFrameBytes);
  const net::Link link = link_from(from, known);
  frame.resize(target.family() == net::Family::kIpv4
                   ? net::build_arp_request(frame, link, *source, target)
                   : net::build_neighbour_solicitation(frame, link, *source, target));
  return frame;
}

// Answers for `address`, which is the interface's own, to `asker` at `asker_mac`. An unspecified
// asker looks for duplicates (RFC 5227, RFC 4862).
[[nodiscard]] inline FrameBytes build_answer(const Interface& from, const net::Address& address,
                                             const net::Address& asker,
                                             const net::MacAddress& asker_mac) {
  FrameBytes frame(net::kMostNeighbourFrameBytes);
  const net::Link link = link_from(from, asker_mac);
  frame.resize(address.family() == net::Family::kIpv4
                   ? net::build_arp_reply(frame, link, address, asker)
                   : net::build_neighbour_advertisement(frame, link, address, asker));
  return frame;
}

// Tells the segment of `address` unasked, for neighbours that remember another MAC
// (RFC 5227 section 2.3, RFC 4861 section 7.2.6).
[[nodiscard]] inline FrameBytes build_announcement(const Interface& from,
                                                   const net::Address& address) {
  FrameBytes frame(net::kMostNeighbourFrameBytes);
  const net::Link link = link_from(from, net::MacAddress{});
  frame.resize(address.family() == net::Family::kIpv4
                   ? net::build_arp_request(frame, link, address, address)
                   : net::build_neighbour_advertisement(frame, link, address, net::Address{}));
  return frame;
}

}  // namespace meiguan::runtime
