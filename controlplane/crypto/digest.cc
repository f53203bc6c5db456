#include "controlplane/crypto/digest.h"

#include <openssl/evp.h>

#include <cstdlib>

namespace meiguan::crypto {
namespace {

// The library fails here only where memory or its own parts are missing: nothing can go on then.
void must(int done) {
  if (done != 1) std::abort();
}

const EVP_MD* method_of(HashKind kind) { return kind == HashKind::kSm3 ? EVP_sm3() : EVP_sha256(); }

int nibble(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

}  // namespace

std::string_view name_of(HashKind kind) noexcept {
  return kind == HashKind::kSm3 ? "sm3" : "sha256";
}

std::optional<HashKind> hash_kind(std::string_view name) noexcept {
  if (name == "sha256") return HashKind::kSha256;
  if (name == "sm3") return HashKind::kSm3;
  return std::nullopt;
}

struct Hasher::State {
  EVP_MD_CTX* context{EVP_MD_CTX_new()};
};

Hasher::Hasher(HashKind kind) : state_{std::make_unique<State>()} {
  must(state_->context != nullptr ? 1 : 0);
  must(EVP_DigestInit_ex(state_->context, method_of(kind), nullptr));
}

Hasher::~Hasher() { EVP_MD_CTX_free(state_->context); }

void Hasher::add(std::string_view bytes) {
  must(EVP_DigestUpdate(state_->context, bytes.data(), bytes.size()));
}

Hash Hasher::finish() {
  Hash hash{};
  must(EVP_DigestFinal_ex(state_->context, hash.data(), nullptr));
  return hash;
}

Hash hash_of(HashKind kind, std::string_view bytes) {
  Hasher hasher{kind};
  hasher.add(bytes);
  return hasher.finish();
}

std::string hex(std::span<const std::uint8_t> bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  text.reserve(2 * bytes.size());
  for (const auto byte : bytes) {
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

std::optional<Hash> hash_from_hex(std::string_view text) noexcept {
  Hash hash{};
  if (text.size() != 2 * hash.size()) return std::nullopt;
  for (std::size_t i = 0; i < hash.size(); ++i) {
    const int high = nibble(text[2 * i]);
    const int low = nibble(text[2 * i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    hash[i] = static_cast<std::uint8_t>(high << 4 | low);
  }
  return hash;
}

std::string base64(std::string_view bytes) {
  std::string text(4 * ((bytes.size() + 2) / 3) + 1, '\0');
  // unsigned char may alias char.
  const auto written = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()),
                                       reinterpret_cast<const unsigned char*>(bytes.data()),
                                       static_cast<int>(bytes.size()));
  text.resize(static_cast<std::size_t>(written));
  return text;
}

std::optional<std::string> from_base64(std::string_view text) {
  if (text.size() % 4 != 0 || text.size() > (std::size_t{1} << 24)) return std::nullopt;
  std::string bytes(text.size() / 4 * 3, '\0');
  const auto written = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(bytes.data()),
                                       reinterpret_cast<const unsigned char*>(text.data()),
                                       static_cast<int>(text.size()));
  if (written < 0) return std::nullopt;
  const std::size_t padding = text.ends_with("==") ? 2 : text.ends_with("=") ? 1 : 0;
  bytes.resize(bytes.size() - padding);
  if (base64(bytes) != text) return std::nullopt;
  return bytes;
}

}  // namespace meiguan::crypto
