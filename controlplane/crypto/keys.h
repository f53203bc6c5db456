#pragma once

// Signatures by OpenSSL 3: Ed25519 (RFC 8032), and SM2 with SM3 (GB/T 32918.2, with the default
// distinguishing identifier 1234567812345678 of GM/T 0009). Anything else is refused.

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "dataplane/base/result.h"

namespace meiguan::crypto {

enum class KeyKind : std::uint8_t { kEd25519, kSm2 };

// `ed25519`, `sm2`.
[[nodiscard]] std::string_view name_of(KeyKind kind) noexcept;
[[nodiscard]] std::optional<KeyKind> key_kind(std::string_view name) noexcept;

inline constexpr std::size_t kMaxPemBytes = std::size_t{64} << 10;
inline constexpr std::size_t kMaxSignatureBytes = 128;

struct KeyState;

class PublicKey {
 public:
  // SubjectPublicKeyInfo in PEM. Errors: not that, or a kind of key that is not used here.
  [[nodiscard]] static Result<PublicKey> from_pem(std::string_view pem);
  [[nodiscard]] static Result<PublicKey> load(const std::filesystem::path& path);

  [[nodiscard]] KeyKind kind() const noexcept;
  // What tells keys apart: the first 32 hexadecimal digits of SHA-256 of SubjectPublicKeyInfo.
  [[nodiscard]] const std::string& id() const noexcept;
  [[nodiscard]] std::string to_pem() const;
  [[nodiscard]] bool verify(std::string_view message, std::string_view signature) const;

 private:
  friend class PrivateKey;
  explicit PublicKey(std::shared_ptr<const KeyState> state) : state_{std::move(state)} {}
  std::shared_ptr<const KeyState> state_;
};

class PrivateKey {
 public:
  // PKCS #8 in PEM, without a passphrase. Errors as above.
  [[nodiscard]] static Result<PrivateKey> from_pem(std::string_view pem);
  // Also refuses a file that others than its owner and group may read.
  [[nodiscard]] static Result<PrivateKey> load(const std::filesystem::path& path);
  [[nodiscard]] static Result<PrivateKey> generate(KeyKind kind);

  [[nodiscard]] KeyKind kind() const noexcept;
  [[nodiscard]] PublicKey public_key() const;
  [[nodiscard]] std::string to_pem() const;
  // Ed25519: 64 bytes; SM2: the two integers in DER.
  [[nodiscard]] Result<std::string> sign(std::string_view message) const;

 private:
  explicit PrivateKey(std::shared_ptr<const KeyState> state) : state_{std::move(state)} {}
  std::shared_ptr<const KeyState> state_;
};

}  // namespace meiguan::crypto
