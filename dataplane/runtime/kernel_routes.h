#pragma once

// The kernel's routes by the TAPs of ports (`routes = "kernel"`), so that a routing daemon beside
// the gateway steers it.
//
//   notifications --+                     links, IPv4, IPv6
//   every 30 s -----+--> due? (RoutePace) --> dump --> RouteSet --> differs? --> routes()
//
// A notification says only that something has changed; what is true is what a dump says. So a lost
// one (ENOBUFS), a route that goes without one (IPv4, with its interface or next hop), and the
// order in which changes come do no harm, and a storm of them costs a dump in so and so many
// seconds. On the main thread, which never waits for it: all sockets are non-blocking, and a step
// is small.

#include <compare>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "dataplane/base/result.h"
#include "dataplane/base/strong_id.h"
#include "dataplane/fastpath/pipeline.h"
#include "dataplane/image/learned_routes.h"
#include "dataplane/image/reader.h"
#include "dataplane/runtime/descriptor.h"
#include "dataplane/runtime/route_messages.h"

namespace meiguan::runtime {

// When to ask: soon after the first change, later and later while there is no end of them, as
// routing daemons themselves pace their calculations.
class RoutePace {
 public:
  static constexpr fastpath::Tick kSettle = 50;
  static constexpr fastpath::Tick kShortest = 500;  // between two dumps
  static constexpr fastpath::Tick kLongest = 8000;
  static constexpr fastpath::Tick kInAnyCase = 30'000;

  // Something has changed.
  void told(fastpath::Tick now) noexcept {
    if (!told_) told_ = now;
  }
  [[nodiscard]] bool due(fastpath::Tick now) const noexcept;
  // It is asked now.
  void begin(fastpath::Tick now) noexcept;
  [[nodiscard]] fastpath::Tick hold() const noexcept { return hold_; }

 private:
  std::optional<fastpath::Tick> told_{0};  // at first everything is new
  std::optional<fastpath::Tick> begun_;
  fastpath::Tick hold_{kShortest};
};

// A port whose TAP's routes are taken.
struct RoutedPort {
  std::string tap;
  PortId port;
  SpaceId space;

  bool operator==(const RoutedPort&) const noexcept = default;
};
[[nodiscard]] std::vector<RoutedPort> routed_ports(const image::Image& image);

// Each prefix of an address space once, by the lowest metric, and no more than so many: what there
// is no room for are the longest prefixes.
class RouteSet {
 public:
  explicit RouteSet(std::size_t most) : most_{most} {}
  void offer(const image::LearnedRoute& route, SpaceId space, std::uint32_t metric);
  [[nodiscard]] std::vector<image::LearnedRoute> routes() const;
  // Those that there was no room for.
  [[nodiscard]] std::size_t excess() const noexcept { return excess_; }

 private:
  using Key = std::tuple<std::uint8_t, SpaceId, net::Prefix>;  // the length first
  std::map<Key, std::pair<std::uint32_t, image::LearnedRoute>> best_;
  std::size_t most_;
  std::size_t excess_{0};
};

// What a dump has said so far, put together: which links are the TAPs and their VRFs', and the
// routes by them.
class RouteDump {
 public:
  RouteDump(std::span<const RoutedPort> ports, std::size_t most) : ports_{ports}, set_{most} {}
  void link(const KernelLink& link);
  // All links are known: from here on routes are.
  void end_of_links();
  void route(RouteReading reading, const KernelRoute& route);
  [[nodiscard]] const RouteSet& set() const noexcept { return set_; }
  // Routes that may concern the TAPs and cannot be followed.
  [[nodiscard]] std::size_t unsupported() const noexcept { return unsupported_; }

 private:
  struct Way {
    const RoutedPort* port{nullptr};
    std::uint32_t table{0};
  };
  std::span<const RoutedPort> ports_;
  std::vector<KernelLink> links_;
  std::map<std::uint32_t, Way> ways_;  // by interface
  RouteSet set_;
  std::size_t unsupported_{0};
};

class KernelRoutes {
 public:
  struct Counts {
    std::uint64_t dumps{0};
    std::uint64_t changes{0};      // of routes()
    std::uint64_t excess{0};       // in the last dump: beyond the capacity
    std::uint64_t unsupported{0};  // in the last dump
    fastpath::Tick changed{0};     // when routes() last did; 0: never
  };

  explicit KernelRoutes(std::size_t capacity);

  // The ports whose routes are wanted; of those that were wanted before the routes stay until the
  // kernel says otherwise.
  void want(std::vector<RoutedPort> ports, fastpath::Tick now);
  // What is known, for other ports: an image that is to be.
  [[nodiscard]] std::vector<image::LearnedRoute> routes_at(std::span<const RoutedPort> ports) const;
  // Does some of what is due; true where routes() has changed.
  [[nodiscard]] bool step(fastpath::Tick now);
  // In the middle of a dump: there is more to do at once.
  [[nodiscard]] bool busy() const noexcept { return dump_.has_value(); }
  // Whether it can be asked at all; where not, the routes of before hold.
  [[nodiscard]] bool works() const noexcept { return ports_.empty() || problem_.empty(); }
  [[nodiscard]] std::span<const image::LearnedRoute> routes() const noexcept { return routes_; }
  [[nodiscard]] const Counts& counts() const noexcept { return counts_; }
  [[nodiscard]] std::size_t capacity() const noexcept { return capacity_; }
  [[nodiscard]] std::size_t ports() const noexcept { return ports_.size(); }

 private:
  enum class Stage : std::uint8_t { kLinks, kIpv4, kIpv6 };

  [[nodiscard]] bool open();
  void close(const char* what);
  void hear(fastpath::Tick now);
  void begin(fastpath::Tick now);
  void ask();
  void read_dump(fastpath::Tick now);
  void take(std::span<const std::byte> datagram, fastpath::Tick now);
  void end_of_stage(fastpath::Tick now);
  void finish(fastpath::Tick now);

  std::size_t capacity_;
  std::vector<RoutedPort> ports_;
  std::vector<image::LearnedRoute> routes_;
  Counts counts_;
  RoutePace pace_;
  std::vector<std::byte> room_;  // for one datagram
  Descriptor heard_;             // notifications
  Descriptor asked_;             // dumps
  std::string problem_;
  std::optional<RouteDump> dump_;
  Stage stage_{Stage::kLinks};
  std::uint32_t sequence_{0};
  fastpath::Tick patience_{0};
  bool interrupted_{false};
  unsigned interruptions_{0};
  bool changed_{false};
};

}  // namespace meiguan::runtime
