#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "controlplane/policy/reporter.h"
#include "dataplane/base/text.h"

namespace meiguan::policy {

// The names of one kind of object and the index that each stands for.
class NameTable {
 public:
  // `kind` is how messages call such an object: {"unit", "单位"}.
  explicit NameTable(Text kind) : kind_{std::move(kind)} {}

  void reserve(std::size_t count) { index_.reserve(count); }
  // The index that has the name already, if one has.
  std::optional<std::uint32_t> add(std::string_view name, std::uint32_t index);
  [[nodiscard]] std::optional<std::uint32_t> find(std::string_view name) const;
  [[nodiscard]] const Text& kind() const noexcept { return kind_; }

  // Looks `name` up; where it is unknown, reports that at `place` with the nearest name.
  std::optional<std::uint32_t> resolve(std::string_view name, const Place& place,
                                       Reporter& reporter);

 private:
  // A search compares with all names: a tree full of unknown names gets hints for the first only.
  static constexpr std::size_t kMaxSearches = 200;

  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view name) const noexcept {
      return std::hash<std::string_view>{}(name);
    }
  };

  Text kind_;
  std::unordered_map<std::string, std::uint32_t, Hash, std::equal_to<>> index_;
  std::vector<std::string_view> in_order_;  // keys of index_, whose nodes do not move
  std::size_t searches_{0};
};

}  // namespace meiguan::policy
