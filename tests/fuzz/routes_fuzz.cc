// What a kernel might say of links and routes, whole or not: datagrams of rtnetlink messages, up to
// the tables that they end in. Nothing is read beyond the bytes (ASan), no more routes are known
// than there is room for, and every route that is used is found by its own prefix.

#include <linux/rtnetlink.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <utility>
#include <vector>

#include "dataplane/fastpath/test_image.h"
#include "dataplane/image/learned_routes.h"
#include "dataplane/runtime/kernel_routes.h"

namespace {

using namespace meiguan;

constexpr std::size_t kMost = 8;

void require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const fastpath::test::World world{{.nat = true}};
  static const std::vector<runtime::RoutedPort> ports{{"mg-lan", PortId{0}, SpaceId{0}},
                                                      {"mg-core", PortId{1}, SpaceId{0}},
                                                      {"mg-vpn", PortId{4}, SpaceId{1}}};
  runtime::RouteDump dump{ports, kMost};
  auto datagram = std::as_bytes(std::span{data, size});
  runtime::KernelRoute route;
  bool links = true;
  while (const auto message = runtime::take_message(datagram)) {
    if (message->header.nlmsg_type == RTM_NEWLINK && links) {
      if (const auto link = runtime::read_link(message->body)) dump.link(*link);
    } else {
      if (std::exchange(links, false)) dump.end_of_links();
      const auto reading = runtime::read_route(message->body, route);
      if (reading == runtime::RouteReading::kRoute) require(!route.hops.empty());
      dump.route(reading, route);
    }
  }
  const auto routes = dump.set().routes();
  require(routes.size() <= kMost);
  const image::LearnedRoutes learned{world.image(), routes};
  const image::Image both = learned.over(world.image());
  std::size_t used = 0;
  for (const image::JudgedRoute& one : learned.judged()) {
    const SpaceId space{world.image().ports()[one.route.port.index()].space};
    const auto* const found = both.route_to(space, one.route.prefix.address());
    if (one.state != image::LearnedState::kUsed) continue;
    ++used;
    // Longer prefixes may begin with the same address.
    require(found != nullptr && found->length >= one.route.prefix.length());
  }
  require(used == learned.used());
  return 0;
}
