#include "dataplane/fastpath/parse.h"

#include "dataplane/net/checksum.h"

// Neighbour discovery (RFC 4861). These messages are for the gateway itself, so that they are
// checked as their receiver must: sections 6.1.1, 6.1.2, 7.1.1, 7.1.2 and 8.1.

namespace meiguan::fastpath {
namespace {

using net::Reader;

constexpr net::Ipv6Bytes kUnspecified{};

bool is_multicast(const net::Ipv6Bytes& address) noexcept { return address[0] == 0xff; }
bool is_link_local(const net::Ipv6Bytes& address) noexcept {
  return address[0] == 0xfe && (address[1] & 0xc0) == 0x80;
}
// ff02::1:ff00:0/104
bool is_solicited_node(const net::Ipv6Bytes& address) noexcept {
  constexpr std::array<std::uint8_t, 13> kPrefix{0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff};
  return std::memcmp(address.data(), kPrefix.data(), kPrefix.size()) == 0;
}

// Every option has a length, none of them zero, and all of them fit.
bool options_fit(Reader options, bool& has_source_link_layer) noexcept {
  while (!options.empty()) {
    net::LinkLayerOption option;  // every option has at least these 8 bytes
    if (!options.peek(option) || option.length == 0 || !options.skip(option.length * 8U)) {
      return false;
    }
    has_source_link_layer |= option.type == net::LinkLayerOption::kSource;
  }
  return true;
}

}  // namespace

Reason parse_neighbour_discovery(Reader message, PacketInfo& info) noexcept {
  Reader reader{message};
  net::IcmpHeader header;
  if (!reader.peek(header)) return Reason::kTransportTruncated;
  const std::uint64_t sum =
      net::sum_words(message.rest(),
                     net::sum_pseudo_header(net::Family::kIpv6, info.key.source,
                                            info.key.destination, net::protocol::kIcmp6,
                                            static_cast<std::uint32_t>(message.left())));
  if (info.ttl != 255 || header.code != 0 || net::finish_checksum(sum) != net::Be16{}) {
    return Reason::kIcmpInvalid;
  }

  const net::Ipv6Bytes& source = info.key.source.bytes();
  const net::Ipv6Bytes& destination = info.key.destination.bytes();
  std::size_t fixed = 0;
  switch (header.type) {
    case net::icmp6::kRouterSolicitation: fixed = 8; break;
    case net::icmp6::kRouterAdvertisement: fixed = 16; break;
    case net::icmp6::kRedirect: fixed = 40; break;
    default: fixed = sizeof(net::NeighbourMessage); break;
  }
  net::NeighbourMessage fields{};
  const bool about_a_neighbour = header.type == net::icmp6::kNeighbourSolicitation ||
                                 header.type == net::icmp6::kNeighbourAdvertisement;
  if (about_a_neighbour && (!reader.peek(fields) || is_multicast(fields.target))) {
    return Reason::kIcmpInvalid;
  }
  bool has_source_link_layer = false;
  if (!reader.skip(fixed) || !options_fit(reader, has_source_link_layer)) {
    return Reason::kIcmpInvalid;
  }

  bool valid = true;
  switch (header.type) {
    case net::icmp6::kRouterSolicitation:
      valid = source != kUnspecified || !has_source_link_layer;
      break;
    case net::icmp6::kNeighbourSolicitation:
      valid = source != kUnspecified || (is_solicited_node(destination) && !has_source_link_layer);
      break;
    case net::icmp6::kNeighbourAdvertisement:
      valid = !is_multicast(destination) ||
              (fields.flags.host() & net::NeighbourMessage::kSolicited) == 0;
      break;
    case net::icmp6::kRouterAdvertisement: valid = is_link_local(source); break;
    default:  // a redirect
      valid = is_link_local(source) && !is_multicast(destination);
      break;
  }
  if (!valid) return Reason::kIcmpInvalid;
  info.kind = PacketKind::kNeighbourDiscovery;
  info.value = header.type;
  return Reason::kAllowed;
}

}  // namespace meiguan::fastpath
