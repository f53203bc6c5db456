#include "dataplane/runtime/loaded_blocks.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <tuple>
#include <utility>

#include "dataplane/runtime/descriptor.h"

namespace meiguan::runtime {
namespace {

constexpr std::size_t kCountersOfLine = 8;

}  // namespace

LoadedBlocks::LoadedBlocks(OwnMemory memory, const image::BlockList& list, unsigned workers)
    : memory_{std::move(memory)},
      list_{list},
      room_{(list.records().size() + kCountersOfLine - 1) / kCountersOfLine * kCountersOfLine},
      hits_{std::make_unique<fastpath::Counter[]>(room_ * workers)},
      workers_{workers} {}

Result<std::unique_ptr<LoadedBlocks>> LoadedBlocks::from_descriptor(int descriptor,
                                                                    unsigned workers,
                                                                    bool huge_pages) {
  auto memory = OwnMemory::copy_of(descriptor, kMaxBlockBytes, huge_pages,
                                   {"the block list", "封禁名单"});
  if (!memory) return std::unexpected{memory.error()};
  const auto list = image::BlockList::open(memory->bytes());
  if (!list) return std::unexpected{list.error()};
  return std::unique_ptr<LoadedBlocks>{new LoadedBlocks{std::move(*memory), *list, workers}};
}

Result<std::unique_ptr<LoadedBlocks>> LoadedBlocks::from_file(const std::filesystem::path& file,
                                                              unsigned workers, bool huge_pages) {
  const Descriptor descriptor{::open(file.c_str(), O_RDONLY | O_CLOEXEC)};
  if (!descriptor) {
    const char* const why = std::strerror(errno);
    return fail(fmt::format("cannot open {}: {}", file.native(), why),
                fmt::format("无法打开 {}：{}", file.native(), why));
  }
  auto loaded = from_descriptor(descriptor.get(), workers, huge_pages);
  if (loaded) return loaded;
  const Text& why = loaded.error().message;
  return fail(fmt::format("{}: {}", file.native(), why.english),
              fmt::format("{}：{}", file.native(), why.chinese));
}

std::span<fastpath::Counter> LoadedBlocks::hits(unsigned worker) const noexcept {
  if (worker >= workers_) return {};
  return {hits_.get() + worker * room_, list_.records().size()};
}

std::uint64_t LoadedBlocks::dropped(std::size_t record) const noexcept {
  std::uint64_t sum = record < inherited_.size() ? inherited_[record] : 0;
  for (unsigned worker = 0; worker < workers_; ++worker) sum += hits(worker)[record].value();
  return sum;
}

void LoadedBlocks::inherit(const LoadedBlocks& before) {
  const auto key_in = [](const LoadedBlocks& of, std::size_t i) {
    const image::BlockRecord& record = of.list_.records()[i];
    return std::tuple{of.list_.spaces()[record.space].key, record.address, record.length};
  };
  inherited_.assign(list_.records().size(), 0);
  // Both ascend within a space, whose place may differ: one space after the other.
  const auto records = list_.records();
  const auto old = before.list_.records();
  for (std::size_t i = 0; i < records.size();) {
    const std::uint64_t space = list_.spaces()[records[i].space].key;
    std::size_t k = 0;
    while (k < old.size() && before.list_.spaces()[old[k].space].key != space) ++k;
    for (; i < records.size() && list_.spaces()[records[i].space].key == space; ++i) {
      while (k < old.size() && before.list_.spaces()[old[k].space].key == space &&
             key_in(before, k) < key_in(*this, i)) {
        ++k;
      }
      if (k < old.size() && key_in(before, k) == key_in(*this, i)) {
        inherited_[i] = before.dropped(k);
      }
    }
  }
}

}  // namespace meiguan::runtime
