#pragma once

#include <string>

namespace meiguan {

enum class Language : unsigned char { kEnglish, kChinese };

// One message in the two languages that every user-visible sentence has.
struct Text {
  std::string english;
  std::string chinese;

  [[nodiscard]] const std::string& in(Language language) const noexcept {
    return language == Language::kChinese ? chinese : english;
  }
  bool operator==(const Text&) const = default;
};

}  // namespace meiguan
