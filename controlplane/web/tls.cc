#include "controlplane/web/tls.h"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <memory>
#include <string_view>
#include <utility>

#include "controlplane/web/tls_context.h"
#include "dataplane/net/address.h"

namespace meiguan::web {
namespace {

namespace ssl = boost::asio::ssl;

constexpr mode_t kOthers = 0007;

template <auto Free>
struct Freed {
  template <typename T>
  void operator()(T* pointer) const noexcept {
    Free(pointer);
  }
};
using Bio = std::unique_ptr<BIO, Freed<BIO_free_all>>;
using X509Pointer = std::unique_ptr<X509, Freed<X509_free>>;

// The oldest of OpenSSL's errors, in its words, and none are left behind.
std::string openssl_error() {
  const auto code = ::ERR_get_error();
  ::ERR_clear_error();
  std::array<char, 256> text{};
  ::ERR_error_string_n(code, text.data(), text.size());
  return code == 0 ? std::string{"unknown error"} : std::string{text.data()};
}

std::unexpected<Error> failure(const std::filesystem::path& file, std::string_view why) {
  return fail(fmt::format("{}: {}", file.string(), why), fmt::format("{}：{}", file.string(), why));
}

bool is_one_line(std::string_view text) {
  return std::ranges::none_of(text, [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte < 0x20 || byte == 0x7f;
  });
}

std::string common_name(X509_NAME* subject) {
  const int at = ::X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
  if (at < 0 || ::X509_NAME_get_index_by_NID(subject, NID_commonName, at) >= 0) return {};
  unsigned char* utf8 = nullptr;
  const int size =
      ::ASN1_STRING_to_UTF8(&utf8, ::X509_NAME_ENTRY_get_data(::X509_NAME_get_entry(subject, at)));
  if (size < 0) return {};
  // reinterpret_cast: bytes as text.
  std::string name{reinterpret_cast<const char*>(utf8), static_cast<std::size_t>(size)};
  ::OPENSSL_free(utf8);
  // A name with a zero or a line end in it is nobody's.
  return is_one_line(name) ? name : std::string{};
}

std::string whole_name(X509_NAME* subject) {
  const Bio out{::BIO_new(::BIO_s_mem())};
  // UTF-8 as it is; control characters escaped, as XN_FLAG_RFC2253 has it.
  ::X509_NAME_print_ex(out.get(), subject, 0, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB);
  char* text = nullptr;
  const long size = ::BIO_get_mem_data(out.get(), &text);
  return size > 0 ? std::string{text, static_cast<std::size_t>(size)} : std::string{};
}

std::string fingerprint(const X509* certificate) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  if (::X509_digest(certificate, ::EVP_sha256(), digest.data(), &size) != 1) return {};
  std::string text;
  for (unsigned i = 0; i < size; ++i) text += fmt::format("{:02x}", digest[i]);
  return text;
}

std::int64_t seconds_of(const ASN1_TIME* time) {
  std::tm parts{};
  return ::ASN1_TIME_to_tm(time, &parts) == 1 ? std::int64_t{::timegm(&parts)} : 0;
}

Certificate describe(X509* certificate) {
  auto* const subject = ::X509_get_subject_name(certificate);
  return {common_name(subject), whole_name(subject), fingerprint(certificate),
          seconds_of(::X509_get0_notBefore(certificate)),
          seconds_of(::X509_get0_notAfter(certificate))};
}

Result<void> check_key_file(const std::filesystem::path& key) {
  struct stat status {};
  if (::stat(key.c_str(), &status) != 0) return failure(key, std::strerror(errno));
  if (!S_ISREG(status.st_mode)) return failure(key, "not a file");
  if ((status.st_uid != 0 && status.st_uid != ::geteuid()) || (status.st_mode & kOthers) != 0) {
    return fail(
        fmt::format("{}: a private key belongs to root or to this user ({}), and others may not "
                    "read it; `chmod 0640` and `chown` it",
                    key.string(), ::geteuid()),
        fmt::format("{}：私钥文件应属于 root 或当前用户（{}），且其他用户不可读；请用 `chmod 0640` "
                    "和 `chown` 更正",
                    key.string(), ::geteuid()));
  }
  return {};
}

// OpenSSL would ask for a passphrase at the terminal.
int no_passphrase(char*, int, int, void*) { return 0; }

Result<void> load_own(SSL_CTX* context, const TlsFiles& files) {
  if (auto good = check_key_file(files.key); !good) return good;
  ::SSL_CTX_set_default_passwd_cb(context, no_passphrase);
  if (::SSL_CTX_use_certificate_chain_file(context, files.certificate.c_str()) != 1) {
    return failure(files.certificate, openssl_error());
  }
  if (::SSL_CTX_use_PrivateKey_file(context, files.key.c_str(), SSL_FILETYPE_PEM) != 1) {
    return failure(files.key, openssl_error());
  }
  if (::SSL_CTX_check_private_key(context) != 1) {
    ::ERR_clear_error();
    return fail(fmt::format("{} is not the key of {}", files.key.string(),
                            files.certificate.string()),
                fmt::format("{} 不是 {} 的私钥", files.key.string(), files.certificate.string()));
  }
  return {};
}

Result<void> load_authority(SSL_CTX* context, const TlsFiles& files) {
  if (::SSL_CTX_load_verify_file(context, files.authority.c_str()) != 1) {
    return failure(files.authority, openssl_error());
  }
  if (files.revoked.empty()) return {};
  auto* const store = ::SSL_CTX_get_cert_store(context);
  auto* const lookup = ::X509_STORE_add_lookup(store, ::X509_LOOKUP_file());
  if (lookup == nullptr ||
      ::X509_load_crl_file(lookup, files.revoked.c_str(), X509_FILETYPE_PEM) < 1) {
    return failure(files.revoked, openssl_error());
  }
  ::X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK);
  return {};
}

