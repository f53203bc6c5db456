// The image validator against damage that keeps the checksum right: whatever is accepted must
// answer every question without leaving its bytes (ASan, UBSan watch).
//
// Input: pairs of a 32-bit offset and a byte, laid over a valid image; where the offset's top bit
// is set, over its cells, branches, outcomes and times.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <span>

#include "controlplane/policy/compile.h"
#include "controlplane/policy/load.h"
#include "dataplane/fastpath/decide.h"
#include "dataplane/image/validator.h"

namespace {

using namespace meiguan;

constexpr const char* kGateway = R"([gateway]
node = "1"
[[port]]
name = "wan"
device = "tap:wan"
zone = "i"
addresses = ["203.0.113.2/24"]
[[port]]
name = "lan"
device = "tap:lan"
zone = "e"
addresses = ["10.0.0.1/24", "2001:db8:1::1/64"]
[[port]]
name = "vpn"
parent = "lan"
vlan = 5
zone = "p"
addresses = ["10.0.0.1/24"]
[[route]]
prefix = "0.0.0.0/0"
via = "203.0.113.254"
[limits]
source_flows = 100
)";

constexpr const char* kPolicy = R"([node]
code = "1"
name = "r"
tier = "county"
[policy]
schema = 1
[[zone]]
id = "e"
kind = "extranet"
[[zone]]
id = "p"
kind = "private"
[[unit]]
id = "a"
zone = "e"
prefixes = ["10.0.0.0/24", "2001:db8:1::/64"]
admission = "bound"
[[unit]]
id = "b"
zone = "p"
prefixes = ["10.0.0.0/24"]
[[terminal]]
unit = "a"
addresses = ["10.0.0.5"]
mac = "52:54:00:12:34:56"
[[service]]
id = "s"
zone = "e"
endpoints = ["192.0.2.1:443/tcp", "192.0.2.0/28/udp"]
timeouts = { tcp = "1h" }
limits = { flows = 7 }
[[zone]]
id = "d"
kind = "dmz"
[[zone]]
id = "i"
kind = "internet"
[[zone]]
id = "x"
kind = "exchange"
[[service]]
id = "portal"
zone = "d"
endpoints = ["192.0.2.40:443/tcp"]
publish = true
[[publish]]
service = "portal"
public = "203.0.113.1:443/tcp"
[[egress]]
id = "exit"
from = ["unit:a"]
pool = ["203.0.113.16/28", "2001:db8:ff::/48"]
[[translate]]
zone = "p"
inside = "10.0.0.0/24"
outside = "10.200.0.0/24"
[[schedule]]
id = "office-hours"
days = ["mon", "tue", "wed", "thu", "fri"]
start = 08:30:00
end = 18:00:00
[[schedule]]
id = "nights"
dates = [2026-01-01, 2026-01-02]
start = 22:00:00
end = 06:00:00
[[rule]]
id = "look"
action = "audit"
from = ["any"]
to = ["any"]
schedule = "nights"
[[rule]]
id = "closed"
action = "deny"
from = ["unit:a"]
to = ["service:s"]
schedule = "nights"
not_before = 2026-01-01
[[rule]]
id = "open-by-day"
action = "allow"
from = ["unit:a"]
to = ["service:s"]
schedule = "office-hours"
expires = 2026-12-31
[[rule]]
id = "open"
action = "allow"
from = ["unit:a", "zone:e"]
to = ["service:s", "net:192.0.2.0/24"]
)";

image::AlignedBytes make_image() {
  const auto policy = policy::load_policy_text("seed.toml", kPolicy);
  if (!policy) std::abort();
  const auto gateway = policy::load_gateway_text("gateway.toml", kGateway, *policy);
  if (!gateway) std::abort();
  auto compiled = policy::compile(*policy, &*gateway, nullptr);
  if (!compiled) std::abort();
  const auto image = image::Image::open(compiled->bytes.span());
  if (!image || image->branches().empty()) std::abort();
  return std::move(compiled->bytes);
}

