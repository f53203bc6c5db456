#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <utility>
#include <vector>

namespace meiguan::policy {

// Partition refinement: points that every set so far holds or leaves out alike are of one class.
class Classes {
 public:
  explicit Classes(std::size_t points) : class_(points, 0), sizes_{points} {}

  // Parts every class into what `set` (of distinct points) holds of it and the rest.
  void split(std::span<const std::uint32_t> set);
  // Parts every class by the value of `key(point)`.
  template <typename Key>
  void split_by(Key&& key);

  // Numbers the classes from 0 in the order of their first points.
  void finish();

  [[nodiscard]] std::uint32_t of(std::size_t point) const { return class_[point]; }
  [[nodiscard]] std::size_t count() const { return sizes_.size(); }
  // After finish(): replaces points, a union of whole classes, by those classes, ascending where
  // the points were.
  void replace_points(std::vector<std::uint32_t>& points) const;
  // After finish(): the first point of each class.
  [[nodiscard]] const std::vector<std::size_t>& first_points() const { return first_points_; }

 private:
  std::vector<std::uint32_t> class_;
  std::vector<std::size_t> sizes_;
  std::vector<std::size_t> first_points_;
  // Scratch of split(): zero between calls.
  std::vector<std::size_t> held_;
  std::vector<std::uint32_t> parted_;
};

template <typename Key>
void Classes::split_by(Key&& key) {
  using Value = decltype(key(std::size_t{0}));
  std::map<std::pair<std::uint32_t, Value>, std::uint32_t> parts;
  for (std::size_t p = 0; p < class_.size(); ++p) {
    const auto number = static_cast<std::uint32_t>(parts.size());
    class_[p] = parts.try_emplace({class_[p], key(p)}, number).first->second;
  }
  sizes_.assign(parts.size(), 0);
  for (const std::uint32_t c : class_) ++sizes_[c];
}

}  // namespace meiguan::policy
