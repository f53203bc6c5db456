#include "dataplane/net/neighbour_build.h"

#include <cstring>

#include "dataplane/net/checksum.h"
#include "dataplane/net/wire.h"

namespace meiguan::net {
namespace {

std::size_t build_arp(std::span<std::uint8_t> out, const Link& link, std::uint16_t operation,
                      const Address& sender, const MacAddress& target_mac,
                      const Address& target) noexcept {
  const std::size_t header = build_ethernet(out, link, ether_type::kArp);
  if (header == 0 || out.size() - header < sizeof(ArpPacket)) return 0;
  ArpPacket arp{};
  arp.hardware = Be16::from_host(ArpPacket::kEthernet);
  arp.protocol = Be16::from_host(ether_type::kIpv4);
  arp.hardware_length = 6;
  arp.protocol_length = 4;
  arp.operation = Be16::from_host(operation);
  arp.sender_mac = link.source;
  std::memcpy(arp.sender_address.data(), sender.wire(), arp.sender_address.size());
  arp.target_mac = target_mac;
  std::memcpy(arp.target_address.data(), target.wire(), arp.target_address.size());
  std::memcpy(out.data() + header, &arp, sizeof arp);
  return header + sizeof arp;
}

std::size_t build_message(std::span<std::uint8_t> out, const Link& link, const Address& source,
                          const Address& destination, NeighbourMessage message,
                          std::uint8_t option_type) noexcept {
  constexpr std::size_t kMessage = sizeof(NeighbourMessage) + sizeof(LinkLayerOption);
  const std::size_t header = build_ethernet(out, link, ether_type::kIpv6);
  if (header == 0 || out.size() - header < sizeof(Ipv6Header) + kMessage) return 0;
  Ipv6Header ip{};
  ip.version_class_label = Be32::from_host(6U << 28);
  ip.payload_length = Be16::from_host(kMessage);
  ip.next_header = protocol::kIcmp6;
  ip.hop_limit = 255;
  ip.source = source.bytes();
  ip.destination = destination.bytes();
  const LinkLayerOption option{option_type, 1, link.source};

  std::uint8_t* const packet = out.data() + header;
  std::uint8_t* const body = packet + sizeof ip;
  std::memcpy(packet, &ip, sizeof ip);
  std::memcpy(body, &message, sizeof message);
  std::memcpy(body + sizeof message, &option, sizeof option);
  message.checksum = finish_checksum(
      sum_words({body, kMessage},
                sum_pseudo_header(Family::kIpv6, source, destination, protocol::kIcmp6, kMessage)));
  std::memcpy(body, &message, sizeof message);
  return header + sizeof ip + kMessage;
}

}  // namespace

std::size_t build_ethernet(std::span<std::uint8_t> out, const Link& link,
                           std::uint16_t type) noexcept {
  const std::size_t bytes = sizeof(EthernetHeader) + (link.vlan != 0 ? sizeof(VlanTag) : 0);
  if (out.size() < bytes) return 0;
  EthernetHeader ethernet{link.destination, link.source, Be16::from_host(type)};
  if (link.vlan != 0) {
    const VlanTag tag{Be16::from_host(link.vlan), Be16::from_host(type)};
    std::memcpy(out.data() + sizeof ethernet, &tag, sizeof tag);
    ethernet.type = Be16::from_host(ether_type::kVlan);
  }
  std::memcpy(out.data(), &ethernet, sizeof ethernet);
  return bytes;
}

std::size_t build_arp_request(std::span<std::uint8_t> out, const Link& link, const Address& sender,
                              const Address& target) noexcept {
  Link to = link;
  if (to.destination == MacAddress{}) to.destination = kBroadcastMac;
  return build_arp(out, to, ArpPacket::kRequest, sender, MacAddress{}, target);
}

std::size_t build_arp_reply(std::span<std::uint8_t> out, const Link& link, const Address& sender,
                            const Address& target) noexcept {
  return build_arp(out, link, ArpPacket::kReply, sender, link.destination, target);
}

Address solicited_node(const Address& target) noexcept {
  const auto& t = target.bytes();
  return Address::v6({0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, t[13], t[14], t[15]});
}

MacAddress multicast_mac(const Address& group) noexcept {
  const auto& g = group.bytes();
  return {0x33, 0x33, g[12], g[13], g[14], g[15]};
}

std::size_t build_neighbour_solicitation(std::span<std::uint8_t> out, const Link& link,
                                         const Address& source, const Address& target) noexcept {
  Link to = link;
  Address destination = target;
  if (to.destination == MacAddress{}) {
    destination = solicited_node(target);
    to.destination = multicast_mac(destination);
  }
  NeighbourMessage message{};
  message.type = icmp6::kNeighbourSolicitation;
  message.target = target.bytes();
  return build_message(out, to, source, destination, message, LinkLayerOption::kSource);
}

std::size_t build_neighbour_advertisement(std::span<std::uint8_t> out, const Link& link,
                                          const Address& target,
                                          const Address& destination) noexcept {
  constexpr Ipv6Bytes kAllNodes{0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
  Link to = link;
  Address receiver = destination;
  std::uint32_t flags = NeighbourMessage::kRouter | NeighbourMessage::kOverride;
  if (destination == Address{}) {
    receiver = Address::v6(kAllNodes);
    to.destination = multicast_mac(receiver);
  } else {
    flags |= NeighbourMessage::kSolicited;
  }
  NeighbourMessage message{};
  message.type = icmp6::kNeighbourAdvertisement;
  message.flags = Be32::from_host(flags);
  message.target = target.bytes();
  return build_message(out, to, target, receiver, message, LinkLayerOption::kTarget);
}

}  // namespace meiguan::net
