#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "controlplane/policy/reporter.h"
#include "controlplane/policy/toml_document.h"
#include "controlplane/policy/utf8.h"

namespace meiguan::policy {

// A string of a policy with its place.
struct Word {
  std::string text;
  Place place;
};

struct Integer {
  std::int64_t value{0};
  Place place;
};

// Reads the keys of one table. Every function reports a missing key or a wrong type itself and then
// gives nothing; `finish` reports the keys that nobody asked for.
class TableView {
 public:
  // `title` is how messages call the table: `[[unit]]`.
  TableView(std::string_view title, const Place& place, const std::vector<TomlMember>& members,
            Reporter& reporter)
      : title_{title},
        place_{place},
        members_{members},
        reporter_{reporter},
        asked_(members.size(), false) {}

  [[nodiscard]] const Place& place() const noexcept { return place_; }

  // The value of `key`, if it is there; any type.
  const TomlValue* find(std::string_view key);
  // The place of the key itself; the header's where it is not there.
  [[nodiscard]] Place key_place(std::string_view key) const;

  std::optional<Word> required_word(std::string_view key);
  // Text without control characters, see has_control().
  std::optional<Word> word(std::string_view key, LineBreaks breaks = LineBreaks::kRefused);
  std::optional<bool> boolean(std::string_view key);
  std::optional<Integer> integer(std::string_view key);
  // A list of strings; empty where it is not there.
  std::vector<Word> words(std::string_view key);
  enum class Empty { kAllowed, kRefused };
  std::vector<Word> required_words(std::string_view key, Empty empty);
  // The value of `key` where it is there and of one of `kinds`.
  const TomlValue* value(std::string_view key, std::span<const TomlKind> kinds);
  // A list whose elements are of `kind`, of which those that are not are reported and left out;
  // nothing where it is not there or no list. An empty one is reported.
  std::optional<std::vector<const TomlValue*>> list_of(std::string_view key, TomlKind kind);

  // Whether `key` is there; reported where not.
  bool require(std::string_view key);
  void finish();

 private:
  bool expect(const TomlValue& value, TomlKind kind, std::string_view key);
  void refuse(const TomlValue& value, const Text& want, std::string_view key);
  void refuse_element(const TomlValue& item, TomlKind kind, std::string_view key);
  void refuse_empty(const TomlValue& list, std::string_view key);

  std::string title_;
  Place place_;
  const std::vector<TomlMember>& members_;
  Reporter& reporter_;
  std::vector<bool> asked_;
  std::vector<std::string_view> known_;
};

// "`x` is not supported yet ..."
[[nodiscard]] Text not_supported_yet(std::string_view what);

}  // namespace meiguan::policy
