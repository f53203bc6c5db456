#include "dataplane/image/image_check.h"

#include <cstddef>
#include <cstdint>
#include <tuple>

namespace meiguan::image {
namespace {

constexpr std::uint8_t kMostNptLength = 64;  // RFC 6296 section 3.4

// Whether [first, first + count) lies within `size` elements.
bool is_within(std::uint32_t first, std::uint32_t count, std::size_t size) {
  return first <= size && count <= size - first;
}

bool is_prefix(const net::Address& address, std::uint8_t length, net::Family family) {
  return address.family() == family && net::Prefix::make(address, length).has_value();
}

}  // namespace

const char* ImageCheck::translations() const {
  for (const char* wrong : {nat_prefixes(), publishes(), egresses()}) {
    if (wrong != nullptr) return wrong;
  }
  for (const TranslateRecord& t : image_.translates()) {
    if (t.space == 0 || t.space >= image_.spaces().size()) return "space of a translate";
    if (!is_prefix(t.inside, t.length, t.inside.family()) ||
        !is_prefix(t.outside, t.length, t.inside.family())) {
      return "prefix of a translate";
    }
  }
  return nullptr;
}

const char* ImageCheck::nat_prefixes() const {
  for (const NatPrefix& prefix : image_.nat_prefixes()) {
    std::size_t size = 0;
    switch (prefix.kind) {
      case NatKind::kPublish: size = image_.publishes().size(); break;
      case NatKind::kPool: size = image_.pools().size(); break;
      case NatKind::kTranslate: size = image_.translates().size(); break;
      case NatKind::kNpt: size = image_.npt_prefixes().size(); break;
      default: return "kind of a translated prefix";
    }
    if (prefix.count == 0 || !is_within(prefix.first, prefix.count, size)) {
      return "a translated prefix";
    }
    if (prefix.kind != NatKind::kPublish && prefix.count != 1) return "a translated prefix";
  }
  return nullptr;
}

const char* ImageCheck::publishes() const {
  const auto records = image_.publishes();
  for (std::size_t i = 0; i < records.size(); ++i) {
    const PublishRecord& p = records[i];
    if (p.space >= image_.spaces().size() || p.first_port > p.last_port) return "a publish";
    if (p.service >= image_.services().size() || image_.services()[p.service].in_use == 0) {
      return "service of a publish";
    }
    if (p.endpoints == 0 ||
        !is_within(p.first_endpoint, p.endpoints, image_.publish_endpoints().size())) {
      return "endpoints of a publish";
    }
    for (const PublishEndpoint& e :
         image_.publish_endpoints().subspan(p.first_endpoint, p.endpoints)) {
      if (e.address.family() != p.public_address.family()) return "family of a publish";
    }
    if (i == 0) continue;
    const PublishRecord& before = records[i - 1];
    if (before.public_address > p.public_address) return "order of the publishes";
    if (before.public_address != p.public_address) continue;
    // Spans of one address never overlap, and any protocol is all of them.
    if (before.protocol == 0 || p.protocol < before.protocol ||
        (p.protocol == before.protocol && p.first_port <= before.last_port)) {
      return "order of the publishes";
    }
  }
  return nullptr;
}

const char* ImageCheck::egresses() const {
  const auto egresses = image_.egresses();
  if (egresses.size() > kMaxEgresses) return "number of egresses";
  for (std::size_t i = 0; i < egresses.size(); ++i) {
    const EgressRecord& e = egresses[i];
    if (!is_within(e.first_pool, e.pools, image_.pools().size()) ||
        !is_within(e.first_npt, e.npts, image_.npt_prefixes().size())) {
      return "pools of an egress";
    }
    for (const PoolRecord& pool : image_.pools().subspan(e.first_pool, e.pools)) {
      if (pool.egress != i) return "egress of a pool";
    }
    for (const NptRecord& npt : image_.npt_prefixes().subspan(e.first_npt, e.npts)) {
      if (npt.egress != i) return "egress of a translated IPv6 prefix";
    }
    const std::uint32_t ports = std::uint32_t{e.last_port} - e.first_port + 1;
    if (e.first_port == 0 || e.first_port > e.last_port || e.block_ports == 0 ||
        e.block_ports % 2 != 0 || e.block_ports > ports || e.blocks_per_address == 0 ||
        e.filtering > Filtering::kEndpointIndependent) {
      return "an egress";
    }
  }
  for (const PoolRecord& pool : image_.pools()) {
    if (!is_prefix(pool.address, pool.length, net::Family::kIpv4)) return "prefix of a pool";
    if (pool.egress >= egresses.size()) return "egress of a pool";
  }
  for (const NptRecord& npt : image_.npt_prefixes()) {
    if (npt.length > kMostNptLength || !is_prefix(npt.inside, npt.length, net::Family::kIpv6) ||
        !is_prefix(npt.outside, npt.length, net::Family::kIpv6)) {
      return "a translated IPv6 prefix";
    }
    if (npt.egress >= egresses.size()) return "egress of a translated IPv6 prefix";
  }
  if (!source_egress_.empty() && source_egress_.size() != image_.source_classes().size()) {
    return "egresses of the sources";
  }
  for (const SourceEgress& by : source_egress_) {
    if ((by.v4 != kNoEgress && (by.v4 >= egresses.size() || egresses[by.v4].pools == 0)) ||
        (by.v6 != kNoEgress && (by.v6 >= egresses.size() || egresses[by.v6].npts == 0))) {
      return "egress of a source";
    }
  }
  return nullptr;
}

}  // namespace meiguan::image
