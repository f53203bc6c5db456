#pragma once

// The addresses that nothing in an image tells apart: of one atom, by one route, of one kind, and
// registered or not. Whatever the fast path says of one of them as source or destination it says of
// all, but for a packet from an address to itself.

#include <cstdint>
#include <vector>

#include "dataplane/image/reader.h"
#include "dataplane/net/address.h"

namespace meiguan::kernel {

struct EndClass {
  net::Family family{net::Family::kIpv4};
  std::uint32_t atom{0};
  net::Address one;  // addresses of it, two where it has two
  net::Address another;
};

// From `first` on, to the next span or the family's last address.
struct EndSpan {
  net::Address first;
  std::uint32_t end_class{0};
};

struct Ends {
  std::vector<EndClass> classes;  // of both families
  std::vector<EndSpan> v4;        // ascending, from the family's first address on
  std::vector<EndSpan> v6;
};

// Of the shared address space.
[[nodiscard]] Ends find_ends(const image::Image& image);

}  // namespace meiguan::kernel
