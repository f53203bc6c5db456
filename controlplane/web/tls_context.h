#pragma once

// For the source files that speak TLS; others include tls.h.

#include <boost/asio/ssl/context.hpp>
#include <boost/system/error_code.hpp>
#include <optional>

#include "controlplane/web/tls.h"

namespace meiguan::web {

enum class Oldest : unsigned char { kTls12, kTls13 };

// TLS 1.3 only, no resumption (each connection shows its certificate anew), the other end's
// certificate required and its chain verified. Errors: as check() in tls.h.
[[nodiscard]] Result<boost::asio::ssl::context> server_context(const TlsFiles& files);
// Without a certificate and key of its own where these are empty. The name of the server is for the
// caller to verify.
[[nodiscard]] Result<boost::asio::ssl::context> client_context(const TlsFiles& files,
                                                               Oldest oldest = Oldest::kTls13);

// Says which server is meant (RFC 6066 section 3); not where `host` is an address.
void say_server_name(SSL* connection, const std::string& host);

// The certificate that the other end showed and that was verified; nothing before.
[[nodiscard]] std::optional<Certificate> peer_certificate(SSL* connection);

// Why a connection failed; `connection` tells what was wrong with the certificate.
[[nodiscard]] std::string tls_problem(const boost::system::error_code& error, SSL* connection);

}  // namespace meiguan::web
