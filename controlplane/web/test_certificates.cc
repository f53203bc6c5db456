#include "controlplane/web/test_certificates.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <cstdio>
#include <ctime>
#include <stdexcept>

namespace meiguan::web {
namespace {

void must(bool done) {
  if (!done) throw std::runtime_error{"a certificate for a test could not be made"};
}

struct File {
  explicit File(const std::filesystem::path& path) : file{std::fopen(path.c_str(), "w")} {
    must(file != nullptr);
  }
  ~File() { std::fclose(file); }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  std::FILE* file;
};

void add_extension(X509* certificate, X509* issuer, int kind, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  auto* const extension = X509V3_EXT_conf_nid(nullptr, &context, kind, value.c_str());
  must(extension != nullptr && X509_add_ext(certificate, extension, -1) == 1);
  X509_EXTENSION_free(extension);
}

void add_name(X509* certificate, const std::string& name) {
  // reinterpret_cast: text as bytes.
  must(X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_UTF8,
                                  reinterpret_cast<const unsigned char*>(name.data()),
                                  static_cast<int>(name.size()), -1, 0) == 1);
}

X509* new_certificate(EVP_PKEY* key, const Wanted& wanted, long serial) {
  auto* const certificate = X509_new();
  X509_set_version(certificate, 2);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), serial);
  X509_gmtime_adj(X509_getm_notBefore(certificate), wanted.valid_from_seconds);
  X509_gmtime_adj(X509_getm_notAfter(certificate), wanted.valid_to_seconds);
  X509_set_pubkey(certificate, key);
  for (const auto& name : wanted.names) add_name(certificate, name);
  return certificate;
}

void write(const std::filesystem::path& path, X509* certificate) {
  const File out{path};
  must(PEM_write_X509(out.file, certificate) == 1);
}

}  // namespace

struct TestAuthority::State {
  std::filesystem::path directory;
  std::string name;
  EVP_PKEY* key{nullptr};
  X509* certificate{nullptr};
  long serial{1};
};

TestAuthority::TestAuthority(std::filesystem::path directory, const std::string& name)
    : state_{std::make_unique<State>()} {
  state_->directory = std::move(directory);
  state_->name = name;
  std::filesystem::create_directories(state_->directory);
  state_->key = EVP_EC_gen("P-256");
  must(state_->key != nullptr);
  state_->certificate = new_certificate(state_->key, {{name}, "", -86'400, 86'400}, 1);
  auto* const certificate = state_->certificate;
  X509_set_issuer_name(certificate, X509_get_subject_name(certificate));
  add_extension(certificate, certificate, NID_basic_constraints, "critical,CA:TRUE");
  add_extension(certificate, certificate, NID_key_usage, "critical,keyCertSign,cRLSign");
  must(X509_sign(certificate, state_->key, EVP_sha256()) > 0);
  write(file(), certificate);
}

TestAuthority::~TestAuthority() {
  X509_free(state_->certificate);
  EVP_PKEY_free(state_->key);
}

std::filesystem::path TestAuthority::file() const {
  return state_->directory / (state_->name + ".pem");
}

TlsFiles TestAuthority::issue(const std::string& file, const Wanted& wanted) {
  const TlsFiles files{state_->directory / (file + ".pem"),
                       state_->directory / (file + ".key"),
                       this->file(),
                       {}};
  auto* const key = EVP_EC_gen("P-256");
  must(key != nullptr);
  auto* const certificate = new_certificate(key, wanted, ++state_->serial);
  X509_set_issuer_name(certificate, X509_get_subject_name(state_->certificate));
  if (!wanted.alternative.empty()) {
    add_extension(certificate, state_->certificate, NID_subject_alt_name, wanted.alternative);
  }
  must(X509_sign(certificate, state_->key, EVP_sha256()) > 0);
  write(files.certificate, certificate);
  {
    const File out{files.key};
    must(PEM_write_PKCS8PrivateKey(out.file, key, nullptr, nullptr, 0, nullptr, nullptr) == 1);
  }
  std::filesystem::permissions(files.key, std::filesystem::perms::owner_read);
  X509_free(certificate);
  EVP_PKEY_free(key);
  return files;
}

std::filesystem::path TestAuthority::revoke(const TlsFiles& files) {
  auto* const in = BIO_new_file(files.certificate.c_str(), "r");
  auto* const certificate = PEM_read_bio_X509(in, nullptr, nullptr, nullptr);
  BIO_free(in);
  must(certificate != nullptr);
  auto* const list = X509_CRL_new();
  X509_CRL_set_version(list, 1);
  X509_CRL_set_issuer_name(list, X509_get_subject_name(state_->certificate));
  auto* const now = X509_gmtime_adj(nullptr, -60);
  auto* const later = X509_gmtime_adj(nullptr, 3600);
  X509_CRL_set1_lastUpdate(list, now);
  X509_CRL_set1_nextUpdate(list, later);
  auto* const revoked = X509_REVOKED_new();
  X509_REVOKED_set_serialNumber(revoked, X509_get_serialNumber(certificate));
  X509_REVOKED_set_revocationDate(revoked, now);
  must(X509_CRL_add0_revoked(list, revoked) == 1);
  must(X509_CRL_sign(list, state_->key, EVP_sha256()) > 0);
  auto path = state_->directory / (state_->name + ".crl");
  {
    const File out{path};
    must(PEM_write_X509_CRL(out.file, list) == 1);
  }
  ASN1_TIME_free(now);
  ASN1_TIME_free(later);
  X509_CRL_free(list);
  X509_free(certificate);
  return path;
}

}  // namespace meiguan::web
