#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace meiguan::crypto {

enum class HashKind : std::uint8_t { kSha256, kSm3 };

// 32 bytes for either kind.
inline constexpr std::size_t kHashBytes = 32;
using Hash = std::array<std::uint8_t, kHashBytes>;

// `sha256` (FIPS 180-4), `sm3` (GB/T 32905).
[[nodiscard]] std::string_view name_of(HashKind kind) noexcept;
[[nodiscard]] std::optional<HashKind> hash_kind(std::string_view name) noexcept;

[[nodiscard]] Hash hash_of(HashKind kind, std::string_view bytes);

// A hash over bytes that come piece by piece.
class Hasher {
 public:
  explicit Hasher(HashKind kind);
  ~Hasher();
  Hasher(const Hasher&) = delete;
  Hasher& operator=(const Hasher&) = delete;

  void add(std::string_view bytes);
  // Of all that was added; nothing may be added afterwards.
  [[nodiscard]] Hash finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Lower-case hexadecimal.
[[nodiscard]] std::string hex(std::span<const std::uint8_t> bytes);
// Exactly 64 lower-case digits, else nothing.
[[nodiscard]] std::optional<Hash> hash_from_hex(std::string_view text) noexcept;

// RFC 4648 section 4, with padding; nothing for what no encoder writes (canonical text only).
[[nodiscard]] std::string base64(std::string_view bytes);
[[nodiscard]] std::optional<std::string> from_base64(std::string_view text);

}  // namespace meiguan::crypto
