#pragma once

#include <memory>

#include "dataplane/runtime/failure.h"
#include "dataplane/runtime/loaded_image.h"
#include "dataplane/runtime/options.h"

namespace meiguan::runtime {

// The image that the data plane would start with.
struct FirstImage {
  std::unique_ptr<LoadedImage> loaded;  // null: there is none
  bool is_last{false};                  // it is image.last
  bool damaged{false};                  // image.last is there, and no good
};
// image.last, else the one that was in force before it, else the one of the command line. Errors:
// of that one.
[[nodiscard]] Outcome<FirstImage> first_image(const Options& options);

}  // namespace meiguan::runtime
