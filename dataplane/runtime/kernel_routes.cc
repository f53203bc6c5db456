#include "dataplane/runtime/kernel_routes.h"

#include <fmt/format.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "dataplane/runtime/log.h"

namespace meiguan::runtime {
namespace {

using fastpath::Tick;

constexpr std::size_t kDatagram = 64 * 1024;
constexpr unsigned kDatagramsAtOnce = 8;  // of a dump, before others have their turn
constexpr unsigned kNoticesAtOnce = 64;
constexpr unsigned kMostInterruptions = 3;  // then what was told is taken: more dumps will follow
constexpr Tick kPatience = 5000;            // for a dump
constexpr unsigned kGroups = RTMGRP_LINK | RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE |
                             RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR;

Descriptor netlink_socket(unsigned groups) {
  Descriptor descriptor{
      ::socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_ROUTE)};
  sockaddr_nl own{};
  own.nl_family = AF_NETLINK;
  own.nl_groups = groups;
  if (!descriptor ||
      ::bind(descriptor.get(), reinterpret_cast<const sockaddr*>(&own), sizeof own) != 0) {
    return {};
  }
  return descriptor;
}

// The next datagram of the kernel's; its size, 0 where there is none, or -errno. Processes can send
// to a netlink socket as well.
ssize_t receive(const Descriptor& from, std::span<std::byte> room) {
  while (true) {
    sockaddr_nl sender{};
    socklen_t bytes = sizeof sender;
    const ssize_t got = ::recvfrom(from.get(), room.data(), room.size(), MSG_TRUNC,
                                   reinterpret_cast<sockaddr*>(&sender), &bytes);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return errno == EAGAIN ? 0 : -errno;
    if (sender.nl_pid != 0) continue;
    return static_cast<std::size_t>(got) > room.size() ? -EMSGSIZE : got;
  }
}

}  // namespace

bool RoutePace::due(Tick now) const noexcept {
  const bool changed = told_ && now >= *told_ + kSettle;
  const bool aged = begun_ && now >= *begun_ + kInAnyCase;
  return (changed || aged) && (!begun_ || now >= *begun_ + hold_);
}

void RoutePace::begin(Tick now) noexcept {
  const bool goes_on = begun_ && now < *begun_ + 2 * hold_;
  hold_ = goes_on ? std::min(2 * hold_, kLongest) : kShortest;
  begun_ = now;
  told_.reset();
}

std::vector<RoutedPort> routed_ports(const image::Image& image) {
  std::vector<RoutedPort> routed;
  for (std::size_t i = 0; i < image.ports().size(); ++i) {
    const image::PortRecord& port = image.ports()[i];
    if (port.kernel_routes == 0) continue;
    const std::string tap{port.tap.data(), ::strnlen(port.tap.data(), port.tap.size())};
    routed.push_back({tap, PortId{static_cast<std::uint16_t>(i)}, SpaceId{port.space}});
  }
  return routed;
}

void RouteSet::offer(const image::LearnedRoute& route, SpaceId space, std::uint32_t metric) {
  const Key key{route.prefix.length(), space, route.prefix};
  const auto [at, added] = best_.try_emplace(key, metric, route);
  if (!added && metric < at->second.first) at->second = {metric, route};
  if (best_.size() <= most_) return;
  best_.erase(std::prev(best_.end()));
  ++excess_;
}

std::vector<image::LearnedRoute> RouteSet::routes() const {
  std::vector<image::LearnedRoute> routes;
  routes.reserve(best_.size());
  for (const auto& [key, best] : best_) routes.push_back(best.second);
  return routes;
}

void RouteDump::link(const KernelLink& link) {
  const bool is_tap = std::ranges::find(ports_, link.name, &RoutedPort::tap) != ports_.end();
  if (is_tap || link.vrf_table != 0) links_.push_back(link);
}

void RouteDump::end_of_links() {
  for (const KernelLink& link : links_) {
    const auto port = std::ranges::find(ports_, link.name, &RoutedPort::tap);
    if (port == ports_.end()) continue;
    const auto master = std::ranges::find(links_, link.master, &KernelLink::index);
    const bool in_vrf = link.master != 0 && master != links_.end() && master->vrf_table != 0;
    ways_[link.index] = {&*port, in_vrf ? master->vrf_table : RT_TABLE_MAIN};
  }
}

void RouteDump::route(RouteReading reading, const KernelRoute& route) {
  if (reading == RouteReading::kPassed) return;
  if (reading != RouteReading::kRoute) {
    ++unsupported_;
    return;
  }
  for (const KernelHop& hop : route.hops) {
    const auto way = ways_.find(hop.interface);
    if (way == ways_.end() || way->second.table != route.table) continue;
    const RoutedPort& port = *way->second.port;
    set_.offer({route.prefix, port.port, hop.via}, port.space, route.metric);
    return;
  }
}

KernelRoutes::KernelRoutes(std::size_t capacity) : capacity_{capacity}, room_(kDatagram) {}

void KernelRoutes::want(std::vector<RoutedPort> ports, Tick now) {
  if (ports == ports_) return;
  routes_ = routes_at(ports);
  ports_ = std::move(ports);
  dump_.reset();
  asked_ = {};
  pace_.told(now);
  if (!ports_.empty()) return;
  heard_ = {};
  problem_.clear();
  counts_.excess = counts_.unsupported = 0;
}

