#include "controlplane/policy/compile_classes.h"

#include <limits>

namespace meiguan::policy {
namespace {

constexpr std::uint32_t kUnnumbered = std::numeric_limits<std::uint32_t>::max();

}  // namespace

void Classes::split(std::span<const std::uint32_t> set) {
  // How much of each class the set holds; a class that it holds whole stays as it is.
  std::vector<std::uint32_t> touched;
  held_.resize(sizes_.size(), 0);
  for (const std::uint32_t p : set) {
    if (held_[class_[p]]++ == 0) touched.push_back(class_[p]);
  }
  parted_.resize(sizes_.size());
  for (const std::uint32_t c : touched) {
    if (held_[c] == sizes_[c]) {
      parted_[c] = c;
    } else {
      parted_[c] = static_cast<std::uint32_t>(sizes_.size());
      sizes_[c] -= held_[c];
      sizes_.push_back(held_[c]);
    }
    held_[c] = 0;
  }
  for (const std::uint32_t p : set) class_[p] = parted_[class_[p]];
}

void Classes::finish() {
  std::vector<std::uint32_t> numbers(sizes_.size(), kUnnumbered);
  first_points_.clear();
  for (std::size_t p = 0; p < class_.size(); ++p) {
    std::uint32_t& number = numbers[class_[p]];
    if (number == kUnnumbered) {
      number = static_cast<std::uint32_t>(first_points_.size());
      first_points_.push_back(p);
    }
    class_[p] = number;
  }
  sizes_.assign(first_points_.size(), 0);
  for (const std::uint32_t c : class_) ++sizes_[c];
}

void Classes::replace_points(std::vector<std::uint32_t>& points) const {
  // Classes are numbered in the order of their first points.
  std::size_t kept = 0;
  for (const std::uint32_t p : points) {
    if (first_points_[class_[p]] == p) points[kept++] = class_[p];
  }
  points.resize(kept);
  points.shrink_to_fit();
}

}  // namespace meiguan::policy