// Reads what a route leads to, as the fast path does.
void touch(const image::Image& image, const image::RouteRecord& route) {
  if (route.port >= image.ports().size()) std::abort();
  if (route.kind != image::RouteKind::kNat) return;
  const image::NatPrefix& nat = image.nat_prefixes()[route.nat];
  unsigned sum = 0;
  switch (nat.kind) {
    case image::NatKind::kPublish:
      for (const auto& p : image.publishes().subspan(nat.first, nat.count)) {
        for (const auto& e : image.publish_endpoints().subspan(p.first_endpoint, p.endpoints)) {
          sum += e.port;
        }
        sum += image.services()[p.service].zone;
      }
      break;
    case image::NatKind::kPool:
      sum += image.egresses()[image.pools()[nat.first].egress].block_ports;
      break;
    case image::NatKind::kTranslate:
      sum += image.spaces()[image.translates()[nat.first].space].routes_v4;
      break;
    case image::NatKind::kNpt:
      sum += image.egresses()[image.npt_prefixes()[nat.first].egress].npts;
      break;
  }
  volatile unsigned kept = sum;  // so that the reads stay
  (void)kept;
}

void ask(const image::Image& image, std::int64_t at) {
  const net::Address addresses[] = {net::Address::v4(0x0a000005),
                                    net::Address::v4(0xc0000201),
                                    net::Address::v4(0),
                                    net::Address::v4(0xffffffff),
                                    *net::parse_address("2001:db8:1::1"),
                                    *net::parse_address("::"),
                                    net::Address::v4(0xcb007101),
                                    net::Address::v4(0xcb007111),
                                    net::Address::v4(0x0ac80005),
                                    *net::parse_address("2001:db8:ff::1")};
  const image::Moment moment{image, at};
  // Time moves on, and nothing is claimed of instants that were not asked.
  if (moment.ends() <= at || moment.begins() > at || !moment.covers(at)) std::abort();
  for (std::size_t s = 0; s < image.spaces().size(); ++s) {
    const SpaceId space{static_cast<std::uint16_t>(s)};
    for (std::size_t z = 0; z < image.zones().size(); ++z) {
      const ZoneId zone{static_cast<std::uint16_t>(z)};
      for (const net::Address& source : addresses) {
        const auto subject = fastpath::find_subject(image, space, source, zone);
        (void)fastpath::admit(image, subject, space, source, nullptr);
        if (const auto* const route = image.route_to(space, source); route != nullptr) {
          touch(image, *route);
        }
        if (subject.egress != image::kNoEgress && subject.egress >= image.egresses().size()) {
          std::abort();
        }
        for (const net::Address& destination : addresses) {
          const auto target = fastpath::find_target(image, space, destination, {6, 443}, zone);
          const auto access = fastpath::decide(image, moment, subject, target);
          for (const image::AuditRecord& audit : access.audits) {
            if (audit.rule >= image.rules().size()) std::abort();
            (void)moment.holds(audit.condition);
          }
          if (access.decision.rule.is_some() &&
              access.decision.rule.index() >= image.rules().size()) {
            std::abort();
          }
        }
      }
    }
  }
}

void ask(const image::Image& image) {
  for (const std::int64_t at : {std::int64_t{0}, std::int64_t{1'767'225'600},
                                std::numeric_limits<std::int64_t>::max() - 1}) {
    ask(image, at);
  }
}

// Where damage to a byte goes.
std::size_t place(std::uint32_t offset, const image::FileHeader& header, std::size_t bytes) {
  if ((offset >> 31) == 0) return offset % bytes;
  const auto& first = header.sections[static_cast<std::size_t>(image::Section::kCells)];
  const auto& last = header.sections[static_cast<std::size_t>(image::Section::kConditions)];
  const std::uint64_t end = last.offset + last.count * last.size;
  return first.offset + (offset & 0x7fff'ffff) % (end - first.offset);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const image::AlignedBytes original = make_image();
  image::AlignedBytes bytes = image::AlignedBytes::copy_of(original.span());
  image::FileHeader header;
  std::memcpy(&header, original.span().data(), sizeof header);
  for (std::size_t i = 0; i + 5 <= size && i < 5 * 64; i += 5) {
    std::uint32_t offset = 0;
    std::memcpy(&offset, data + i, 4);
    bytes.span()[place(offset, header, bytes.size())] = std::byte{data[i + 4]};
  }
  std::memcpy(&header, bytes.span().data(), sizeof header);
  header.checksum = image::checksum_of(bytes.span());
  std::memcpy(bytes.span().data(), &header, sizeof header);
  if (const auto image = image::Image::open(bytes.span())) ask(*image);
  return 0;
}
