#pragma once

// Every checksum of a packet computed anew, byte by byte, by code that shares nothing with the
// fast path's: for tests and fuzz targets of what is changed by differences.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace meiguan::fastpath::test {

namespace checksums {

using View = std::span<const std::uint8_t>;

inline std::uint32_t be(View v, std::size_t at) { return v[at] * 256U + v[at + 1]; }

inline std::uint16_t naive(const std::vector<std::uint8_t>& bytes) {
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    sum += i % 2 == 0 ? bytes[i] * 256U : bytes[i];
    if (sum > 0xffff) sum = (sum & 0xffff) + 1;
  }
  return static_cast<std::uint16_t>(~sum);
}

struct Parts {
  bool v6{false};
  std::uint8_t protocol{0};
  bool fragment{false};
  std::size_t transport{0};
};

// The packet is well-formed, but for a quotation that may end anywhere.
inline bool split(View packet, Parts& parts) {
  if (packet.size() < 20) return false;
  parts.v6 = packet[0] >> 4 == 6;
  if (!parts.v6) {
    parts.protocol = packet[9];
    parts.transport = (packet[0] & 15U) * 4U;
    parts.fragment = (be(packet, 6) & 0x3fff) != 0;
    return parts.transport >= 20 && packet.size() >= parts.transport;
  }
  if (packet.size() < 40) return false;
  parts.protocol = packet[6];
  parts.transport = 40;
  while (parts.protocol == 0 || parts.protocol == 43 || parts.protocol == 44 ||
         parts.protocol == 60) {
    if (packet.size() < parts.transport + 8) return false;
    if (parts.protocol == 44 && (be(packet, parts.transport + 2) & 0xfff9) != 0) {
      parts.fragment = true;
    }
    const std::size_t bytes = parts.protocol == 44 ? 8U : (packet[parts.transport + 1] + 1U) * 8U;
    parts.protocol = packet[parts.transport];
    parts.transport += bytes;
  }
  return packet.size() >= parts.transport;
}

inline std::vector<std::uint8_t> pseudo_header(View packet, const Parts& parts,
                                               std::size_t length) {
  std::vector<std::uint8_t> bytes(packet.begin() + (parts.v6 ? 8 : 12),
                                  packet.begin() + (parts.v6 ? 40 : 20));
  const std::uint8_t tail[] = {static_cast<std::uint8_t>(length >> 24),
                               static_cast<std::uint8_t>(length >> 16),
                               static_cast<std::uint8_t>(length >> 8),
                               static_cast<std::uint8_t>(length),
                               0,
                               0,
                               0,
                               parts.protocol};
  bytes.insert(bytes.end(), std::begin(tail), std::end(tail));
  return bytes;
}

}  // namespace checksums

// What the checksum at its place should be: "" where every checksum of the packet (from its IP
// header on, without padding) is right, else which is not. `whole` is false of a quotation that was
// cut short: then only its IP header is looked at.
inline std::string wrong_checksum(std::span<const std::uint8_t> packet, bool whole = true) {
  using namespace checksums;
  Parts parts;
  if (!split(packet, parts)) return whole ? "too short" : "";
  if (!parts.v6) {
    std::vector<std::uint8_t> header(packet.begin(),
                                     packet.begin() + static_cast<std::ptrdiff_t>(parts.transport));
    header[10] = header[11] = 0;
    if (naive(header) != be(packet, 10)) return "IPv4 header";
  }
  if (parts.fragment || !whole) return "";
  const View transport = packet.subspan(parts.transport);
  std::size_t at = 0;
  bool pseudo = true;
  switch (parts.protocol) {
    case 6: at = 16; break;
    case 17: at = 6; break;
    case 1:
      at = 2;
      pseudo = false;
      break;
    case 58: at = 2; break;
    default: return "";
  }
  if (transport.size() < at + 2) return "too short";
  const std::uint32_t found = be(transport, at);
  if (parts.protocol == 17 && found == 0) return "";
  std::vector<std::uint8_t> bytes;
  if (pseudo) bytes = pseudo_header(packet, parts, transport.size());
  const std::size_t start = bytes.size();
  bytes.insert(bytes.end(), transport.begin(), transport.end());
  bytes[start + at] = bytes[start + at + 1] = 0;
  std::uint16_t want = naive(bytes);
  if (parts.protocol == 17 && want == 0) want = 0xffff;
  if (found != want) return "protocol " + std::to_string(parts.protocol);
  const bool error = parts.protocol == 1 ? transport[0] == 3 || transport[0] == 11 ||
                                               transport[0] == 12 || transport[0] == 4
                                         : parts.protocol == 58 && transport[0] < 128;
  if (!error || transport.size() < 8 + 20) return "";
  // The quotation, and where it is whole all of it.
  const View quoted = transport.subspan(8);
  const std::size_t length = quoted[0] >> 4 == 6 ? (quoted.size() < 40 ? 65535 : be(quoted, 4) + 40)
                                                 : be(quoted, 2);
  const bool complete = quoted.size() >= length;
  const std::string inside = wrong_checksum(complete ? quoted.first(length) : quoted, complete);
  return inside.empty() ? "" : "quoted " + inside;
}

// A UDP or TCP packet with a right checksum, in a frame.
inline std::vector<std::uint8_t> sealed(std::vector<std::uint8_t> frame) {
  checksums::Parts parts;
  const std::span<std::uint8_t> packet = std::span{frame}.subspan(14);
  if (!checksums::split(packet, parts)) return frame;
  const std::size_t at = parts.transport + (parts.protocol == 6 ? 16 : 6);
  packet[at] = packet[at + 1] = 0;
  std::vector<std::uint8_t> bytes = checksums::pseudo_header(packet, parts,
                                                             packet.size() - parts.transport);
  bytes.insert(bytes.end(), packet.begin() + static_cast<std::ptrdiff_t>(parts.transport),
               packet.end());
  std::uint16_t sum = checksums::naive(bytes);
  if (parts.protocol == 17 && sum == 0) sum = 0xffff;
  packet[at] = static_cast<std::uint8_t>(sum >> 8);
  packet[at + 1] = static_cast<std::uint8_t>(sum);
  return frame;
}

}  // namespace meiguan::fastpath::test
