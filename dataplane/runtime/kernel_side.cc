// The kernel of the machine beside the gateway: its interfaces behind the ports, and its routes by
// them.

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "dataplane/runtime/clock.h"
#include "dataplane/runtime/dataplane.h"
#include "dataplane/runtime/log.h"
#include "dataplane/runtime/request_payload.h"

namespace meiguan::runtime {
namespace {

enum Origin : std::uint8_t { kWritten, kConnected, kLearned };

channel::RouteState state_of(const net::Prefix& prefix, PortId port, SpaceId space,
                             const net::Address& via, Origin origin) {
  channel::RouteState state{};
  state.prefix = prefix.address().bytes();
  state.via = via.bytes();
  state.port = port.value();
  state.space = space.value();
  state.length = prefix.length();
  state.origin = origin;
  return state;
}

bool is_connected(const image::Image& image, const image::RouteRecord& route,
                  const net::Prefix& prefix) {
  const image::PortRecord& port = image.ports()[route.port];
  return route.kind == image::RouteKind::kOnLink &&
         std::ranges::any_of(image.port_addresses(port), [&](const image::PortAddress& a) {
           return net::Prefix::around(a.address, a.length) == prefix;
         });
}

// The ways that packets may take, as the image has them, and then what the kernel taught.
std::vector<channel::RouteState> all_routes(const InForce& in_force) {
  std::vector<channel::RouteState> states;
  const image::Image& image = in_force.loaded->image();
  for (const image::OwnRoute& own : image::own_routes(image)) {
    const image::RouteRecord& route = image.routes()[own.number];
    if (route.kind != image::RouteKind::kVia && route.kind != image::RouteKind::kOnLink) continue;
    const Origin origin = is_connected(image, route, own.prefix) ? kConnected : kWritten;
    states.push_back(state_of(own.prefix, PortId{route.port}, own.space, route.via, origin));
  }
  if (in_force.learned == nullptr) return states;
  for (const image::JudgedRoute& one : in_force.learned->judged()) {
    const SpaceId space{image.ports()[one.route.port.index()].space};
    states.push_back(state_of(one.route.prefix, one.route.port, space,
                              one.route.via.value_or(net::Address{}), kLearned));
    states.back().state = static_cast<std::uint8_t>(one.state);
  }
  return states;
}

}  // namespace

void Dataplane::watch_taps() {
  if (exceptions_->watch_taps()) {
    alarms_ &= ~channel::kAlarmTapMissing;
  } else {
    alarms_ |= channel::kAlarmTapMissing;
  }
}

void Dataplane::follow_routes(fastpath::Tick now) {
  const bool changed = kernel_routes_.step(now);
  alarms_ &= ~(channel::kAlarmRoutesFull | channel::kAlarmRoutesUnread);
  if (kernel_routes_.counts().excess != 0) alarms_ |= channel::kAlarmRoutesFull;
  if (!kernel_routes_.works()) alarms_ |= channel::kAlarmRoutesUnread;
  if (!changed) return;
  auto next = std::make_unique<InForce>(*in_force_);
  ++next->generation;
  next->take_routes(kernel_routes_.routes());
  const std::size_t used = next->learned ? next->learned->used() : 0;
  put_in_force(std::move(next));
  log_info(fmt::format("the kernel's routes have changed: {} of {} are used, as generation {}",
                       used, kernel_routes_.routes().size(), generation_),
           fmt::format("内核路由有变化：采用 {} 条（共 {} 条），第 {} 代生效", used,
                       kernel_routes_.routes().size(), generation_));
}

channel::RoutesState Dataplane::routes_state() const {
  const KernelRoutes::Counts& counts = kernel_routes_.counts();
  const std::size_t used = in_force_ && in_force_->learned ? in_force_->learned->used() : 0;
  channel::RoutesState state{};
  state.used = static_cast<std::uint32_t>(used);
  state.unused = static_cast<std::uint32_t>(kernel_routes_.routes().size() - used);
  state.capacity = static_cast<std::uint32_t>(kernel_routes_.capacity());
  state.ports = static_cast<std::uint32_t>(kernel_routes_.ports());
  state.excess = counts.excess;
  state.unsupported = counts.unsupported;
  state.dumps = counts.dumps;
  state.changes = counts.changes;
  state.changed_ago_ms = counts.changes == 0 ? channel::RoutesState::kNever
                                             : monotonic_ms() - counts.changed;
  return state;
}

Result<Answer> Dataplane::route_list(const channel::Message& request) const {
  const auto asked = get<channel::RoutesRequest>(request);
  if (!asked) return std::unexpected{asked.error()};
  constexpr std::size_t kMost = (channel::kMaxMessageBytes - sizeof(channel::MessageHeader) -
                                 sizeof(channel::RoutesAnswer)) /
                                sizeof(channel::RouteState);
  channel::RoutesAnswer head{in_force_ ? in_force_->generation : 0, 0};
  std::vector<channel::RouteState> routes;
  if (in_force_ && (asked->generation == 0 || asked->generation == head.generation)) {
    routes = all_routes(*in_force_);
  }
  const std::size_t from = std::min<std::size_t>(asked->cursor, routes.size());
  const std::size_t end = std::min(from + kMost, routes.size());
  if (end < routes.size()) head.next_cursor = static_cast<std::uint32_t>(end);
  Answer answer;
  answer.put(head);
  for (std::size_t i = from; i < end; ++i) answer.put(routes[i]);
  return answer;
}

}  // namespace meiguan::runtime
