#include "dataplane/runtime/first_image.h"

#include <filesystem>
#include <system_error>
#include <utility>

#include "dataplane/runtime/log.h"

namespace meiguan::runtime {

Outcome<FirstImage> first_image(const Options& options) {
  FirstImage first;
  std::error_code error;
  for (const auto& file :
       {last_image_file(options.state_dir), image_before_file(options.state_dir)}) {
    if (!std::filesystem::exists(file, error)) continue;
    auto loaded = LoadedImage::from_file(file, !options.no_huge);
    if (loaded) {
      first.is_last = file == last_image_file(options.state_dir);
      first.loaded = std::move(*loaded);
      return first;
    }
    log(Level::kError, loaded.error().message);
    first.damaged = true;
  }
  if (options.image.empty()) return first;
  auto loaded = LoadedImage::from_file(options.image, !options.no_huge);
  if (!loaded) return configuration(loaded.error());
  first.loaded = std::move(*loaded);
  return first;
}

}  // namespace meiguan::runtime
