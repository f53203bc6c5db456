#include "controlplane/crypto/keys.h"

#include <fmt/format.h>
#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <sys/stat.h>

#include <array>
#include <fstream>
#include <iterator>
#include <utility>

#include "controlplane/crypto/digest.h"

namespace meiguan::crypto {

struct KeyState {
  explicit KeyState(EVP_PKEY* owned) : key{owned} {}
  KeyState(const KeyState&) = delete;
  KeyState& operator=(const KeyState&) = delete;
  ~KeyState() { EVP_PKEY_free(key); }

  EVP_PKEY* key;
  KeyKind kind{};
  std::string id;
};

namespace {

constexpr std::string_view kDistinguishingId = "1234567812345678";

template <auto Free>
struct Freed {
  template <typename T>
  void operator()(T* object) const {
    Free(object);
  }
};
using Bio = std::unique_ptr<BIO, Freed<BIO_free>>;
using DigestContext = std::unique_ptr<EVP_MD_CTX, Freed<EVP_MD_CTX_free>>;
using KeyContext = std::unique_ptr<EVP_PKEY_CTX, Freed<EVP_PKEY_CTX_free>>;

// The reader of PEM never asks a terminal for a passphrase.
int no_passphrase(char*, int, int, void*) { return -1; }

const unsigned char* bytes_of(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());  // unsigned char may alias char
}

std::unexpected<Error> not_a_key(const char* english, const char* chinese) {
  ERR_clear_error();
  return fail(english, chinese);
}

Result<std::shared_ptr<const KeyState>> known_kind(EVP_PKEY* key) {
  auto state = std::make_shared<KeyState>(key);
  std::array<char, 64> group{};
  std::size_t length = 0;
  const bool is_sm2_curve = EVP_PKEY_get_group_name(key, group.data(), group.size(), &length) ==
                                1 &&
                            std::string_view{group.data()} == "SM2";
  if (EVP_PKEY_is_a(key, "ED25519") == 1) {
    state->kind = KeyKind::kEd25519;
  } else if (EVP_PKEY_is_a(key, "SM2") == 1 || is_sm2_curve) {
    state->kind = KeyKind::kSm2;
  } else {
    return not_a_key(
        "the key is neither Ed25519 nor SM2; `openssl genpkey -algorithm ED25519` or "
        "`openssl genpkey -algorithm SM2` makes one",
        "密钥既不是 Ed25519 也不是 SM2；可用 `openssl genpkey -algorithm ED25519` 或 "
        "`openssl genpkey -algorithm SM2` 生成");
  }
  unsigned char* der = nullptr;
  const int size = i2d_PUBKEY(key, &der);
  if (size <= 0) return not_a_key("the key has no public part", "密钥没有公钥部分");
  const auto hash = hash_of(HashKind::kSha256,
                            {reinterpret_cast<const char*>(der), static_cast<std::size_t>(size)});
  OPENSSL_free(der);
  state->id = hex(hash).substr(0, 32);
  ERR_clear_error();
  return state;
}

Result<std::string> read_pem(const std::filesystem::path& path) {
  std::ifstream file{path, std::ios::binary};
  std::string text;
  if (file) text.assign(std::istreambuf_iterator<char>{file}, {});
  if (!file || text.size() > kMaxPemBytes) {
    return fail(fmt::format("{}: cannot be read as a key", path.string()),
                fmt::format("{}：无法作为密钥读取", path.string()));
  }
  return text;
}

std::unexpected<Error> in_file(const std::filesystem::path& path, const Error& error) {
  return fail(path.string() + ": " + error.message.english,
              path.string() + "：" + error.message.chinese);
}

// Ed25519 hashes by itself; SM2 hashes with SM3 and what identifies the signer.
bool begin(EVP_MD_CTX* context, const KeyState& state, KeyContext& made, bool signing) {
  const EVP_MD* hash = nullptr;
  if (state.kind == KeyKind::kSm2) {
    made.reset(EVP_PKEY_CTX_new(state.key, nullptr));
    if (!made || EVP_PKEY_CTX_set1_id(made.get(), kDistinguishingId.data(),
                                      static_cast<int>(kDistinguishingId.size())) != 1) {
      return false;
    }
    EVP_MD_CTX_set_pkey_ctx(context, made.get());
    hash = EVP_sm3();
  }
  return (signing ? EVP_DigestSignInit(context, nullptr, hash, nullptr, state.key)
                  : EVP_DigestVerifyInit(context, nullptr, hash, nullptr, state.key)) == 1;
}

template <typename Write>
std::string pem_text(Write write) {
  const Bio memory{BIO_new(BIO_s_mem())};
  if (!memory || write(memory.get()) != 1) return {};
  char* data = nullptr;
  const long size = BIO_get_mem_data(memory.get(), &data);
  return {data, static_cast<std::size_t>(size)};
}

}  // namespace

