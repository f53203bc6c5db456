#pragma once

// Routes that no image has: learned while the gateway runs, and put beside the image's own.
//
//   image's tries --> its prefixes --+
//                                    +--> tries of both --> Image::with_routes: what is in force
//   learned prefixes, each judged ---+
//
// The longest prefix holds, whoever said it; of equal ones the image's. What the gateway file says
// is connected or translated stays so: a learned route inside it would take terminals out of reach
// of admission by MAC, or a hole out of a pool. An image never changes; this is a view of it.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "dataplane/base/strong_id.h"
#include "dataplane/image/format.h"
#include "dataplane/image/reader.h"
#include "dataplane/image/trie_builder.h"
#include "dataplane/net/address.h"

namespace meiguan::image {

struct LearnedRoute {
  net::Prefix prefix;
  PortId port;                      // whose address space it is of
  std::optional<net::Address> via;  // of the prefix's family; nothing: on-link

  bool operator==(const LearnedRoute&) const noexcept = default;
};

enum class LearnedState : std::uint8_t {
  kUsed,
  kImagePrefers,   // the image has a route to that very prefix
  kInsideOwn,      // inside what is connected to the gateway or translated by it
  kNoSuchNextHop,  // its next hop is no neighbour at that port
};

struct JudgedRoute {
  LearnedRoute route;
  LearnedState state{LearnedState::kUsed};
};

// A route of an image: its prefix, and its number among Image::routes().
struct OwnRoute {
  SpaceId space;
  net::Prefix prefix;
  std::uint32_t number{0};
};

// The routes that an image's own tries lead to, by space and prefix.
[[nodiscard]] std::vector<OwnRoute> own_routes(const Image& image);

class LearnedRoutes {
 public:
  // Judges `routes` by `image`, which has ports for all of them, and builds the tables of both. No
  // prefix may be twice in one address space.
  LearnedRoutes(const Image& image, std::span<const LearnedRoute> routes);

  // `image`, which is the one that this was made for, with the routes that are used; their records
  // stand behind its own. `*this` must outlive it, and stay where it is.
  [[nodiscard]] Image over(const Image& image) const noexcept;

  [[nodiscard]] std::span<const JudgedRoute> judged() const noexcept { return judged_; }
  [[nodiscard]] std::size_t used() const noexcept { return used_; }

 private:
  std::vector<JudgedRoute> judged_;
  std::size_t used_{0};
  std::vector<RouteRecord> records_;
  std::vector<SpaceRecord> spaces_;
  TrieBuilder tries_;
};

}  // namespace meiguan::image
