#include "controlplane/policy/names.h"

#include "controlplane/policy/message.h"
#include "controlplane/policy/suggest.h"

namespace meiguan::policy {

std::optional<std::uint32_t> NameTable::add(std::string_view name, std::uint32_t index) {
  const auto [it, is_new] = index_.emplace(std::string(name), index);
  if (!is_new) return it->second;
  in_order_.push_back(it->first);
  return std::nullopt;
}

std::optional<std::uint32_t> NameTable::find(std::string_view name) const {
  const auto it = index_.find(name);
  if (it == index_.end()) return std::nullopt;
  return it->second;
}

std::optional<std::uint32_t> NameTable::resolve(std::string_view name, const Place& place,
                                                Reporter& reporter) {
  if (const auto index = find(name)) return index;
  if (reporter.may_exist(name)) return std::nullopt;
  Text hint;
  if (++searches_ <= kMaxSearches) hint = near_hint(name, in_order_);
  const std::string shown = printable(name);
  reporter.error(place,
                 Text{fmt::format("unknown {} `{}`", kind_.english, shown),
                      fmt::format("未知的{} `{}`", kind_.chinese, shown)},
                 std::move(hint));
  return std::nullopt;
}

}  // namespace meiguan::policy
