#pragma once

// What cells of an image's matrix can come to say, at whatever instant from a given one on.

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <unordered_map>
#include <utility>
#include <vector>

#include "controlplane/analysis/instants.h"
#include "dataplane/image/isolation.h"
#include "dataplane/image/reader.h"

namespace meiguan::analysis {

// The first instants at which a first packet is let by, and at which it is not; none where never.
struct WhenLetBy {
  std::optional<std::int64_t> allowed;
  std::optional<std::int64_t> denied;
};

// The conditions that the answer of `cell` may hang on, ascending, each once.
[[nodiscard]] std::vector<std::uint32_t> conditions_of(const image::Image& image, image::Cell cell);

class CellTimes {
 public:
  CellTimes(const image::Image& image, std::int64_t from) : image_{image}, from_{from} {}

  [[nodiscard]] WhenLetBy of(image::Cell cell, image::Isolation isolation);

 private:
  struct Instant {
    image::Moment moment;
    std::int64_t first;
  };
  const std::vector<Instant>& instants_of(image::Cell cell);

  const image::Image& image_;
  std::int64_t from_;
  std::unordered_map<image::Cell, const std::vector<Instant>*> of_cell_;
  std::map<std::vector<std::uint32_t>, std::vector<Instant>> of_conditions_;
  std::unordered_map<std::uint64_t, WhenLetBy> known_;
};

// Cells by whole blocks: bit i is column i of the block.
class BlockTimes {
 public:
  struct Masks {
    std::uint64_t allowed{0};  // at some instant
    std::uint64_t denied{0};   // at some instant
  };

  BlockTimes(const image::Image& image, std::int64_t from) : image_{image}, cells_{image, from} {}

  [[nodiscard]] Masks of(std::uint32_t block, image::Isolation isolation);
  [[nodiscard]] CellTimes& cells() noexcept { return cells_; }

 private:
  const image::Image& image_;
  CellTimes cells_;
  std::unordered_map<std::uint64_t, Masks> known_;
};

}  // namespace meiguan::analysis
