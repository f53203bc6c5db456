#include "controlplane/store/dictionary.h"

#include "controlplane/store/varint.h"
#include "dataplane/fastpath/reason.h"

namespace meiguan::store {

bool Dictionary::add_names(std::int64_t first, std::string_view chunk) {
  if (first != static_cast<std::int64_t>(names_.size())) return false;
  VarintReader in{chunk};
  while (in.left() > 0) {
    const auto text = in.bytes(in.number());
    if (!in.failed()) names_.emplace_back(text);
  }
  return !in.failed();
}

bool Dictionary::add_groups(std::int64_t first, std::string_view chunk) {
  if (first != static_cast<std::int64_t>(groups_.size())) return false;
  VarintReader in{chunk};
  while (in.left() > 0) {
    GroupKey key{};
    for (auto& part : key) {
      const auto number = in.number();
      if (number >= names_.size()) in.fail();
      part = static_cast<std::uint32_t>(number);
    }
    if (!in.failed()) groups_.push_back(key);
  }
  return !in.failed();
}

GroupKey without_place(GroupKey key) noexcept {
  for (std::size_t i = 0; i < key.size(); ++i) {
    if (is_place(static_cast<Dimension>(i))) key[i] = 0;
  }
  return key;
}

std::uint32_t Numbering::name(std::string_view text) {
  if (text.empty()) return 0;
  if (const auto found = name_numbers_.find(text); found != name_numbers_.end()) {
    return found->second;
  }
  const auto number = static_cast<std::uint32_t>(names_.size());
  names_.emplace_back(text);
  name_numbers_.emplace(names_.back(), number);
  return number;
}

GroupKey Numbering::key_of(const Key& key) {
  GroupKey numbers{};
  for (std::size_t i = 0; i < kKeyNames; ++i) {
    if (names_.size() < most_ || name_numbers_.contains(key.names[i])) {
      numbers[i] = name(key.names[i]);
      continue;
    }
    if (key.names[i].empty()) continue;
    const auto at = static_cast<Dimension>(i);
    // Nodes are the tree's and reasons that say something are ours: there are so many of them.
    const bool keep = at == Dimension::kNode ||
                      (at == Dimension::kReason && fastpath::find_reason(key.names[i]) != nullptr);
    numbers[i] = name(keep ? std::string_view{key.names[i]} : kOther);
  }
  return numbers;
}

std::uint32_t Numbering::group_of(const GroupKey& key) {
  const auto [found, is_new] = group_numbers_.emplace(key,
                                                      static_cast<std::uint32_t>(groups_.size()));
  if (is_new) groups_.push_back(key);
  return found->second;
}

std::uint32_t Numbering::group(const Key& key) {
  auto numbers = key_of(key);
  // Each may bring one without its place.
  if (groups_.size() >= 2 * most_ && !group_numbers_.contains(numbers)) {
    Key other;
    other.names.fill(std::string{kOther});
    other[Dimension::kNode] = key[Dimension::kNode];
    const auto reason = key[Dimension::kReason];
    if (fastpath::find_reason(reason) != nullptr) other[Dimension::kReason] = reason;
    numbers = key_of(other);
  }
  return group_of(numbers);
}

std::uint32_t Numbering::without_place_of(std::uint32_t group) {
  if (without_place_.size() <= group) without_place_.resize(groups_.size() + 1);
  if (without_place_[group] == 0) without_place_[group] = group_of(without_place(groups_[group]));
  return without_place_[group];
}

Numbering::Chunk Numbering::new_names() const {
  Chunk chunk{static_cast<std::int64_t>(saved_names_), {}};
  for (auto i = saved_names_; i < names_.size(); ++i) {
    put_varint(chunk.bytes, names_[i].size());
    chunk.bytes += names_[i];
  }
  return chunk;
}

Numbering::Chunk Numbering::new_groups() const {
  Chunk chunk{static_cast<std::int64_t>(saved_groups_), {}};
  for (auto i = saved_groups_; i < groups_.size(); ++i) {
    for (const auto part : groups_[i]) put_varint(chunk.bytes, part);
  }
  return chunk;
}

void Numbering::saved() noexcept {
  index();
  saved_names_ = names_.size();
  saved_groups_ = groups_.size();
}

// What was read.
void Numbering::index() {
  for (auto i = name_numbers_.size() + 1; i < names_.size(); ++i) {
    name_numbers_.emplace(names_[i], static_cast<std::uint32_t>(i));
  }
  for (auto i = group_numbers_.size() + 1; i < groups_.size(); ++i) {
    group_numbers_.emplace(groups_[i], static_cast<std::uint32_t>(i));
  }
}

void Numbering::forget_new() {
  while (names_.size() > saved_names_) {
    name_numbers_.erase(names_.back());
    names_.pop_back();
  }
  while (groups_.size() > saved_groups_) {
    group_numbers_.erase(groups_.back());
    groups_.pop_back();
  }
  without_place_.assign(1, 0);
}

}  // namespace meiguan::store
