#include "controlplane/analysis/probe.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <initializer_list>
#include <optional>
#include <span>
#include <utility>

#include "controlplane/analysis/first_packet.h"
#include "controlplane/policy/protocol_name.h"
#include "controlplane/policy/syntax.h"
#include "dataplane/net/checksum.h"
#include "dataplane/net/wire.h"

namespace meiguan::analysis {
namespace {

constexpr std::uint8_t kEchoRequest = 8;
constexpr std::uint8_t kEchoRequest6 = 128;

// Extension headers of IPv6 (RFC 8200): a packet is never "of" one of these.
constexpr std::array<std::uint8_t, 5> kExtensions{0, 43, 44, 51, 60};

std::optional<std::uint8_t> parse_protocol(std::string_view text) {
  if (const auto number = policy::protocol_named(text)) return number;
  if (!text.starts_with("proto-")) return std::nullopt;
  const auto number = policy::parse_number(text.substr(6), 255);
  return number ? std::optional{static_cast<std::uint8_t>(*number)} : std::nullopt;
}

std::unexpected<Error> bad_address(std::string_view text) {
  return fail(fmt::format("`{}` is not an address", text), fmt::format("`{}` 不是地址", text));
}

class Bytes {
 public:
  void u8(std::uint32_t value) { bytes_.push_back(static_cast<std::uint8_t>(value & 0xff)); }
  void u16(std::uint32_t value) {
    u8(value >> 8);
    u8(value);
  }
  void u32(std::uint32_t value) {
    u16(value >> 16);
    u16(value);
  }
  void append(std::span<const std::uint8_t> bytes) {
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
  }
  void address(const net::Address& address) {
    append({address.wire(), address_bits(address.family()) / std::size_t{8}});
  }
  void put16(std::size_t at, std::uint32_t value) {
    bytes_[at] = static_cast<std::uint8_t>(value >> 8 & 0xff);
    bytes_[at + 1] = static_cast<std::uint8_t>(value & 0xff);
  }
  [[nodiscard]] std::span<const std::uint8_t> from(std::size_t at) const {
    return std::span{bytes_}.subspan(at);
  }
  [[nodiscard]] std::vector<std::uint8_t> take() { return std::move(bytes_); }

