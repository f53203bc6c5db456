#include "dataplane/image/learned_routes.h"

#include <algorithm>
#include <array>
#include <tuple>
#include <utility>

namespace meiguan::image {
namespace {

using net::Address;
using net::Family;
using net::Prefix;

using Bytes = std::array<std::uint8_t, 16>;

std::size_t family_index(Family family) noexcept { return family == Family::kIpv4 ? 0 : 1; }

// The first `length` bits of a key; nothing where they are those of the other family (an IPv6
// address that reads as an IPv4 one is never looked up).
std::optional<Prefix> prefix_of(const Bytes& key, Family family, std::uint8_t length) noexcept {
  Bytes masked{};
  length = std::min(length, net::address_bits(family));
  for (unsigned bit = 0; bit < length; bit += 8) {
    const unsigned bits = std::min(8U, length - bit);
    masked[bit / 8] = static_cast<std::uint8_t>(key[bit / 8] & (0xff00U >> bits));
  }
  const Address address = family == Family::kIpv4 ? Address::v4_wire(masked.data())
                                                  : Address::v6(masked);
  if (address.family() != family) return std::nullopt;
  return Prefix::make(address, length);
}

// The image's prefixes of one space and family, and what a learned one may not lie in.
class OwnPrefixes {
 public:
  void add(const Prefix& prefix, std::uint32_t number, const RouteRecord& record) {
    prefixes_.push_back({prefix, number});
    const bool host = prefix.length() == net::address_bits(prefix.family());
    if (record.kind != RouteKind::kVia && !host) closed_.push_back(prefix);
  }
  void finish() {
    std::ranges::sort(prefixes_, {}, &PrefixValue::prefix);
    std::ranges::sort(closed_);
  }
  [[nodiscard]] bool has(const Prefix& prefix) const {
    return std::ranges::binary_search(prefixes_, prefix, {}, &PrefixValue::prefix);
  }
  [[nodiscard]] bool closes(const Prefix& prefix) const {
    return std::ranges::any_of(closed_, [&](const Prefix& own) { return own.contains(prefix); });
  }
  [[nodiscard]] const std::vector<PrefixValue>& prefixes() const noexcept { return prefixes_; }

 private:
  std::vector<PrefixValue> prefixes_;
  std::vector<Prefix> closed_;
};

LearnedState judge(const Image& image, const OwnPrefixes& own, const LearnedRoute& route) {
  if (own.has(route.prefix)) return LearnedState::kImagePrefers;
  if (own.closes(route.prefix)) return LearnedState::kInsideOwn;
  if (!route.via) return LearnedState::kUsed;
  const PortRecord& port = image.ports()[route.port.index()];
  const std::uint8_t* const via = route.via->wire();
  if (route.via->family() == Family::kIpv6 && via[0] == 0xfe && (via[1] & 0xc0) == 0x80) {
    const bool speaks_v6 = std::ranges::any_of(image.port_addresses(port), [](const auto& a) {
      return a.address.family() == Family::kIpv6;
    });
    return speaks_v6 ? LearnedState::kUsed : LearnedState::kNoSuchNextHop;
  }
  const RouteRecord* const hop = image.route_to(SpaceId{port.space}, *route.via);
  return hop != nullptr && hop->kind == RouteKind::kOnLink && hop->port == route.port.value()
             ? LearnedState::kUsed
             : LearnedState::kNoSuchNextHop;
}

RouteRecord record_of(const LearnedRoute& route) {
  RouteRecord record{};
  record.via = route.via.value_or(Address{});
  record.port = route.port.value();
  record.kind = route.via ? RouteKind::kVia : RouteKind::kOnLink;
  record.length = route.prefix.length();
  return record;
}

}  // namespace

std::vector<OwnRoute> own_routes(const Image& image) {
  std::vector<OwnRoute> routes;
  for (std::size_t s = 0; s < image.spaces().size(); ++s) {
    const SpaceId space{static_cast<std::uint16_t>(s)};
    for (const Family family : {Family::kIpv4, Family::kIpv6}) {
      image.each_route(space, family, [&](const Bytes& key, std::uint32_t number) {
        const auto prefix = prefix_of(key, family, image.routes()[number].length);
        if (prefix) routes.push_back({space, *prefix, number});
      });
    }
  }
  const auto key = [](const OwnRoute& r) { return std::tuple{r.space, r.prefix, r.number}; };
  std::ranges::sort(routes, {}, key);
  const auto same = std::ranges::unique(routes, {}, key);
  routes.erase(same.begin(), same.end());
  return routes;
}

LearnedRoutes::LearnedRoutes(const Image& image, std::span<const LearnedRoute> routes)
    : records_{image.routes().begin(), image.routes().end()},
      spaces_{image.spaces().begin(), image.spaces().end()} {
  std::vector<std::array<OwnPrefixes, 2>> own(spaces_.size());
  for (const OwnRoute& route : own_routes(image)) {
    own[route.space.index()][family_index(route.prefix.family())].add(route.prefix, route.number,
                                                                      image.routes()[route.number]);
  }
  for (auto& families : own) {
    for (OwnPrefixes& prefixes : families) prefixes.finish();
  }

  std::vector<std::array<std::vector<PrefixValue>, 2>> all(spaces_.size());
  for (std::size_t s = 0; s < all.size(); ++s) {
    for (std::size_t f = 0; f < 2; ++f) all[s][f] = own[s][f].prefixes();
  }
  judged_.reserve(routes.size());
  for (const LearnedRoute& route : routes) {
    const std::size_t space = image.ports()[route.port.index()].space;
    const std::size_t family = family_index(route.prefix.family());
    judged_.push_back({route, judge(image, own[space][family], route)});
    if (judged_.back().state != LearnedState::kUsed) continue;
    ++used_;
    all[space][family].push_back({route.prefix, static_cast<std::uint32_t>(records_.size())});
    records_.push_back(record_of(route));
  }
  for (std::size_t s = 0; s < all.size(); ++s) {
    spaces_[s].routes_v4 = tries_.add(std::move(all[s][0]), kNoRoute);
    spaces_[s].routes_v6 = tries_.add(std::move(all[s][1]), kNoRoute);
  }
}

Image LearnedRoutes::over(const Image& image) const noexcept {
  return image.with_routes({spaces_, tries_.nodes(), tries_.entries(), records_});
}

}  // namespace meiguan::image