std::string_view name_of(KeyKind kind) noexcept {
  return kind == KeyKind::kSm2 ? "sm2" : "ed25519";
}

std::optional<KeyKind> key_kind(std::string_view name) noexcept {
  if (name == "ed25519") return KeyKind::kEd25519;
  if (name == "sm2") return KeyKind::kSm2;
  return std::nullopt;
}

Result<PublicKey> PublicKey::from_pem(std::string_view pem) {
  const Bio memory{BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()))};
  EVP_PKEY* const key = memory ? PEM_read_bio_PUBKEY(memory.get(), nullptr, no_passphrase, nullptr)
                               : nullptr;
  if (key == nullptr) {
    return not_a_key("no public key in PEM, `-----BEGIN PUBLIC KEY-----` expected",
                     "不是 PEM 公钥，应有 `-----BEGIN PUBLIC KEY-----`");
  }
  auto state = known_kind(key);
  if (!state) return std::unexpected{std::move(state.error())};
  return PublicKey{std::move(*state)};
}

Result<PublicKey> PublicKey::load(const std::filesystem::path& path) {
  const auto text = read_pem(path);
  if (!text) return std::unexpected{text.error()};
  auto key = from_pem(*text);
  if (!key) return in_file(path, key.error());
  return key;
}

KeyKind PublicKey::kind() const noexcept { return state_->kind; }
const std::string& PublicKey::id() const noexcept { return state_->id; }

std::string PublicKey::to_pem() const {
  return pem_text([&](BIO* memory) { return PEM_write_bio_PUBKEY(memory, state_->key); });
}

bool PublicKey::verify(std::string_view message, std::string_view signature) const {
  KeyContext made;  // outlives the context that borrows it
  const DigestContext context{EVP_MD_CTX_new()};
  const bool good = signature.size() <= kMaxSignatureBytes && context &&
                    begin(context.get(), *state_, made, false) &&
                    EVP_DigestVerify(context.get(), bytes_of(signature), signature.size(),
                                     bytes_of(message), message.size()) == 1;
  ERR_clear_error();
  return good;
}

Result<PrivateKey> PrivateKey::from_pem(std::string_view pem) {
  const Bio memory{BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()))};
  EVP_PKEY* const key = memory
                            ? PEM_read_bio_PrivateKey(memory.get(), nullptr, no_passphrase, nullptr)
                            : nullptr;
  if (key == nullptr) {
    return not_a_key(
        "no private key in PEM without a passphrase, `-----BEGIN PRIVATE KEY-----` "
        "expected",
        "不是无口令的 PEM 私钥，应有 `-----BEGIN PRIVATE KEY-----`");
  }
  auto state = known_kind(key);
  if (!state) return std::unexpected{std::move(state.error())};
  return PrivateKey{std::move(*state)};
}

Result<PrivateKey> PrivateKey::load(const std::filesystem::path& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) == 0 && (status.st_mode & 0007) != 0) {
    return fail(fmt::format("{}: everybody may read this private key; `chmod 600` it",
                            path.string()),
                fmt::format("{}：任何人都能读取该私钥；请 `chmod 600`", path.string()));
  }
  const auto text = read_pem(path);
  if (!text) return std::unexpected{text.error()};
  auto key = from_pem(*text);
  if (!key) return in_file(path, key.error());
  return key;
}

Result<PrivateKey> PrivateKey::generate(KeyKind kind) {
  EVP_PKEY* const key = kind == KeyKind::kSm2 ? EVP_PKEY_Q_keygen(nullptr, nullptr, "SM2")
                                              : EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519");
  if (key == nullptr) return not_a_key("no key could be made", "无法生成密钥");
  auto state = known_kind(key);
  if (!state) return std::unexpected{std::move(state.error())};
  return PrivateKey{std::move(*state)};
}

KeyKind PrivateKey::kind() const noexcept { return state_->kind; }
PublicKey PrivateKey::public_key() const { return PublicKey{state_}; }

std::string PrivateKey::to_pem() const {
  return pem_text([&](BIO* memory) {
    return PEM_write_bio_PKCS8PrivateKey(memory, state_->key, nullptr, nullptr, 0, nullptr,
                                         nullptr);
  });
}

Result<std::string> PrivateKey::sign(std::string_view message) const {
  KeyContext made;
  const DigestContext context{EVP_MD_CTX_new()};
  std::string signature(kMaxSignatureBytes, '\0');
  std::size_t size = signature.size();
  if (!context || !begin(context.get(), *state_, made, true) ||
      EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(signature.data()), &size,
                     bytes_of(message), message.size()) != 1) {
    return not_a_key("the key cannot sign", "密钥无法签名");
  }
  signature.resize(size);
  return signature;
}

}  // namespace meiguan::crypto
