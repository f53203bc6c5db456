#include "dataplane/fastpath/fragments.h"
#include "dataplane/fastpath/parse.h"

namespace meiguan::fastpath {
namespace {

using net::Reader;

bool read_ipv4(Reader& reader, FragmentPart& part) noexcept {
  net::Ipv4Header ip;
  if (!reader.read(ip)) return false;
  const std::size_t header_bytes = (ip.version_length & 0x0fU) * 4U;
  if (header_bytes < sizeof ip || !reader.skip(header_bytes - sizeof ip)) return false;
  const std::uint16_t fragment = ip.fragment.host();
  part.identification = ip.identification.host();
  part.offset = static_cast<std::uint16_t>((fragment & net::Ipv4Header::kOffsetMask) * 8U);
  part.more = (fragment & net::Ipv4Header::kMoreFragments) != 0;
  part.headers = static_cast<std::uint16_t>(header_bytes);
  return true;
}

bool read_ipv6(Reader& reader, FragmentPart& part) noexcept {
  net::Ipv6Header ip;
  if (!reader.read(ip)) return false;
  const std::size_t payload = reader.left();
  std::uint8_t next = ip.next_header;
  // Ends: every header takes from what is left.
  while (next != net::protocol::kFragment) {
    net::ExtensionHeader header;
    if (!reader.peek(header) || !reader.skip((header.length + 1U) * 8U)) return false;
    next = header.next_header;
  }
  part.headers = static_cast<std::uint16_t>(payload - reader.left());
  net::FragmentHeader fragment;
  if (!reader.read(fragment)) return false;
  const std::uint16_t offset_more = fragment.offset_more.host();
  part.identification = fragment.identification.host();
  part.offset = offset_more & 0xfff8U;
  part.more = (offset_more & 1) != 0;
  part.next = fragment.next_header;
  return true;
}

}  // namespace

bool read_fragment(std::span<const std::uint8_t> frame, const PacketInfo& info,
                   FragmentPart& part) noexcept {
  if (info.kind != PacketKind::kFragment) return false;
  Reader reader{frame};
  if (!reader.skip(info.l3_offset) || !reader.limit(info.ip_bytes)) return false;
  const bool v4 = info.family == net::Family::kIpv4;
  if (!(v4 ? read_ipv4(reader, part) : read_ipv6(reader, part))) return false;
  part.bytes = static_cast<std::uint16_t>(reader.left());
  part.at = static_cast<std::uint16_t>(info.l3_offset + info.ip_bytes - part.bytes);
  if (v4 || part.offset != 0) return true;
  // Destination options may stand between the fragment header and the upper layer.
  std::uint8_t next = part.next;
  Extensions found;
  if (walk_extensions(reader, next, found) != Reason::kAllowed) return false;
  part.upper = static_cast<std::uint16_t>(part.bytes - reader.left());
  return true;
}

}  // namespace meiguan::fastpath
