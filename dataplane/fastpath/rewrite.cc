#include "dataplane/fastpath/rewrite.h"

#include <cstring>

#include "dataplane/net/checksum.h"
#include "dataplane/net/wire.h"

namespace meiguan::fastpath {
namespace {

void decrement_ttl(std::uint8_t* packet) noexcept {
  --packet[offsetof(net::Ipv4Header, ttl)];
  // RFC 1624 eqn. 3 where the word with the TTL has become less by 256: that much more, with the
  // carry added in again. A checksum of 0xffff, which none is (section 3), would stay one.
  net::Be16 checksum;
  std::uint8_t* const at = packet + offsetof(net::Ipv4Header, checksum);
  std::memcpy(&checksum, at, sizeof checksum);
  const std::uint32_t more = checksum.host() + 0x100U;
  checksum = net::Be16::from_host(static_cast<std::uint16_t>(more + (more >= 0xffff ? 1 : 0)));
  std::memcpy(at, &checksum, sizeof checksum);
}

}  // namespace

void rewrite(Frame& frame, const PacketInfo& info, const net::Link& link) noexcept {
  std::uint8_t* const packet = frame.data + info.l3_offset;
  net::Be16 type;
  if (info.family == net::Family::kIpv4) {
    decrement_ttl(packet);
    type = net::Be16::from_host(net::ether_type::kIpv4);
  } else {
    --packet[offsetof(net::Ipv6Header, hop_limit)];
    type = net::Be16::from_host(net::ether_type::kIpv6);
  }

  // Field by field into the frame: a header put together first would be read back from stores that
  // are still on their way.
  std::uint8_t* start = packet - sizeof(net::EthernetHeader);
  if (link.vlan != 0) {
    // A frame without a tag had 14 bytes in front of its packet, so that 4 of the headroom are
    // used.
    start -= sizeof(net::VlanTag);
    constexpr unsigned kPriority = 0xffff & ~unsigned{net::VlanTag::kVlanMask};
    const unsigned priority = info.tagged ? info.tag & kPriority : 0;
    const net::VlanTag tag{net::Be16::from_host(static_cast<std::uint16_t>(priority | link.vlan)),
                           type};
    std::memcpy(start + sizeof(net::EthernetHeader), &tag, sizeof tag);
    type = net::Be16::from_host(net::ether_type::kVlan);
  }
  std::memcpy(start + offsetof(net::EthernetHeader, destination), link.destination.data(),
              link.destination.size());
  std::memcpy(start + offsetof(net::EthernetHeader, source), link.source.data(),
              link.source.size());
  std::memcpy(start + offsetof(net::EthernetHeader, type), &type, sizeof type);
  frame.data = start;
  frame.length = static_cast<std::uint32_t>(packet - start) + info.ip_bytes;
}

}  // namespace meiguan::fastpath
