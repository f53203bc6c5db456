#include "controlplane/lifecycle/digest.h"

#include <utility>

#include "controlplane/crypto/digest.h"

namespace meiguan::lifecycle {
namespace {

constexpr std::string_view kDigestWord = "sha256 ";
constexpr std::size_t kDigits = 64;

}  // namespace

std::string sha256_hex(std::string_view bytes) {
  return crypto::hex(crypto::hash_of(crypto::HashKind::kSha256, bytes));
}

bool is_sha256_hex(std::string_view text) noexcept {
  return crypto::hash_from_hex(text).has_value();
}

std::string with_digest(std::string text) {
  auto digest = sha256_hex(text);
  return std::move(text) + std::string{kDigestWord} + std::move(digest) + "\n";
}

std::optional<std::string_view> without_digest(std::string_view whole) {
  constexpr std::size_t kLine = kDigestWord.size() + kDigits + 1;
  if (whole.size() < kLine) return std::nullopt;
  const auto text = whole.substr(0, whole.size() - kLine);
  if (with_digest(std::string{text}) != whole) return std::nullopt;
  return text;
}

}  // namespace meiguan::lifecycle
