#include "dataplane/runtime/own_stack.h"

#include <optional>

#include "dataplane/fastpath/parse.h"
#include "dataplane/net/reader.h"
#include "dataplane/net/wire.h"
#include "dataplane/runtime/discovery.h"
#include "dataplane/runtime/icmp_answer.h"

namespace meiguan::runtime {
namespace {

using fastpath::PacketInfo;
using fastpath::PacketKind;
using fastpath::Reason;
using fastpath::Tick;
using net::Address;

// Goes past the Ethernet header and a VLAN tag.
[[nodiscard]] bool read_link(net::Reader& reader, net::EthernetHeader& ethernet) noexcept {
  if (!reader.read(ethernet)) return false;
  net::VlanTag tag;
  return ethernet.type.host() != net::ether_type::kVlan || reader.read(tag);
}

// The link-layer address option of that type; nothing where there is none.
[[nodiscard]] std::optional<net::MacAddress> find_option(net::Reader options,
                                                         std::uint8_t type) noexcept {
  net::LinkLayerOption option;
  while (options.peek(option)) {
    if (option.type == type && option.length == 1) return option.mac;
    if (option.length == 0 || !options.skip(std::size_t{option.length} * 8)) break;
  }
  return std::nullopt;
}

[[nodiscard]] std::optional<net::IcmpProblem> problem_of(Reason reason) noexcept {
  switch (reason) {
    case Reason::kTtlExpired: return net::IcmpProblem::kTimeExceeded;
    case Reason::kTooBig: return net::IcmpProblem::kTooBig;
    case Reason::kNoRoute: return net::IcmpProblem::kNoRoute;
    default: return std::nullopt;
  }
}

}  // namespace

OwnStack::OwnStack(fastpath::NeighbourTable& table, std::uint32_t capacity, Outlet& outlet)
    : outlet_{outlet}, neighbours_{table, capacity, outlet} {}

void OwnStack::adopt(const Interfaces& interfaces, Tick now) {
  interfaces_ = &interfaces;
  neighbours_.adopt(interfaces, now);
}

void OwnStack::announce(Tick now) {
  for (const Interface& interface : interfaces_->all()) {
    for (const image::PortAddress& own : interface.addresses) {
      if (!answers_.take(now)) return;
      outlet_.transmit(interface.id, build_announcement(interface, own.address));
    }
  }
}

void OwnStack::consume(PortId in, std::span<const std::uint8_t> frame, Tick now) {
  const Interface* interface = interfaces_->find(in);
  if (interface == nullptr) return;
  PacketInfo info;
  fastpath::parse(frame, info);
  if (!info.well_formed()) return;
  switch (info.kind) {
    case PacketKind::kArp: answer_arp(*interface, frame, now); return;
    case PacketKind::kNeighbourDiscovery: answer_discovery(*interface, info, frame, now); return;
    case PacketKind::kPacket: {
      if (is_for_machine(*interface, info.destination())) {
        return give_machine(*interface, info, frame, now);
      }
      if (!interfaces_->is_own(*interface, info.destination())) return;
      net::EthernetHeader ethernet;
      if (!net::Reader{frame}.read(ethernet)) return;
      const FrameBytes reply = build_echo_reply(*interface, ethernet.source, info,
                                                packet_in(info, frame));
      if (!reply.empty() && echoes_.take(now)) outlet_.transmit(in, reply);
      return;
    }
    case PacketKind::kFragment:
    case PacketKind::kIcmpError:
      if (is_for_machine(*interface, info.destination())) {
        give_machine(*interface, info, frame, now);
      }
      return;
    case PacketKind::kNotIp: return;
  }
}

// The kernel speaks from the port's own addresses alone, so it is asked at no others.
bool OwnStack::is_for_machine(const Interface& in, const Address& to) const {
  return outlet_.has_machine(in.id) && (is_multicast(to) || in.owns(to));
}

void OwnStack::give_machine(const Interface& in, const PacketInfo& info,
                            std::span<const std::uint8_t> frame, Tick now) {
  if (machine_.may_enter(interfaces_->image(), in, info, now)) {
    outlet_.to_machine(in.id, untagged(frame));
  }
}

void OwnStack::from_machine(PortId out, std::span<const std::uint8_t> frame,
                            const image::Blocks& blocked, Tick now) {
  const Interface* interface = interfaces_->find(out);
  if (interface == nullptr) return;
  if (machine_.may_leave(interfaces_->image(), *interface, frame, blocked, now)) {
    outlet_.transmit(out, tagged(frame, interface->vlan));
  }
}

void OwnStack::answer_arp(const Interface& in, std::span<const std::uint8_t> frame, Tick now) {
  net::Reader reader{frame};
  net::EthernetHeader ethernet;
  net::ArpPacket arp;
  if (!read_link(reader, ethernet) || !reader.read(arp)) return;
  const Address sender = Address::v4_wire(arp.sender_address.data());
  const Address target = Address::v4_wire(arp.target_address.data());
  if (arp.operation.host() == net::ArpPacket::kReply) {
    // A reply that nobody asked for is sent to everybody.
    const bool solicited = ethernet.destination == in.mac && in.owns(target);
    neighbours_.heard_answer(in, sender, arp.sender_mac, solicited, now);
    // The kernel has questions of its own.
    if (solicited && outlet_.has_machine(in.id) && answers_.take(now)) {
      outlet_.to_machine(in.id, untagged(frame));
    }
    return;
  }
  if (arp.operation.host() != net::ArpPacket::kRequest) return;
  if (!interfaces_->answers_for(in, target)) {
    // A gratuitous request is a claim like an unsolicited reply (RFC 5227 section 3).
    if (sender == target) neighbours_.heard_answer(in, sender, arp.sender_mac, false, now);
    return;
  }
  // Learned before it is answered: what follows the answer need not wait for a question of ours.
  neighbours_.heard_request(in, sender, arp.sender_mac, now);
  if (!is_station(arp.sender_mac) || !answers_.take(now)) return;
  if (outlet_.has_machine(in.id) && in.owns(target)) {
    outlet_.to_machine(in.id, untagged(frame));
  } else {
    outlet_.transmit(in.id, build_answer(in, target, sender, arp.sender_mac));
  }
}

void OwnStack::answer_discovery(const Interface& in, const PacketInfo& info,
                                std::span<const std::uint8_t> frame, Tick now) {
  // Hop limit, checksum, code, target and lengths of options were checked by parse.
  net::Reader reader{frame};
  net::EthernetHeader ethernet;
  net::Ipv6Header ip;
  net::NeighbourMessage message;
  if (!read_link(reader, ethernet) || !reader.read(ip)) return;
  if (ip.next_header != net::protocol::kIcmp6 || !reader.read(message)) return;
  const Address target = Address::v6_wire(message.target.data());
  if (message.type == net::icmp6::kNeighbourAdvertisement) {
    const auto mac = find_option(reader, net::LinkLayerOption::kTarget);
    const bool solicited = (message.flags.host() & net::NeighbourMessage::kSolicited) != 0 &&
                           !is_multicast(info.destination());
    neighbours_.heard_answer(in, target, mac.value_or(ethernet.source), solicited, now);
    if (solicited && outlet_.has_machine(in.id) && answers_.take(now)) {
      outlet_.to_machine(in.id, untagged(frame));
    }
    return;
  }
  if (message.type != net::icmp6::kNeighbourSolicitation || !interfaces_->answers_for(in, target)) {
    return;
  }
  const Address& sender = info.source();
  const auto mac = find_option(reader, net::LinkLayerOption::kSource);
  // RFC 4861 section 7.1.1: one without an address has no link-layer address to tell either.
  if (is_unspecified(sender) && mac) return;
  if (!is_unspecified(sender) && mac) neighbours_.heard_request(in, sender, *mac, now);
  const net::MacAddress& to = mac ? *mac : ethernet.source;
  if (!is_station(to) || !answers_.take(now)) return;
  // The kernel knows nothing of anycast addresses while it does not forward.
  if (outlet_.has_machine(in.id) && in.owns(target) && !in.is_anycast(target)) {
    outlet_.to_machine(in.id, untagged(frame));
  } else {
    outlet_.transmit(in.id, build_answer(in, target, sender, to));
  }
}

void OwnStack::report(const fastpath::Fate& fate, std::span<const std::uint8_t> frame, Tick now) {
  const Interface* in = interfaces_->find(fate.in);
  const auto problem = problem_of(fate.reason);
  if (in == nullptr || !problem) return;
  net::Reader reader{frame};
  net::EthernetHeader ethernet;
  PacketInfo info;
  fastpath::parse(frame, info);
  // What was sent to a group on the wire is never answered, whatever its IP destination.
  if (!reader.read(ethernet) || (ethernet.destination[0] & 1) != 0) return;
  if (!is_station(ethernet.source) || !info.well_formed()) return;
  const Interface* out = interfaces_->find(fate.out);
  const FrameBytes answer = build_error(*in, ethernet.source, info, packet_in(info, frame),
                                        *problem, out != nullptr ? out->mtu : 0U);
  if (!answer.empty() && errors_.take(now)) outlet_.transmit(in->id, answer);
}

void OwnStack::report_unresolved(const fastpath::Fate& fate, std::span<const std::uint8_t> frame,
                                 Tick now) {
  const Interface* in = interfaces_->find(fate.in);
  if (in == nullptr) return;
  PacketInfo info;
  fastpath::parse(frame, info);
  if (!info.well_formed() || !info.is_ip()) return;
  // The frame's own source MAC is gone, so the sender is found as every next hop is.
  const auto back = interfaces_->next_hop(*in, info.source());
  const Interface* out = back ? interfaces_->find(back->first) : nullptr;
  if (out == nullptr) return;
  const FrameBytes answer = build_error(*out, net::MacAddress{}, info, packet_in(info, frame),
                                        net::IcmpProblem::kHostUnreachable, 0);
  if (answer.empty() || !errors_.take(now)) return;
  if (auto packet = outlet_.own_packet(out->id, answer)) {
    neighbours_.hold(out->id, back->second, std::move(packet), now);
  }
}

}  // namespace meiguan::runtime