 private:
  std::vector<std::uint8_t> bytes_;
};

// RFC 9260 appendix A, bit by bit: one packet at a time is built.
std::uint32_t crc32c(std::span<const std::uint8_t> bytes) {
  std::uint32_t crc = 0xffff'ffff;
  for (const auto byte : bytes) {
    crc ^= byte;
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ ((crc & 1) != 0 ? 0x82f6'3b78U : 0U);
  }
  return ~crc;
}

std::vector<std::uint8_t> transport(const Probe& probe) {
  const auto [protocol, value] = probe.destination.protocol;
  Bytes out;
  std::optional<std::size_t> checksum_at;
  bool pseudo_header = true;
  if (policy::has_ports(protocol)) {
    out.u16(kProbePort);
    out.u16(value);
  }
  switch (protocol) {
    case net::protocol::kTcp:
      out.u32(1);       // sequence
      out.u32(0);       // acknowledgement
      out.u16(0x5002);  // five words, SYN
      out.u16(65535);
      out.u32(0);
      checksum_at = 16;
      break;
    case net::protocol::kUdp:
      out.u16(8);
      out.u16(0);
      checksum_at = 6;
      break;
    case net::protocol::kSctp: {
      out.u32(0);       // verification tag: zero in an INIT (RFC 9260 8.5.1)
      out.u32(0);       // checksum
      out.u16(0x0100);  // INIT
      out.u16(20);
      out.u32(1);      // initiate tag
      out.u32(65536);  // window
      out.u16(1);      // streams
      out.u16(1);
      out.u32(1);  // TSN
      const auto crc = crc32c(out.from(0));
      out.put16(8, (crc & 0xff) << 8 | (crc >> 8 & 0xff));
      out.put16(10, (crc >> 16 & 0xff) << 8 | crc >> 24);
      break;
    }
    case net::protocol::kIcmp:
    case net::protocol::kIcmp6:
      out.u16(std::uint32_t{value} << 8);
      out.u16(0);
      out.u32(0x0001'0001);  // identifier, sequence
      // A timestamp message has three of them (RFC 792).
      if (protocol == net::protocol::kIcmp && value == net::icmp::kTimestampRequest) {
        for (int i = 0; i < 3; ++i) out.u32(0);
      }
      checksum_at = 2;
      pseudo_header = protocol == net::protocol::kIcmp6;
      break;
    default:
      out.u32(0);
      out.u32(0);
      break;
  }
  if (checksum_at) {
    std::uint64_t sum = 0;
    if (pseudo_header) {
      sum = net::sum_pseudo_header(probe.source.family(), probe.source, probe.destination.address,
                                   protocol, static_cast<std::uint32_t>(out.from(0).size()));
    }
    const auto checksum = net::finish_checksum(net::sum_words(out.from(0), sum)).host();
    // A computed zero is sent as ones: zero says that there is none (RFC 768).
    out.put16(*checksum_at, protocol == net::protocol::kUdp && checksum == 0 ? 0xffffU : checksum);
  }
  return out.take();
}

}  // namespace

Result<Destination> parse_destination(std::string_view text) {
  auto slash = text.rfind('/');
  if (slash == std::string_view::npos) {
    return fail(fmt::format("`{}` names no protocol: ADDR[:PORT]/PROTO is expected, as in "
                            "59.205.16.10:443/tcp",
                            text),
                fmt::format("`{}` 没有协议：应为 ADDR[:PORT]/PROTO，例如 59.205.16.10:443/tcp",
                            text));
  }
  // `icmp/13`: a type, as in the `ports` of a rule.
  std::string_view name = text.substr(slash + 1);
  std::optional<std::string_view> type;
  if (const auto before = slash == 0 ? std::string_view::npos : text.rfind('/', slash - 1);
      before != std::string_view::npos) {
    const auto inner = text.substr(before + 1, slash - before - 1);
    if (inner == "icmp" || inner == "icmp6") {
      type = std::exchange(name, inner);
      slash = before;
    }
  }
  const auto protocol = parse_protocol(name);
  if (!protocol) {
    return fail(fmt::format("`{}` is not a protocol: tcp, udp, sctp, icmp, icmp6 or proto-N is "
                            "expected",
                            name),
                fmt::format("`{}` 不是协议：应为 tcp、udp、sctp、icmp、icmp6 或 proto-N", name));
  }
  std::string_view address = text.substr(0, slash);
  std::optional<std::string_view> port;
  if (address.starts_with('[')) {
    const auto close = address.find(']');
    if (close == std::string_view::npos) return bad_address(address);
    const auto rest = address.substr(close + 1);
    if (!rest.empty() && !rest.starts_with(':')) return bad_address(address);
    if (!rest.empty()) port = rest.substr(1);
    address = address.substr(1, close - 1);
    const auto inside = net::parse_address(address);
    if (!inside || inside->family() != net::Family::kIpv6) return bad_address(address);
  } else if (const auto colon = address.find(':');
             colon != std::string_view::npos &&
             address.find(':', colon + 1) == std::string_view::npos) {
    port = address.substr(colon + 1);
    address = address.substr(0, colon);
  }
  const auto parsed = net::parse_address(address);
  if (!parsed) return bad_address(address);
  Destination result{*parsed, {*protocol, 0}};
  const bool v6 = parsed->family() == net::Family::kIpv6;
  if (*protocol == (v6 ? net::protocol::kIcmp : net::protocol::kIcmp6)) {
    return fail(fmt::format("{} does not go with {}", v6 ? "icmp" : "icmp6", address),
                fmt::format("{} 与 {} 不匹配", v6 ? "icmp" : "icmp6", address));
  }
  if (v6 && std::find(kExtensions.begin(), kExtensions.end(), *protocol) != kExtensions.end()) {
    return fail(fmt::format("proto-{} is an extension header of IPv6, not a protocol", *protocol),
                fmt::format("proto-{} 是 IPv6 扩展头，不是协议", *protocol));
  }
  if (policy::has_ports(*protocol)) {
    const auto number = port ? policy::parse_number(*port, 65535) : std::nullopt;
    if (!number || *number == 0) {
      return fail(fmt::format("{} needs a port from 1 to 65535, as in {}{}{}:443/tcp", name,
                              v6 ? "[" : "", address, v6 ? "]" : ""),
                  fmt::format("{} 需要 1 到 65535 的端口，例如 {}{}{}:443/tcp", name, v6 ? "[" : "",
                              address, v6 ? "]" : ""));
    }
    result.protocol.value = static_cast<std::uint16_t>(*number);
  } else if (port) {
    return fail(fmt::format("{} has no ports", name), fmt::format("{} 没有端口", name));
  }
  if (*protocol == net::protocol::kIcmp) result.protocol.value = kEchoRequest;
  if (*protocol == net::protocol::kIcmp6) result.protocol.value = kEchoRequest6;
  if (!type) return result;
  const auto number = policy::parse_number(*type, 255);
  const auto key = std::uint32_t{*protocol} << 16 | number.value_or(0);
  if (!number || !is_first_packet_key(parsed->family(), key)) {
    return fail(fmt::format("{}/{} opens no flow: a request is expected, icmp/8, icmp/13, icmp/15 "
                            "or icmp6/128",
                            name, *type),
                fmt::format("{}/{} 不能发起流：应为请求，即 icmp/8、icmp/13、icmp/15 或 icmp6/128",
                            name, *type));
  }
  result.protocol.value = static_cast<std::uint16_t>(*number);
  return result;
}

std::string to_string(const Destination& destination) {
  const auto [number, value] = destination.protocol;
  std::string name{policy::protocol_name(number)};
  if (name.empty()) name = fmt::format("proto-{}", number);
  const auto address = net::to_string(destination.address);
  const bool is_icmp = number == net::protocol::kIcmp || number == net::protocol::kIcmp6;
  const bool is_echo = value == (number == net::protocol::kIcmp ? kEchoRequest : kEchoRequest6);
  if (is_icmp && !is_echo) name += fmt::format("/{}", value);
  if (!policy::has_ports(number)) return fmt::format("{}/{}", address, name);
  const bool v6 = destination.address.family() == net::Family::kIpv6;
  return fmt::format("{}{}{}:{}/{}", v6 ? "[" : "", address, v6 ? "]" : "", value, name);
}

std::vector<std::uint8_t> build_frame(const Probe& probe) {
  const auto payload = transport(probe);
  const auto length = static_cast<std::uint32_t>(payload.size());
  Bytes out;
  out.append(probe.destination_mac);
  out.append(probe.source_mac);
  if (probe.vlan != 0) {
    out.u16(0x8100);
    out.u16(probe.vlan);
  }
  if (probe.source.family() == net::Family::kIpv4) {
    out.u16(0x0800);
    const auto ip = out.from(0).size();
    out.u16(0x4500);
    out.u16(20 + length);
    out.u32(0x0001'4000);  // identification 1, do not fragment
    out.u8(64);
    out.u8(probe.destination.protocol.number);
    out.u16(0);
    out.address(probe.source);
    out.address(probe.destination.address);
    out.put16(ip + 10, net::checksum(out.from(ip)).host());
  } else {
    out.u16(0x86dd);
    out.u32(0x6000'0000);
    out.u16(length);
    out.u8(probe.destination.protocol.number);
    out.u8(64);
    out.address(probe.source);
    out.address(probe.destination.address);
  }
  out.append(payload);
  return out.take();
}

}  // namespace meiguan::analysis
