#include "controlplane/kernel/end_classes.h"

#include <algorithm>
#include <map>
#include <string_view>
#include <tuple>

#include "controlplane/analysis/atom_ranges.h"
#include "dataplane/fastpath/address_kind.h"

namespace meiguan::kernel {
namespace {

using net::Address;
using net::Family;

// Where a kind of address begins (fastpath/address_kind.h); a few more do no harm.
constexpr std::string_view kKindsBegin[] = {
    "0.0.0.0",     "0.0.0.1",     "1.0.0.0",     "10.0.0.0",    "11.0.0.0",    "100.64.0.0",
    "100.128.0.0", "127.0.0.0",   "128.0.0.0",   "169.254.0.0", "169.255.0.0", "172.16.0.0",
    "172.32.0.0",  "192.168.0.0", "192.169.0.0", "224.0.0.0",   "240.0.0.0",   "255.255.255.255",
    "::",          "::1",         "::2",         "2000::",      "4000::",      "fc00::",
    "fe00::",      "fe80::",      "fec0::",      "ff00::"};

// What an image says of an address; equal for two addresses where nothing tells them apart.
using Key = std::tuple<std::uint32_t, const image::RouteRecord*, fastpath::AddressKind, bool>;

Key key_of(const image::Image& image, std::uint32_t atom, const Address& address) {
  const image::TerminalSlot* const terminal = image.terminal_at(SpaceId{0}, address);
  return {atom, image.route_to(SpaceId{0}, address), fastpath::kind_of(address.family(), address),
          terminal != nullptr && terminal->unit == image.atoms()[atom].unit};
}

bool is_last(const Address& address) {
  const auto& bytes = address.bytes();
  return std::all_of(bytes.begin() + (address.family() == Family::kIpv4 ? 12 : 0), bytes.end(),
                     [](std::uint8_t byte) { return byte == 0xff; });
}

class Finder {
 public:
  explicit Finder(const image::Image& image) : image_{image} {}

  std::vector<EndSpan> run(Family family) {
    const auto atoms = analysis::atom_ranges(image_, SpaceId{0}, family);
    const auto routes = analysis::route_ranges(image_, SpaceId{0}, family);
    std::vector<Address> firsts;
    for (const auto& range : atoms) firsts.push_back(range.first);
    for (const auto& range : routes) firsts.push_back(range.first);
    for (const auto& slot : image_.terminals()) {
      if (slot.unit == image::kNone || slot.address.family() != family) continue;
      firsts.push_back(slot.address);
      if (!is_last(slot.address)) firsts.push_back(analysis::after(slot.address));
    }
    for (const auto text : kKindsBegin) {
      const auto address = net::parse_address(text);
      if (address && address->family() == family) firsts.push_back(*address);
    }
    std::ranges::sort(firsts);
    firsts.erase(std::ranges::unique(firsts).begin(), firsts.end());
    std::vector<EndSpan> spans;
    std::size_t range = 0;
    for (std::size_t i = 0; i < firsts.size(); ++i) {
      while (range + 1 < atoms.size() && atoms[range + 1].first <= firsts[i]) ++range;
      const auto number = class_of(family, atoms[range].atom, firsts[i]);
      // A span has a second address where the next one does not begin right behind its first.
      const bool has_two = !is_last(firsts[i]) &&
                           (i + 1 == firsts.size() || analysis::after(firsts[i]) != firsts[i + 1]);
      offer(ends_.classes[number], firsts[i]);
      if (has_two) offer(ends_.classes[number], analysis::after(firsts[i]));
      if (spans.empty() || spans.back().end_class != number) spans.push_back({firsts[i], number});
    }
    return spans;
  }

  Ends take(std::vector<EndSpan> v4, std::vector<EndSpan> v6) {
    ends_.v4 = std::move(v4);
    ends_.v6 = std::move(v6);
    return std::move(ends_);
  }

 private:
  static void offer(EndClass& one, const Address& address) {
    if (one.another == one.one && address != one.one) one.another = address;
  }

  std::uint32_t class_of(Family family, std::uint32_t atom, const Address& address) {
    const auto fresh = static_cast<std::uint32_t>(ends_.classes.size());
    const auto [it, added] = numbers_.try_emplace({family, key_of(image_, atom, address)}, fresh);
    if (added) ends_.classes.push_back({family, atom, address, address});
    return it->second;
  }

  const image::Image& image_;
  std::map<std::pair<Family, Key>, std::uint32_t> numbers_;
  Ends ends_;
};

}  // namespace

Ends find_ends(const image::Image& image) {
  Finder finder{image};
  auto v4 = finder.run(Family::kIpv4);
  auto v6 = finder.run(Family::kIpv6);
  return finder.take(std::move(v4), std::move(v6));
}

}  // namespace meiguan::kernel
