#pragma once

// Which cells of the matrix a first packet can come to (reach.h), and how isolation lets the rules
// be asked there.

#include <bitset>
#include <cstdint>
#include <vector>

#include "controlplane/analysis/reach.h"
#include "dataplane/image/reader.h"

namespace meiguan::analysis {

class ClassRanges {
 public:
  explicit ClassRanges(const Reach& reach);

  // Of the columns of one block, a bit for each.
  struct Columns {
    std::uint64_t rules{0};      // some packet gets there for which the rules decide
    std::uint64_t service{0};    // ... for which only an allow by service counts
    std::uint64_t published{0};  // ... and the service must be published
  };

  // The number of the set of zones and families that sources of a row have; image::kNone where no
  // source has that row.
  [[nodiscard]] std::uint32_t sources_of(std::uint32_t row) const { return sources_[row]; }
  [[nodiscard]] const Columns& columns(std::uint32_t sources, std::size_t block) const {
    return columns_[sources * blocks_ + block];
  }

 private:
  // A bit for each zone, family, and what covers the source.
  using Ends = std::bitset<8 * (image::kMaxZones + 1)>;
  void range_sources(const Reach& reach);
  void ask_isolation(const Reach& reach);

  std::size_t blocks_{0};
  std::vector<std::uint32_t> sources_;  // by row
  std::vector<Ends> source_sets_;       // by number
  std::vector<Columns> columns_;        // by source set, then block
};

}  // namespace meiguan::analysis
