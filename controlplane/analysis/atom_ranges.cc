#include "controlplane/analysis/atom_ranges.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace meiguan::analysis {
namespace {

using image::Image;
using image::TrieEntry;
using image::TrieNode;
using net::Address;
using net::Family;

__extension__ using Value = unsigned __int128;

Address address_of(Value value, Family family) {
  if (family == Family::kIpv4) return Address::v4(static_cast<std::uint32_t>(value));
  std::array<std::uint8_t, 16> bytes{};
  for (std::size_t i = 16; i-- > 0; value >>= 8) bytes[i] = static_cast<std::uint8_t>(value);
  return Address::v6(bytes);
}

// The addresses that stand for IPv4 ones.
constexpr Value kMappedFirst = Value{0xffff} << 32;
constexpr Value kMappedLast = kMappedFirst | 0xffff'ffff;

class Sweep {
 public:
  Sweep(const Image& image, Family family)
      : image_{image}, family_{family}, bytes_{family == Family::kIpv4 ? 4U : 16U} {}

  std::vector<AtomRange> run(TrieEntry root) {
    walk(root, 0, 0);
    return std::move(ranges_);
  }

 private:
  // How many addresses share their first `depth` bytes, less one.
  [[nodiscard]] Value rest(unsigned depth) const {
    return depth == 0 && bytes_ == 16 ? ~Value{0} : (Value{1} << 8 * (bytes_ - depth)) - 1;
  }

  void put(Value first, Value last, std::uint32_t atom) {
    if (family_ == Family::kIpv6 && first <= kMappedLast && last >= kMappedFirst) {
      if (first < kMappedFirst) put(first, kMappedFirst - 1, atom);
      if (last > kMappedLast) put(kMappedLast + 1, last, atom);
      return;
    }
    if (!ranges_.empty() && ranges_.back().atom == atom && last_ + 1 == first) {
      ranges_.back().last = address_of(last, family_);
    } else {
      ranges_.push_back({address_of(first, family_), address_of(last, family_), atom});
    }
    last_ = last;
  }

  // Everything under `entry`: the addresses from `first` on that share its first `depth` bytes.
  void walk(TrieEntry entry, Value first, unsigned depth) {
    const Value last = first + rest(depth);
    if ((entry & image::kLeafBit) != 0) {
      put(first, last, entry & ~image::kLeafBit);
      return;
    }
    const TrieNode& node = image_.trie_nodes()[entry];
    Value inside = first;
    for (unsigned i = node.skip; i < node.depth; ++i) {
      inside |= Value{node.path[i]} << 8 * (bytes_ - 1 - i);
    }
    const std::uint32_t miss = node.miss & ~image::kLeafBit;
    if (inside > first) put(first, inside - 1, miss);
    const Value step = rest(node.depth + 1U) + 1;
    for (unsigned byte = 0; byte < image::kTrieFanout; ++byte) {
      walk(image_.trie_entries()[node.entries + byte], inside + step * byte, node.depth + 1U);
    }
    const Value end = inside + rest(node.depth);
    if (end < last) put(end + 1, last, miss);
  }

  const Image& image_;
  Family family_;
  unsigned bytes_;
  Value last_{0};
  std::vector<AtomRange> ranges_;
};

bool is_ordinary(const Address& address) {
  if (address.family() == Family::kIpv4) {
    const std::uint32_t top = address.v4_value() >> 24;
    return top != 0 && top != 127 && top < 224 && address.v4_value() >> 16 != 0xa9fe;
  }
  const std::uint8_t top = address.bytes()[0];
  return top >> 5 == 1 || (top & 0xfe) == 0xfc;
}

// Plain addresses of where nothing in particular stands.
constexpr std::array<std::string_view, 20> kPlain{"198.51.100.1", "203.0.113.1",      "192.0.2.1",
                                                  "8.8.8.8",      "10.0.0.1",         "172.16.0.1",
                                                  "192.168.0.1",  "1.0.0.1",          "64.0.0.1",
                                                  "100.64.0.1",   "128.0.0.1",        "192.0.0.1",
                                                  "223.0.0.1",    "2001:db8:ffff::1", "2400::1",
                                                  "2000::1",      "2001:db8::1",      "3000::1",
                                                  "fd00::1",      "fc00::1"};

}  // namespace

std::vector<AtomRange> atom_ranges(const Image& image, SpaceId space, Family family) {
  const image::SpaceRecord& roots = image.spaces()[space.index()];
  return Sweep{image, family}.run(family == Family::kIpv4 ? roots.objects_v4 : roots.objects_v6);
}

std::vector<AtomRange> route_ranges(const Image& image, SpaceId space, Family family) {
  const image::SpaceRecord& roots = image.spaces()[space.index()];
  return Sweep{image, family}.run(family == Family::kIpv4 ? roots.routes_v4 : roots.routes_v6);
}

Address after(const Address& address) noexcept {
  if (address.family() == Family::kIpv4) return Address::v4(address.v4_value() + 1);
  auto bytes = address.bytes();
  for (std::size_t i = 16; i-- > 0 && ++bytes[i] == 0;) {
  }
  return Address::v6(bytes);
}

std::vector<Address> sample_addresses(const Address& first, const Address& last) {
  std::vector<Address> result;
  const auto offer = [&](const Address& address) {
    if (address < first || last < address || !is_ordinary(address)) return;
    if (std::ranges::find(result, address) == result.end()) result.push_back(address);
  };
  // The first address of a block is often a network's own, the one behind it a gateway's.
  Address address = first;
  std::vector<Address> low;
  for (int i = 0; i < 4 && address < last; ++i) low.push_back(address = after(address));
  if (low.size() > 1) std::ranges::rotate(low, low.begin() + 1);
  for (const Address& one : low) offer(one);
  offer(first);
  for (const std::string_view text : kPlain) {
    if (const auto plain = net::parse_address(text); plain->family() == first.family()) {
      offer(*plain);
    }
  }
  if (result.empty()) result.push_back(first);
  return result;
}

}  // namespace meiguan::analysis
