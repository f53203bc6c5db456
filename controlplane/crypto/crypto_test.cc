#define BOOST_TEST_MODULE crypto
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <fstream>

#include "controlplane/crypto/digest.h"
#include "controlplane/crypto/keys.h"

namespace meiguan::crypto {
namespace {

BOOST_AUTO_TEST_CASE(hashes_of_the_norms) {
  const struct {
    HashKind kind;
    std::string text;
    const char* want;
  } kCases[] = {
      // FIPS 180-4 and GB/T 32905 appendix A.
      {HashKind::kSha256, "abc",
       "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
      {HashKind::kSm3, "abc", "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"},
  };
  for (const auto& c : kCases) {
    BOOST_TEST(hex(hash_of(c.kind, c.text)) == c.want, name_of(c.kind));
    Hasher pieces{c.kind};
    for (const char letter : c.text) pieces.add({&letter, 1});
    BOOST_TEST(hex(pieces.finish()) == c.want, name_of(c.kind));
    BOOST_TEST(hex(*hash_from_hex(c.want)) == c.want);
  }
  for (const char* bad :
       {"", "ab", "66C7F0F462EEEDD9D1F2D46BDC10E4E24167C4875CF2F7A2297DA02B8F4BA8E0"}) {
    BOOST_TEST(!hash_from_hex(bad).has_value(), bad);
  }
}

BOOST_AUTO_TEST_CASE(base64_is_canonical) {
  for (const std::string text : {"", "a", "ab", "abc", "abcd"}) {
    BOOST_TEST(from_base64(base64(text)).value() == text);
  }
  for (const char* bad : {"a", "YQ=", "YR==", "YQ==\n", " YQ==", "Y!==", "YQ==YQ=="}) {
    BOOST_TEST(!from_base64(bad).has_value(), bad);
  }
}

BOOST_AUTO_TEST_CASE(signatures) {
  for (const auto kind : {KeyKind::kEd25519, KeyKind::kSm2}) {
    const auto key = PrivateKey::generate(kind);
    BOOST_REQUIRE(key.has_value());
    const auto again = PrivateKey::from_pem(key->to_pem());
    const auto other = PublicKey::from_pem(key->public_key().to_pem());
    const auto stranger = PrivateKey::generate(kind);
    BOOST_REQUIRE((again.has_value() && other.has_value() && stranger.has_value()));
    BOOST_TEST((again->kind() == kind && other->kind() == kind));
    BOOST_TEST(other->id() == again->public_key().id());
    BOOST_TEST(other->id() != stranger->public_key().id());
    auto signature = again->sign("what is signed");
    BOOST_REQUIRE(signature.has_value());
    BOOST_TEST(other->verify("what is signed", *signature), name_of(kind));
    BOOST_TEST(!other->verify("what is signeD", *signature));
    BOOST_TEST(!other->verify("", *signature));
    BOOST_TEST(!stranger->public_key().verify("what is signed", *signature));
    BOOST_TEST(!other->verify("what is signed", ""));
    BOOST_TEST(!other->verify("what is signed", std::string(5000, 'x')));
    for (std::size_t i = 0; i < signature->size(); ++i) {
      auto changed = *signature;
      changed[i] = static_cast<char>(changed[i] ^ 1);
      BOOST_TEST(!other->verify("what is signed", changed), name_of(kind) << " byte " << i);
    }
  }
}

BOOST_AUTO_TEST_CASE(other_keys_are_refused) {
  for (const char* bad :
       {"", "hello", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
        // A P-256 key.
        "-----BEGIN PUBLIC KEY-----\n"
        "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEaxfR8uEsQkf4vOblY6RA8ncDfYEt\n"
        "6zOg9KE5RdiYwpZP40Li/hp/m47n60p8D54WK84zV2sxXs7LtkBoN79R9Q==\n"
        "-----END PUBLIC KEY-----\n"}) {
    BOOST_TEST(!PublicKey::from_pem(bad).has_value(), bad);
  }
}

BOOST_AUTO_TEST_CASE(a_private_key_for_all_to_read_is_refused) {
  const auto path = std::filesystem::temp_directory_path() /
                    ("meiguan-key-" + std::to_string(::getpid()));
  std::ofstream{path} << PrivateKey::generate(KeyKind::kEd25519)->to_pem();
  namespace fs = std::filesystem;
  fs::permissions(path, fs::perms::owner_read | fs::perms::others_read);
  BOOST_TEST(!PrivateKey::load(path).has_value());
  fs::permissions(path, fs::perms::owner_read);
  BOOST_TEST(PrivateKey::load(path).has_value());
  fs::remove(path);
  BOOST_TEST(!PrivateKey::load(path).has_value());
}

}  // namespace
}  // namespace meiguan::crypto
