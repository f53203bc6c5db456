#pragma once

// The addresses of an image in their order: the way back from atoms to addresses.

#include <cstdint>
#include <vector>

#include "dataplane/image/reader.h"
#include "dataplane/net/address.h"

namespace meiguan::analysis {

// Addresses side by side that are of one atom.
struct AtomRange {
  net::Address first;
  net::Address last;
  std::uint32_t atom{0};
};

// All addresses of a family in a space, ascending, without a gap. Of IPv6 without ::ffff:0:0/96,
// which are the forms of IPv4 addresses (net/address.h).
[[nodiscard]] std::vector<AtomRange> atom_ranges(const image::Image& image, SpaceId space,
                                                 net::Family family);

// The same of the routes: `atom` is a route's number, image::kNoRoute where there is none. What
// is left out of IPv6 has none.
[[nodiscard]] std::vector<AtomRange> route_ranges(const image::Image& image, SpaceId space,
                                                  net::Family family);

// Addresses of first..last that a person would call ordinary, the plainest first; at least one.
[[nodiscard]] std::vector<net::Address> sample_addresses(const net::Address& first,
                                                         const net::Address& last);

// The next address, which must exist.
[[nodiscard]] net::Address after(const net::Address& address) noexcept;

}  // namespace meiguan::analysis
