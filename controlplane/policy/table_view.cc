#include "controlplane/policy/table_view.h"

#include <algorithm>

#include "controlplane/policy/message.h"
#include "controlplane/policy/suggest.h"

namespace meiguan::policy {

Text not_supported_yet(std::string_view what) {
  return say("{} is not supported yet by this version", "本版本尚不支持 {}(not supported yet)",
             what);
}

const TomlValue* TableView::find(std::string_view key) {
  known_.push_back(key);
  for (std::size_t i = 0; i < members_.size(); ++i) {
    if (members_[i].key == key) {
      asked_[i] = true;
      return &members_[i].value;
    }
  }
  return nullptr;
}

Place TableView::key_place(std::string_view key) const {
  for (const TomlMember& member : members_) {
    if (member.key == key) return member.place;
  }
  return place_;
}

bool TableView::expect(const TomlValue& value, TomlKind kind, std::string_view key) {
  if (value.kind == kind) return true;
  const Text& is = kind_name(value.kind);
  const Text& want = kind_name(kind);
  reporter_.error(value.place,
                  Text{fmt::format("`{}` is {}, {} expected", key, is.english, want.english),
                       fmt::format("`{}` 是{},应为{}", key, is.chinese, want.chinese)});
  return false;
}

bool TableView::require(std::string_view key) {
  if (find(key) != nullptr) return true;
  reporter_.error(place_,
                  say("{} has no `{}`, which it must have", "{} 缺少必需的键 `{}`", title_, key));
  return false;
}

std::optional<Word> TableView::word(std::string_view key) {
  const TomlValue* value = find(key);
  if (value == nullptr || !expect(*value, TomlKind::kString, key)) return std::nullopt;
  return Word{value->text, value->place};
}

std::optional<Word> TableView::required_word(std::string_view key) {
  return require(key) ? word(key) : std::nullopt;
}

std::optional<bool> TableView::boolean(std::string_view key) {
  const TomlValue* value = find(key);
  if (value == nullptr || !expect(*value, TomlKind::kBoolean, key)) return std::nullopt;
  return value->boolean;
}

std::optional<Integer> TableView::integer(std::string_view key) {
  const TomlValue* value = find(key);
  if (value == nullptr || !expect(*value, TomlKind::kInteger, key)) return std::nullopt;
  return Integer{value->integer, value->place};
}

std::vector<Word> TableView::words(std::string_view key) {
  const TomlValue* value = find(key);
  std::vector<Word> words;
  if (value == nullptr || !expect(*value, TomlKind::kArray, key)) return words;
  words.reserve(value->items.size());
  for (const TomlValue& item : value->items) {
    if (item.kind == TomlKind::kString) {
      words.push_back({item.text, item.place});
    } else {
      const Text& is = kind_name(item.kind);
      reporter_.error(item.place, Text{fmt::format("an element of `{}` is {}, a string expected",
                                                   key, is.english),
                                       fmt::format("`{}` 的元素是{},应为字符串", key, is.chinese)});
    }
  }
  return words;
}

std::vector<Word> TableView::required_words(std::string_view key, Empty empty) {
  if (!require(key)) return {};
  const TomlValue* value = find(key);
  if (empty == Empty::kRefused && value->kind == TomlKind::kArray && value->items.empty()) {
    reporter_.error(value->place, say("`{}` is empty, one element at least expected",
                                      "`{}` 为空,至少应有一个元素", key));
  }
  return words(key);
}

void TableView::refuse_later(std::string_view key, std::span<const TomlKind> kinds) {
  const TomlValue* value = find(key);
  if (value == nullptr) return;
  if (std::find(kinds.begin(), kinds.end(), value->kind) == kinds.end()) {
    expect(*value, kinds.front(), key);
  }
  reporter_.error(key_place(key), not_supported_yet(fmt::format("`{}` in {}", key, title_)));
}

void TableView::finish() {
  for (std::size_t i = 0; i < members_.size(); ++i) {
    if (asked_[i]) continue;
    const std::string& key = members_[i].key;
    if (key == "intranet") {
      reporter_.error(members_[i].place, intranet_refusal());
      continue;
    }
    Text hint = near_hint(key, known_);
    if (hint.english.empty()) {
      std::vector<std::string_view> names(known_);
      std::sort(names.begin(), names.end());
      names.erase(std::unique(names.begin(), names.end()), names.end());
      const std::string known = fmt::format("{}", fmt::join(names, ", "));
      hint = say("known are {}", "可用的键有 {}", known);
    }
    reporter_.error(members_[i].place,
                    say("unknown key `{}` in {}", "{1} 中有未知的键 `{0}`", printable(key), title_),
                    std::move(hint));
  }
}

}  // namespace meiguan::policy
