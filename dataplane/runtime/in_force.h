#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "dataplane/base/strong_id.h"
#include "dataplane/image/block_list.h"
#include "dataplane/image/learned_routes.h"
#include "dataplane/image/reader.h"
#include "dataplane/net/address.h"
#include "dataplane/runtime/loaded_blocks.h"
#include "dataplane/runtime/loaded_image.h"

namespace meiguan::runtime {

// What a burst sees, whole: an image, which of its conditions hold, their number, how its ports lie
// on the devices, the routes that were learned, and the block list. Never changes; a new one takes
// its place, and it goes when no worker looks at it any more.
struct InForce {
  std::shared_ptr<const LoadedImage> loaded;
  image::Moment moment;
  std::uint32_t generation{0};
  std::vector<PortId> port_of_device;         // the main port, by the device's place
  std::vector<std::uint16_t> device_of_port;  // by PortId; a sub-port's is its parent's
  std::vector<net::MacAddress> macs;          // by PortId

  // The block list as this image's address spaces see it; null: there is none. The span is how long
  // `blocked` holds, and the revision differs where it blocks what it did not.
  std::shared_ptr<LoadedBlocks> blocks;
  image::Blocks blocked;
  image::BlockSpan block_span;
  std::uint32_t block_revision{0};

  // What the kernel has taught, and the image with it: null and nothing where that is none.
  std::shared_ptr<const image::LearnedRoutes> learned;
  std::optional<image::Image> with_learned;

  // Takes routes that were learned for this image's ports in the place of those that it had.
  void take_routes(std::span<const image::LearnedRoute> routes);
  // Takes the list as of that time; the image is there. `revision` is of this list alone.
  void take_blocks(std::shared_ptr<LoadedBlocks> list, std::int64_t wall_seconds,
                   std::uint32_t revision);
  [[nodiscard]] const image::Image& image() const noexcept {
    return with_learned ? *with_learned : loaded->image();
  }
};

// What `now` becomes when the wall clock shows `wall_seconds`: the same image at that moment, as
// the next generation where a schedule or a date began or ended, so that live flows are judged
// again. What the end of a block list's record lets pass again is no reason to judge a flow; what
// it blocks again, where the clock went back, is. Null where `now` covers that time.
[[nodiscard]] std::unique_ptr<InForce> after_time(const InForce& now, std::int64_t wall_seconds);

}  // namespace meiguan::runtime
