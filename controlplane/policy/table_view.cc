#include "controlplane/policy/table_view.h"

#include <algorithm>
#include <array>

#include "controlplane/policy/message.h"
#include "controlplane/policy/suggest.h"
#include "controlplane/policy/utf8.h"

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
  refuse(value, kind_name(kind), key);
  return false;
}

void TableView::refuse(const TomlValue& value, const Text& want, std::string_view key) {
  const Text& is = kind_name(value.kind);
  reporter_.error(value.place,
                  Text{fmt::format("`{}` is {}, {} expected", key, is.english, want.english),
                       fmt::format("`{}` 是{}，应为{}", key, is.chinese, want.chinese)});
}

bool TableView::require(std::string_view key) {
  if (find(key) != nullptr) return true;
  reporter_.error(place_,
                  say("{} has no `{}`, which it must have", "{} 缺少必需的键 `{}`", title_, key));
  return false;
}

std::optional<Word> TableView::word(std::string_view key, LineBreaks breaks) {
  const TomlValue* value = find(key);
  if (value == nullptr || !expect(*value, TomlKind::kString, key)) return std::nullopt;
  // Names and remarks are shown on other people's terminals.
  if (has_control(value->text, breaks)) {
    reporter_.error(value->place,
                    say("`{}` has a control character or a line break, plain text expected",
                        "`{}` 含有控制字符或换行，应为普通文字", key),
                    say("it is {}", "其内容为 {}", printable(value->text)));
    return std::nullopt;
  }
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
      refuse_element(item, TomlKind::kString, key);
    }
  }
  return words;
}

std::vector<Word> TableView::required_words(std::string_view key, Empty empty) {
  if (!require(key)) return {};
  const TomlValue* value = find(key);
  if (empty == Empty::kRefused) refuse_empty(*value, key);
  return words(key);
}

void TableView::refuse_element(const TomlValue& item, TomlKind kind, std::string_view key) {
  const Text& is = kind_name(item.kind);
  const Text& want = kind_name(kind);
  reporter_.error(item.place,
                  Text{fmt::format("an element of `{}` is {}, {} expected", key, is.english,
                                   want.english),
                       fmt::format("`{}` 的元素是{}，应为{}", key, is.chinese, want.chinese)});
}

void TableView::refuse_empty(const TomlValue& list, std::string_view key) {
  if (list.kind != TomlKind::kArray || !list.items.empty()) return;
  reporter_.error(list.place, say("`{}` is empty, one element at least expected",
                                  "`{}` 为空，至少应有一个元素", key));
}

const TomlValue* TableView::value(std::string_view key, std::span<const TomlKind> kinds) {
  const TomlValue* value = find(key);
  if (value == nullptr) return nullptr;
  if (std::find(kinds.begin(), kinds.end(), value->kind) != kinds.end()) return value;
  Text want;
  for (const TomlKind kind : kinds) {
    if (!want.english.empty()) want.english += " or ", want.chinese += "或";
    want.english += kind_name(kind).english;
    want.chinese += kind_name(kind).chinese;
  }
  refuse(*value, want, key);
  return nullptr;
}

std::optional<std::vector<const TomlValue*>> TableView::list_of(std::string_view key,
                                                                TomlKind kind) {
  constexpr std::array kList{TomlKind::kArray};
  const TomlValue* list = value(key, kList);
  if (list == nullptr) return std::nullopt;
  refuse_empty(*list, key);
  std::vector<const TomlValue*> values;
  for (const TomlValue& item : list->items) {
    if (item.kind == kind) {
      values.push_back(&item);
    } else {
      refuse_element(item, kind, key);
    }
  }
  return values;
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
