#include "controlplane/report/segment.h"

#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <bit>
#include <cerrno>
#include <cstring>
#include <utility>

namespace meiguan::report {
namespace {

constexpr std::uint64_t kMaxSegmentBytes = std::uint64_t{8} << 30;
constexpr std::uint64_t kMaxRingEvents = std::uint64_t{1} << 24;
constexpr std::uint32_t kMaxOfAKind = 1U << 22;

std::unexpected<Error> unfit(const char* english, const char* chinese) {
  return fail(fmt::format("the data plane's segment: {}", english),
              fmt::format("数据面共享段：{}", chinese));
}

}  // namespace

Result<Mapping> Mapping::map(int descriptor, std::size_t bytes, bool writable) {
  struct stat status {};
  if (bytes == 0 || ::fstat(descriptor, &status) != 0 ||
      static_cast<std::uint64_t>(status.st_size) < bytes) {
    return unfit("smaller than it says", "小于其声明的大小");
  }
  void* const data = ::mmap(nullptr, bytes, writable ? PROT_READ | PROT_WRITE : PROT_READ,
                            MAP_SHARED, descriptor, 0);
  if (data == MAP_FAILED) return unfit(std::strerror(errno), std::strerror(errno));
  Mapping mapping;
  mapping.data_ = static_cast<std::byte*>(data);
  mapping.bytes_ = bytes;
  return mapping;
}

Mapping::Mapping(Mapping&& other) noexcept
    : data_{std::exchange(other.data_, nullptr)}, bytes_{std::exchange(other.bytes_, 0)} {}

Mapping& Mapping::operator=(Mapping&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(bytes_, other.bytes_);
  return *this;
}

Mapping::~Mapping() {
  if (data_ != nullptr) ::munmap(data_, bytes_);
}

Result<Segment> Segment::open(const channel::Message& hello) {
  Segment segment;
  if (hello.payload.size() != sizeof(channel::HelloAnswer)) {
    return unfit("a greeting of another size", "问候应答大小不符");
  }
  std::memcpy(&segment.hello_, hello.payload.data(), sizeof segment.hello_);
  const auto& says = segment.hello_;
  if (says.segment_bytes < sizeof(fastpath::SegmentHeader) ||
      says.segment_bytes > kMaxSegmentBytes || says.workers == 0 ||
      hello.descriptors.size() != std::size_t{says.workers} + 1) {
    return unfit("impossible sizes", "大小不可能");
  }
  struct stat file {};
  if (::fstat(hello.descriptors[0], &file) != 0) return unfit("no file", "不是文件");
  segment.identity_ = fmt::format("{}-{}-{}", file.st_ino, file.st_ctim.tv_sec,
                                  file.st_ctim.tv_nsec);
  auto counters = Mapping::map(hello.descriptors[0], says.segment_bytes, false);
  if (!counters) return std::unexpected{counters.error()};
  fastpath::SegmentHeader header{};
  std::memcpy(&header, counters->data(), sizeof header);
  segment.capacity_ = {header.ports, header.units, header.services, header.rules};
  if (header.magic != fastpath::SegmentHeader::kMagic || header.blocks != says.workers + 1 ||
      header.ports > kMaxOfAKind || header.units > kMaxOfAKind || header.services > kMaxOfAKind ||
      header.rules > kMaxOfAKind ||
      // A writer may leave room behind each block.
      header.block_bytes < fastpath::CounterBlock::block_bytes(segment.capacity_) ||
      header.block_bytes > says.segment_bytes || header.block_bytes % 64 != 0 ||
      header.first_block < sizeof header || header.first_block % 64 != 0 ||
      header.first_block > says.segment_bytes ||
      // No overflow: at most 2^33 bytes a block, and no more blocks than descriptors came.
      header.block_bytes * header.blocks > says.segment_bytes - header.first_block) {
    return unfit("its header does not fit together", "头部字段互相矛盾");
  }
  segment.flow_capacity_ = header.flow_capacity;
  for (std::uint32_t i = 0; i < header.blocks; ++i) {
    segment.blocks_.emplace_back(counters->data() + header.first_block + i * header.block_bytes,
                                 segment.capacity_);
  }
  segment.mappings_.push_back(std::move(*counters));
  if (says.ring_events == 0 || says.ring_events > kMaxRingEvents ||
      !std::has_single_bit(says.ring_events) ||
      says.ring_bytes < fastpath::EventRing::ring_bytes(says.ring_events)) {
    return unfit("impossible ring sizes", "事件环大小不可能");
  }
  for (std::uint32_t i = 0; i < says.workers; ++i) {
    auto ring = Mapping::map(hello.descriptors[i + 1], says.ring_bytes, true);
    if (!ring) return std::unexpected{ring.error()};
    segment.rings_.emplace_back(ring->data(), says.ring_events, false);
    segment.mappings_.push_back(std::move(*ring));
  }
  return segment;
}

}  // namespace meiguan::report