Result<ssl::context> make_context(ssl::context::method method, const TlsFiles& files,
                                  bool shows_own, Oldest oldest) {
  ::ERR_clear_error();
  ssl::context context{method};
  auto* const native = context.native_handle();
  ::SSL_CTX_set_min_proto_version(native,
                                  oldest == Oldest::kTls12 ? TLS1_2_VERSION : TLS1_3_VERSION);
  ::SSL_CTX_set_max_proto_version(native, TLS1_3_VERSION);
  ::SSL_CTX_set_session_cache_mode(native, SSL_SESS_CACHE_OFF);
  ::SSL_CTX_set_num_tickets(native, 0);
  ::SSL_CTX_set_mode(native, SSL_MODE_RELEASE_BUFFERS);
  ::SSL_CTX_set_verify(native, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  if (shows_own) {
    if (auto done = load_own(native, files); !done) return std::unexpected{done.error()};
  }
  if (auto done = load_authority(native, files); !done) return std::unexpected{done.error()};
  return context;
}

}  // namespace

Result<ssl::context> server_context(const TlsFiles& files) {
  return make_context(ssl::context::tls_server, files, true, Oldest::kTls13);
}

Result<ssl::context> client_context(const TlsFiles& files, Oldest oldest) {
  return make_context(ssl::context::tls_client, files,
                      !files.certificate.empty() || !files.key.empty(), oldest);
}

void say_server_name(SSL* connection, const std::string& host) {
  if (net::parse_address(host)) return;
  // The macro for this casts in the old way. const_cast: it is only read.
  ::SSL_ctrl(connection, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
             const_cast<char*>(host.c_str()));
}

std::optional<Certificate> peer_certificate(SSL* connection) {
  const X509Pointer certificate{::SSL_get1_peer_certificate(connection)};
  if (!certificate || ::SSL_get_verify_result(connection) != X509_V_OK) return std::nullopt;
  return describe(certificate.get());
}

std::string tls_problem(const boost::system::error_code& error, SSL* connection) {
  const auto verified = connection == nullptr ? X509_V_OK : ::SSL_get_verify_result(connection);
  if (verified != X509_V_OK) return ::X509_verify_cert_error_string(verified);
  return error.message();
}

Result<Certificate> read_certificate(const std::filesystem::path& file) {
  ::ERR_clear_error();
  const Bio in{::BIO_new_file(file.c_str(), "r")};
  if (!in) return failure(file, openssl_error());
  const X509Pointer certificate{::PEM_read_bio_X509(in.get(), nullptr, no_passphrase, nullptr)};
  if (!certificate) return failure(file, openssl_error());
  return describe(certificate.get());
}

Result<void> check(const TlsFiles& files) {
  if (auto context = server_context(files); !context) return std::unexpected{context.error()};
  return {};
}

}  // namespace meiguan::web
