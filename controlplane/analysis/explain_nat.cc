#include "controlplane/analysis/explain_nat.h"

#include <fmt/format.h>

#include <algorithm>

namespace meiguan::analysis {
namespace {

using image::Image;
using image::NatKind;
using net::Family;

std::string prefix_text(const net::Address& address, std::uint8_t length) {
  return net::to_string(net::Prefix::around(address, length));
}

// `address` of prefix `from` as the same one of prefix `to`.
net::Address moved(const net::Address& address, const net::Address& to, std::uint8_t length) {
  auto bytes = address.bytes();
  const auto& head = to.bytes();
  const unsigned bits = length + (address.family() == Family::kIpv4 ? 96U : 0U);
  for (unsigned i = 0; i < bits; ++i) {
    const auto mask = static_cast<std::uint8_t>(0x80U >> (i % 8));
    bytes[i / 8] = static_cast<std::uint8_t>((bytes[i / 8] & ~mask) | (head[i / 8] & mask));
  }
  return net::Address::v6(bytes);
}

std::optional<Arrival> publish(const Image& image, const image::NatPrefix& nat,
                               const Destination& to) {
  for (const image::PublishRecord& p : image.publishes().subspan(nat.first, nat.count)) {
    if (p.protocol != 0 && p.protocol != to.protocol.number) continue;
    if (to.protocol.value < p.first_port || to.protocol.value > p.last_port) continue;
    const auto& first = image.publish_endpoints()[p.first_endpoint];
    Arrival arrival{{first.address, to.protocol}, SpaceId{p.space}, {}};
    if (first.port != 0) arrival.to.protocol.value = first.port;
    arrival.text = {fmt::format("by [[publish]] to {}", net::to_string(first.address)),
                    fmt::format("经 [[publish]] 转到 {}", net::to_string(first.address))};
    if (first.port != 0) {
      arrival.text.english += fmt::format(" port {}", first.port);
      arrival.text.chinese += fmt::format(" 端口 {}", first.port);
    }
    if (p.endpoints > 1) {
      arrival.text.english += fmt::format(", one of {} endpoints", p.endpoints);
      arrival.text.chinese += fmt::format("，共 {} 个端点之一", p.endpoints);
    }
    return arrival;
  }
  return std::nullopt;
}

}  // namespace

std::optional<Arrival> arrive(const Image& image, SpaceId space, const Destination& to) {
  const auto* const route = image.route_to(space, to.address);
  if (route == nullptr || route->kind != image::RouteKind::kNat) return std::nullopt;
  const image::NatPrefix& nat = image.nat_prefixes()[route->nat];
  if (nat.kind == NatKind::kPublish) return publish(image, nat, to);
  if (nat.kind != NatKind::kTranslate) return std::nullopt;
  const image::TranslateRecord& t = image.translates()[nat.first];
  const net::Address inside = moved(to.address, t.inside, t.length);
  return Arrival{{inside, to.protocol},
                 SpaceId{t.space},
                 {fmt::format("by [[translate]] to {}", net::to_string(inside)),
                  fmt::format("经 [[translate]] 转到 {}", net::to_string(inside))}};
}

std::optional<Text> describe_departure(const Image& image, const fastpath::Subject& subject,
                                       const net::Address& source, SpaceId space,
                                       image::Isolation isolation) {
  if (isolation.egress() && subject.egress != image::kNoEgress) {
    const image::EgressRecord& egress = image.egresses()[subject.egress];
    for (const auto& npt : image.npt_prefixes().subspan(egress.first_npt, egress.npts)) {
      if (!net::Prefix::around(npt.inside, npt.length).contains(source)) continue;
      const auto outside = prefix_text(npt.outside, npt.length);
      return Text{fmt::format("the source leaves with prefix {} (RFC 6296)", outside),
                  fmt::format("源地址以前缀 {} 送出（RFC 6296）", outside)};
    }
    std::string pools;
    for (const auto& pool : image.pools().subspan(egress.first_pool, egress.pools)) {
      pools += (pools.empty() ? "" : ", ") + prefix_text(pool.address, pool.length);
    }
    return Text{fmt::format("the source leaves by an address of {}", pools),
                fmt::format("源地址转换为 {} 中的地址送出", pools)};
  }
  if ((isolation.bits & image::Isolation::kTranslateFrom) == 0) return std::nullopt;
  for (const image::TranslateRecord& t : image.translates()) {
    if (t.space != space.value() || !net::Prefix::around(t.inside, t.length).contains(source)) {
      continue;
    }
    const auto outside = net::to_string(moved(source, t.outside, t.length));
    return Text{fmt::format("the source leaves as {}", outside),
                fmt::format("源地址转换为 {} 送出", outside)};
  }
  return std::nullopt;
}

}  // namespace meiguan::analysis