std::vector<image::LearnedRoute> KernelRoutes::routes_at(std::span<const RoutedPort> ports) const {
  RouteSet set{capacity_};
  for (image::LearnedRoute route : routes_) {
    const auto before = std::ranges::find(ports_, route.port, &RoutedPort::port);
    const auto after = std::ranges::find(ports, before->tap, &RoutedPort::tap);
    if (after == ports.end()) continue;
    route.port = after->port;
    set.offer(route, after->space, 0);
  }
  return set.routes();
}

bool KernelRoutes::step(Tick now) {
  if (ports_.empty()) return false;
  if ((heard_ && (hear(now), heard_)) || open()) {
    if (!dump_ && pace_.due(now)) begin(now);
    if (dump_) read_dump(now);
  }
  return std::exchange(changed_, false);
}

bool KernelRoutes::open() {
  heard_ = netlink_socket(kGroups);
  if (heard_) {
    // Nexthop objects have a group beyond those of the old numbering.
    const int group = RTNLGRP_NEXTHOP;
    (void)::setsockopt(heard_.get(), SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof group);
    return true;
  }
  close("open a netlink socket");
  return false;
}

// Begins anew with the next step; what was known stays.
void KernelRoutes::close(const char* what) {
  const std::string problem = fmt::format("{}: {}", what, std::strerror(errno));
  if (problem != problem_) {
    log(Level::kError,
        {fmt::format("the kernel's routes cannot be read: {}; those of before hold", problem),
         fmt::format("无法读取内核路由（{}）；沿用此前的路由", problem)});
  }
  problem_ = problem;
  heard_ = {};
  asked_ = {};
  dump_.reset();
}

void KernelRoutes::hear(Tick now) {
  for (unsigned i = 0; i < kNoticesAtOnce; ++i) {
    const ssize_t got = receive(heard_, room_);
    if (got == 0) return;
    pace_.told(now);
    if (got == -ENOBUFS || got == -EMSGSIZE || got > 0) continue;
    errno = static_cast<int>(-got);
    close("hear of changes");
    return;
  }
}

void KernelRoutes::begin(Tick now) {
  pace_.begin(now);
  asked_ = netlink_socket(0);
  if (!asked_) {
    close("open a netlink socket");
    return;
  }
  const int strict = 1;  // older kernels do without: what does not belong is passed over anyway
  (void)::setsockopt(asked_.get(), SOL_NETLINK, NETLINK_GET_STRICT_CHK, &strict, sizeof strict);
  dump_.emplace(ports_, capacity_);
  patience_ = now + kPatience;
  interrupted_ = false;
  stage_ = Stage::kLinks;
  ask();
}

void KernelRoutes::ask() {
  struct Request {
    nlmsghdr header;
    union {
      ifinfomsg link;
      rtmsg route;
    };
  };
  Request request{};
  const bool links = stage_ == Stage::kLinks;
  request.header.nlmsg_len = NLMSG_LENGTH(links ? sizeof request.link : sizeof request.route);
  request.header.nlmsg_type = links ? RTM_GETLINK : RTM_GETROUTE;
  request.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  request.header.nlmsg_seq = ++sequence_;
  if (links) {
    request.link.ifi_family = AF_UNSPEC;
  } else {
    request.route.rtm_family = stage_ == Stage::kIpv4 ? AF_INET : AF_INET6;
  }
  if (::send(asked_.get(), &request, request.header.nlmsg_len, 0) < 0) close("ask for routes");
}

void KernelRoutes::read_dump(Tick now) {
  for (unsigned i = 0; dump_ && i < kDatagramsAtOnce; ++i) {
    const ssize_t got = receive(asked_, room_);
    if (got > 0) {
      take({room_.data(), static_cast<std::size_t>(got)}, now);
      continue;
    }
    errno = got == 0 ? ETIMEDOUT : static_cast<int>(-got);
    if (got < 0 || now >= patience_) close("read routes");
    return;
  }
}

void KernelRoutes::take(std::span<const std::byte> datagram, Tick now) {
  KernelRoute route;
  while (dump_) {
    const auto message = take_message(datagram);
    if (!message) return;
    if (message->header.nlmsg_seq != sequence_) continue;
    if ((message->header.nlmsg_flags & NLM_F_DUMP_INTR) != 0) interrupted_ = true;
    switch (message->header.nlmsg_type) {
      case NLMSG_DONE: end_of_stage(now); return;
      case NLMSG_ERROR:
        errno = EPROTO;
        close("read routes");
        return;
      case RTM_NEWLINK:
        if (const auto link = read_link(message->body)) dump_->link(*link);
        break;
      case RTM_NEWROUTE: dump_->route(read_route(message->body, route), route); break;
      default: break;
    }
  }
}

void KernelRoutes::end_of_stage(Tick now) {
  switch (stage_) {
    case Stage::kLinks:
      dump_->end_of_links();
      stage_ = Stage::kIpv4;
      return ask();
    case Stage::kIpv4: stage_ = Stage::kIpv6; return ask();
    case Stage::kIpv6: return finish(now);
  }
}

void KernelRoutes::finish(Tick now) {
  const RouteDump dump = std::move(*dump_);
  dump_.reset();
  asked_ = {};
  problem_.clear();
  ++counts_.dumps;
  if (interrupted_ && ++interruptions_ < kMostInterruptions) {
    pace_.told(now);
    return;
  }
  interruptions_ = 0;
  counts_.excess = dump.set().excess();
  counts_.unsupported = dump.unsupported();
  auto routes = dump.set().routes();
  if (routes == routes_) return;
  routes_ = std::move(routes);
  ++counts_.changes;
  counts_.changed = now;
  changed_ = true;
}

}  // namespace meiguan::runtime
