#include "dataplane/runtime/loaded_image.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "dataplane/runtime/descriptor.h"

namespace meiguan::runtime {
namespace {

constexpr const char* kLastImage = "image.last";
constexpr const char* kImageBefore = "image.before";

std::unexpected<Error> failed(const char* english, const char* chinese, const std::string& name) {
  const char* why = std::strerror(errno);
  return fail(fmt::format("{} {}: {}", english, name, why),
              fmt::format("{} {}：{}", chinese, name, why));
}

}  // namespace

Result<std::unique_ptr<LoadedImage>> LoadedImage::from_descriptor(int descriptor, bool huge_pages) {
  auto memory = OwnMemory::copy_of(descriptor, image::kMaxImageBytes, huge_pages,
                                   {"the image", "映像"});
  if (!memory) return std::unexpected{memory.error()};
  auto image = image::Image::open(memory->bytes());
  if (!image) return std::unexpected{image.error()};
  return std::unique_ptr<LoadedImage>{new LoadedImage{std::move(*memory), *image}};
}

Result<std::unique_ptr<LoadedImage>> LoadedImage::from_file(const std::filesystem::path& file,
                                                            bool huge_pages) {
  const Descriptor descriptor{::open(file.c_str(), O_RDONLY | O_CLOEXEC)};
  if (!descriptor) return failed("cannot open", "无法打开", file.native());
  auto loaded = from_descriptor(descriptor.get(), huge_pages);
  if (loaded) return loaded;
  const Text& why = loaded.error().message;
  return fail(fmt::format("{}: {}", file.native(), why.english),
              fmt::format("{}：{}", file.native(), why.chinese));
}

Outcome<void> check_capacity(const image::Image& image, const fastpath::CounterCapacity& capacity) {
  if (image.meta().has_gateway == 0) {
    return configuration(
        "the image holds no gateway, so there are no ports: compile it with --gateway FILE",
        "映像不含网关（没有端口）：请用 --gateway 文件 重新编译");
  }
  struct Limit {
    const char* english;
    const char* chinese;
    std::size_t is;
    std::uint32_t most;
  };
  const Limit limits[] = {
      {"ports", "端口", image.ports().size(), capacity.ports},
      {"units", "单位", image.units().size(), capacity.units},
      {"services", "业务系统", image.services().size(), capacity.services},
      {"rules", "规则", image.rules().size(), capacity.rules},
  };
  for (const Limit& limit : limits) {
    if (limit.is <= limit.most) continue;
    return configuration(
        fmt::format("the image numbers {} {}, but this data plane counts at most {}", limit.is,
                    limit.english, limit.most),
        fmt::format("映像含 {} 个{}，超出本数据面计数上限 {}", limit.is, limit.chinese,
                    limit.most));
  }
  return {};
}

std::filesystem::path last_image_file(const std::filesystem::path& state_dir) {
  return state_dir / kLastImage;
}

std::filesystem::path image_before_file(const std::filesystem::path& state_dir) {
  return state_dir / kImageBefore;
}

Result<void> save_last_image(const std::filesystem::path& state_dir,
                             std::span<const std::byte> bytes, bool last_is_good) {
  return save_last(state_dir, kLastImage, bytes, last_is_good ? kImageBefore : nullptr);
}

}  // namespace meiguan::runtime
