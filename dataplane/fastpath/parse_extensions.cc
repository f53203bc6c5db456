#include "dataplane/fastpath/parse.h"

// IPv6 extension headers (RFC 8200 section 4). Their order is the one of section 4.1: it lets every
// header be where a receiver expects it, and nothing hide behind it:
//
//   hop-by-hop | destination options | routing | fragment | destination options | upper layer
//
// each at most once, but for the last, which a sender may repeat. Authentication and ESP are upper
// layers here as they are over IPv4.

namespace meiguan::fastpath {
namespace {

using net::Reader;

constexpr int kMostHeaders = 8;

enum Rank : int { kNone, kHopByHop, kEarlyOptions, kRouting, kFragment, kLateOptions };

// Type, length, value; one type is a single byte. A jumbogram (RFC 2675) is longer than a frame.
Reason judge_options(Reader options) noexcept {
  constexpr std::uint8_t kPad1 = 0;
  constexpr std::uint8_t kJumbo = 0xc2;
  std::uint8_t type;
  while (options.read(type)) {
    if (type == kPad1) continue;
    std::uint8_t length;
    if (!options.read(length) || !options.skip(length)) return Reason::kExtensionInvalid;
    if (type == kJumbo) return Reason::kJumbogram;
  }
  return Reason::kAllowed;
}

// A source route leads a packet to where the decision did not look: type 0 is deprecated whole (RFC
// 5095), segments of any other type are only for the routers of one domain (RFC 8754 section 5.1,
// RFC 6554). Type 2 with its one segment names the destination once more, as its home address (RFC
// 6275 section 6.4).
bool leads_on(const net::ExtensionHeader& header) noexcept {
  constexpr std::uint8_t kSourceRoute = 0;
  constexpr std::uint8_t kHomeAddress = 2;
  if (header.type == kSourceRoute) return true;
  return header.segments_left != 0 &&
         !(header.type == kHomeAddress && header.length == 2 && header.segments_left == 1);
}

Reason walk_fragment(Reader& reader, std::uint8_t& next, Extensions& found) noexcept {
  net::FragmentHeader header;
  if (!reader.read(header)) return Reason::kExtensionInvalid;
  next = header.next_header;
  const std::uint16_t offset_more = header.offset_more.host();
  const bool more = (offset_more & 1) != 0;
  const std::size_t offset = offset_more & 0xfff8U;
  const std::size_t bytes = reader.left();
  found.fragment = more || offset != 0;
  found.atomic = !found.fragment;
  found.first_fragment = found.fragment && offset == 0;
  if (!found.fragment) return Reason::kAllowed;
  // RFC 8200 section 4.5.
  if (bytes == 0 || (more && bytes % 8 != 0) || offset + bytes > 65535) {
    return Reason::kFragmentInvalid;
  }
  if (offset == 8 && next == net::protocol::kTcp) return Reason::kFragmentInvalid;  // RFC 3128
  return Reason::kAllowed;
}

// Where `type` may stand behind a header of rank `behind`; kNone where it may not.
Rank rank_of(std::uint8_t type, Rank behind) noexcept {
  Rank rank = kNone;
  switch (type) {
    case net::protocol::kHopByHop: rank = kHopByHop; break;
    case net::protocol::kRouting: rank = kRouting; break;
    case net::protocol::kFragment: rank = kFragment; break;
    default: rank = behind < kEarlyOptions ? kEarlyOptions : kLateOptions; break;
  }
  return rank > behind || (rank == kLateOptions && behind == kLateOptions) ? rank : kNone;
}

constexpr bool is_extension(std::uint8_t type) noexcept {
  return type == net::protocol::kHopByHop || type == net::protocol::kRouting ||
         type == net::protocol::kFragment || type == net::protocol::kDestinationOptions;
}

}  // namespace

Reason walk_extensions(Reader& reader, std::uint8_t& next, Extensions& found) noexcept {
  Rank rank = kNone;
  for (int count = 0; is_extension(next); ++count) {
    const std::uint8_t type = next;
    rank = rank_of(type, rank);
    if (rank == kNone || count == kMostHeaders) return Reason::kExtensionInvalid;
    if (type == net::protocol::kFragment) {
      if (const Reason reason = walk_fragment(reader, next, found); reason != Reason::kAllowed) {
        return reason;
      }
      // What follows in a later fragment is the middle of something.
      if (found.fragment && !found.first_fragment) return Reason::kAllowed;
      continue;
    }
    net::ExtensionHeader header;
    Reader whole{{}};
    if (!reader.peek(header) || !reader.split((header.length + 1U) * 8U, whole)) {
      return found.first_fragment ? Reason::kFragmentInvalid : Reason::kExtensionInvalid;
    }
    if (type == net::protocol::kRouting) {
      if (leads_on(header)) return Reason::kRoutingHeaderForbidden;
    } else {
      if (!whole.skip(2)) return Reason::kExtensionInvalid;
      if (const Reason reason = judge_options(whole); reason != Reason::kAllowed) return reason;
    }
    next = header.next_header;
  }
  return Reason::kAllowed;
}

}  // namespace meiguan::fastpath
