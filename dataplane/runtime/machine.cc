#include "dataplane/runtime/machine.h"

#include <optional>

#include "dataplane/fastpath/parse.h"
#include "dataplane/net/reader.h"
#include "dataplane/net/wire.h"

namespace meiguan::runtime {
namespace {

using fastpath::FlowKey;
using fastpath::PacketInfo;
using fastpath::PacketKind;
using fastpath::Tick;
using net::Address;

constexpr std::size_t kMacs = 12;  // bytes of an Ethernet header before a tag
constexpr std::size_t kTag = 4;

bool is_tcp(const FlowKey& key) noexcept { return key.protocol == net::protocol::kTcp; }

bool has_ports(std::uint8_t protocol) noexcept {
  return protocol == net::protocol::kTcp || protocol == net::protocol::kUdp ||
         protocol == net::protocol::kSctp;
}

bool is_echo_request(const PacketInfo& info) noexcept {
  return (info.protocol == net::protocol::kIcmp && info.value == net::icmp::kEchoRequest) ||
         (info.protocol == net::protocol::kIcmp6 && info.value == net::icmp6::kEchoRequest);
}

// The space of a conversation is that of its port, whatever parse leaves there.
FlowKey without_space(FlowKey key) noexcept {
  key.space = 0;
  return key;
}

bool is_own_source(const Interface& out, const Address& source) noexcept {
  return out.owns(source) && !out.is_anycast(source);
}

}  // namespace

void OwnConversations::said(const PacketInfo& info, bool may_begin, Tick now) {
  if (info.kind != PacketKind::kPacket && info.kind != PacketKind::kFragment) return;
  const Key key = without_space(info.key).words();
  const auto known = seen_.find(key);
  if (known == seen_.end()) {
    constexpr unsigned kOpening = net::TcpHeader::kSyn | net::TcpHeader::kAck;
    if (!may_begin) return;
    if (is_tcp(info.key) && (info.tcp_flags & kOpening) != net::TcpHeader::kSyn) return;
    if (seen_.size() >= kMost) {
      seen_.erase(order_.begin()->second);
      order_.erase(order_.begin());
    }
    seen_.emplace(key, now);
  } else {
    order_.erase({known->second, key});
    known->second = now;
  }
  order_.emplace(now, key);
}

bool OwnConversations::expects(const PacketInfo& info, Tick now) const {
  // An error quotes what was sent; everything else answers it.
  const FlowKey key = info.kind == PacketKind::kIcmpError ? info.key : fastpath::turned(info.key);
  const auto known = seen_.find(without_space(key).words());
  return known != seen_.end() && now - known->second < (is_tcp(key) ? kIdleTcp : kIdle);
}

bool Machine::is_offered(const image::Image& image, const Interface& in, const PacketInfo& info,
                         Tick now) const {
  if (info.kind == PacketKind::kIcmpError) return conversations_.expects(info, now);
  if (info.kind != PacketKind::kPacket && info.kind != PacketKind::kFragment) return false;
  const bool knows_port = info.kind == PacketKind::kPacket && has_ports(info.protocol);
  const auto port = knows_port ? std::optional{info.key.destination_port} : std::nullopt;
  return image.offers(in.id, info.source(), info.protocol, port) ||
         conversations_.expects(info, now);
}

bool Machine::may_enter(const image::Image& image, const Interface& in, const PacketInfo& info,
                        Tick now) {
  const bool echo = info.kind == PacketKind::kPacket && is_echo_request(info) &&
                    !is_multicast(info.destination());
  if (!echo && !is_offered(image, in, info, now)) {
    ++counts_.refused;
    return false;
  }
  if (!(echo ? echoes_ : packets_).take(now)) {
    ++counts_.limited;
    return false;
  }
  ++counts_.received;
  return true;
}

bool Machine::may_leave(const image::Image& image, const Interface& out,
                        std::span<const std::uint8_t> frame, const image::Blocks& blocked,
                        Tick now) {
  const auto leaves = [&] {
    net::Reader reader{frame};
    net::EthernetHeader ethernet;
    if (!reader.read(ethernet) || ethernet.source != out.mac) return false;
    if (ethernet.type.host() == net::ether_type::kVlan) return false;
    PacketInfo info;
    fastpath::parse(frame, info);
    if (!info.well_formed()) return false;
    if (info.kind == PacketKind::kArp) {
      net::ArpPacket arp;
      if (!reader.read(arp) || arp.sender_mac != out.mac) return false;
      const Address sender = Address::v4_wire(arp.sender_address.data());
      return is_unspecified(sender) || is_own_source(out, sender);
    }
    if (!info.is_ip() || info.ip_bytes > out.mtu) return false;
    // Duplicate address detection and multicast reports have no source yet.
    const bool of_no_source = is_unspecified(info.source()) &&
                              info.protocol == net::protocol::kIcmp6 &&
                              is_multicast(info.destination());
    if (!of_no_source && !is_own_source(out, info.source())) return false;
    if (blocked.find(out.space, info.destination()) != image::kNone) return false;
    // What answers an offered service is no conversation of the kernel's: it ends with the offer.
    const auto port = has_ports(info.protocol) ? std::optional{info.key.source_port} : std::nullopt;
    conversations_.said(info, !image.offers(out.id, info.destination(), info.protocol, port), now);
    return true;
  };
  const bool good = leaves();
  ++(good ? counts_.sent : counts_.unsent);
  return good;
}

std::vector<std::uint8_t> tagged(std::span<const std::uint8_t> frame, std::uint16_t vlan) {
  std::vector<std::uint8_t> result{frame.begin(), frame.end()};
  if (vlan == 0 || result.size() < kMacs) return result;
  const std::uint8_t tag[kTag] = {0x81, 0x00, static_cast<std::uint8_t>(vlan >> 8),
                                  static_cast<std::uint8_t>(vlan)};
  result.insert(result.begin() + kMacs, tag, tag + kTag);
  return result;
}

std::vector<std::uint8_t> untagged(std::span<const std::uint8_t> frame) {
  std::vector<std::uint8_t> result{frame.begin(), frame.end()};
  net::Reader reader{frame};
  net::EthernetHeader ethernet;
  net::VlanTag tag;
  if (reader.read(ethernet) && ethernet.type.host() == net::ether_type::kVlan && reader.read(tag)) {
    result.erase(result.begin() + kMacs, result.begin() + kMacs + kTag);
  }
  return result;
}

}  // namespace meiguan::runtime
