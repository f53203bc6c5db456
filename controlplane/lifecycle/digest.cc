#include "controlplane/lifecycle/digest.h"

#include "controlplane/crypto/digest.h"

namespace meiguan::lifecycle {

std::string sha256_hex(std::string_view bytes) {
  return crypto::hex(crypto::hash_of(crypto::HashKind::kSha256, bytes));
}

bool is_sha256_hex(std::string_view text) noexcept {
  return crypto::hash_from_hex(text).has_value();
}

}  // namespace meiguan::lifecycle
