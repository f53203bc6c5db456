#include "dataplane/runtime/icmp_answer.h"

#include <algorithm>

#include "dataplane/net/reader.h"
#include "dataplane/net/wire.h"

namespace meiguan::runtime {
namespace {

// Room for the Ethernet header, with a tag, before the packet.
constexpr std::size_t kMostLinkBytes = sizeof(net::EthernetHeader) + sizeof(net::VlanTag);

// A frame with room for `packet_bytes` behind its header; `start` is where they begin.
FrameBytes begin_frame(const Interface& out, const net::MacAddress& to, net::Family family,
                       std::size_t packet_bytes, std::size_t& start) {
  FrameBytes frame(kMostLinkBytes + packet_bytes);
  start = net::build_ethernet(frame, link_from(out, to),
                              family == net::Family::kIpv4 ? net::ether_type::kIpv4
                                                           : net::ether_type::kIpv6);
  return frame;
}

}  // namespace

std::span<const std::uint8_t> packet_in(const fastpath::PacketInfo& info,
                                        std::span<const std::uint8_t> frame) noexcept {
  net::Reader reader{frame};
  if (!info.is_ip() || !reader.skip(info.l3_offset) || !reader.limit(info.ip_bytes)) return {};
  return reader.rest();
}

FrameBytes build_echo_reply(const Interface& in, const net::MacAddress& to,
                            const fastpath::PacketInfo& info,
                            std::span<const std::uint8_t> packet) {
  // To one host only, and never as an answer to a group (RFC 1122 section 3.2.2.6 leaves it open).
  if (!is_station(to) || is_multicast(info.source()) || is_unspecified(info.source()) ||
      is_multicast(info.destination())) {
    return {};
  }
  std::size_t start{};
  FrameBytes frame = begin_frame(in, to, info.family, packet.size(), start);
  frame.resize(start + packet.size());
  const auto reply = std::span{frame}.subspan(start);
  std::ranges::copy(packet, reply.begin());
  if (!net::make_echo_reply(reply)) return {};
  return frame;
}

FrameBytes build_error(const Interface& out, const net::MacAddress& to,
                       const fastpath::PacketInfo& info, std::span<const std::uint8_t> packet,
                       net::IcmpProblem problem, std::uint32_t mtu) {
  const auto from = out.source_for(info.source());
  if (!from) return {};
  std::size_t start{};
  FrameBytes frame = begin_frame(out, to, info.family, net::kMostIcmp6ErrorBytes, start);
  const std::size_t bytes = net::build_icmp_error(std::span{frame}.subspan(start), problem, mtu,
                                                  *from, packet);
  if (bytes == 0) return {};
  frame.resize(start + bytes);
  return frame;
}

}  // namespace meiguan::runtime
