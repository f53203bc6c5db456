#pragma once

// Certificates of the control plane's connections: TLS 1.3 (RFC 8446) and both ends show theirs.

#include <cstdint>
#include <filesystem>
#include <string>

#include "dataplane/base/result.h"

namespace meiguan::web {

// PEM files of one end of a connection.
struct TlsFiles {
  std::filesystem::path certificate;  // own, with the chain behind it
  std::filesystem::path key;          // without a passphrase; others may neither read nor own it
  std::filesystem::path authority;    // who signs the certificates of the other end
  std::filesystem::path revoked;      // optional: revocation lists of that authority
};

// What a certificate says of its holder. Texts hold neither control characters nor line ends.
struct Certificate {
  std::string name;            // the subject's only common name; empty where it has none or several
  std::string subject;         // the whole distinguished name (RFC 2253)
  std::string fingerprint;     // SHA-256 of the certificate, 64 hexadecimal digits
  std::int64_t not_before{0};  // seconds since 1970
  std::int64_t not_after{0};
};

// The first certificate of a PEM file, for whoever watches when it expires.
[[nodiscard]] Result<Certificate> read_certificate(const std::filesystem::path& file);

// Whether a connection can be made with these: everything can be read, the key is the
// certificate's, and no other user owns it or may read it (its group may).
[[nodiscard]] Result<void> check(const TlsFiles& files);

}  // namespace meiguan::web
