#pragma once

// What a TOML text says, with the place of every key and value. Our own plain types, so that the
// TOML library is known to one source file only.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "controlplane/policy/model.h"
#include "dataplane/base/text.h"

namespace meiguan::policy {

enum class TomlKind : std::uint8_t {
  kString,
  kInteger,
  kFloat,
  kBoolean,
  kDate,
  kTime,
  kDateTime,
  kArray,
  kTable,
};

// `a string`, `an integer` and so on, for messages.
[[nodiscard]] const Text& kind_name(TomlKind kind);

struct TomlMember;

struct TomlValue {
  TomlKind kind{TomlKind::kTable};
  Place place;
  std::string text;  // kString
  // kInteger; kDate: days since 1970-01-01; kTime: seconds of the day; kDateTime: seconds since
  // 1970-01-01T00:00 of the clock that it is written in.
  std::int64_t integer{0};
  bool has_fraction{false};                    // kTime, kDateTime: of a second
  std::optional<std::int32_t> offset_seconds;  // kDateTime: east of UTC, where it is written
  bool boolean{false};                         // kBoolean
  std::vector<TomlValue> items;                // kArray
  std::vector<TomlMember> members;             // kTable
};

struct TomlMember {
  std::string key;
  Place place;  // of the key
  TomlValue value;
};

}  // namespace meiguan::policy
