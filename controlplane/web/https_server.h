#pragma once

#include <array>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "controlplane/web/tls.h"
#include "dataplane/base/result.h"
#include "dataplane/net/address.h"

namespace meiguan::web {

struct Request {
  std::string method;  // as sent: "POST"
  std::string target;  // path and query, as sent
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  Certificate peer;
  net::Address address;

  // The first header of that name, whatever its case; empty where there is none.
  [[nodiscard]] std::string_view header(std::string_view name) const noexcept;
};

struct Response {
  unsigned status{200};
  std::string content_type{"application/json"};
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers;
};

struct HttpsLimits {
  std::size_t connections{256};
  std::size_t connections_per_address{16};  // of IPv6: of one /64
  std::size_t header_bytes{std::size_t{16} << 10};
  std::size_t body_bytes{std::size_t{64} << 20};
  std::size_t all_bodies_bytes{std::size_t{256} << 20};  // of all connections together
  std::chrono::milliseconds handshake{10'000};
  std::chrono::milliseconds header{10'000};  // from its first byte to its last
  std::chrono::milliseconds body{120'000};
  std::chrono::milliseconds answer{120'000};  // to be sent
  std::chrono::milliseconds idle{60'000};     // between requests
};

struct HttpsSettings {
  net::Address address;
  std::uint16_t port{0};  // 0: one that is free
  TlsFiles tls;
  std::vector<net::Prefix> networks;  // whoever else connects is let go before TLS; empty: all are
  HttpsLimits limits;
};

// Why somebody was not served.
enum class Turned : std::uint8_t {
  kNetwork,      // an address that is not of the networks
  kConnections,  // one too many
  kOfAddress,    // one too many of his address
  kHandshake,    // no TLS 1.3, no certificate, or one that is not trusted
  kSlow,         // a time-out of handshake, header or body
  kHeader,       // no HTTP
  kHeaderBytes,  // a header that is too large
  kLength,       // a body without Content-Length
  kBodyBytes,    // a body that is too large
  kBodiesBytes,  // no room for a body at present
};
inline constexpr std::size_t kTurned = 10;
// `network`, `connections`, `address`, `handshake`, `slow`, `header`, `header-bytes`, `length`,
// `body-bytes`, `bodies-bytes`.
[[nodiscard]] std::string_view name_of(Turned why) noexcept;

// Whom it was not, as far as that was known.
struct TurnedAway {
  Turned why{Turned::kNetwork};
  net::Address address;
  std::string detail;            // one line; what OpenSSL says, say
  std::uint64_t passed_over{0};  // of the same kind since the last one that was told of
};

struct HttpsCounts {
  std::uint64_t connections{0};  // that came to a request
  std::uint64_t requests{0};
  std::size_t open{0};
  std::array<std::uint64_t, kTurned> turned{};
};

struct HttpsState;

// HTTP/1.1 over TLS 1.3 with client certificates, for one thread's io_context. Everything that a
// client can use up is bounded, and each refusal is counted.
class HttpsServer {
 public:
  // May be called from any thread, once. Where it is dropped uncalled, the connection is closed.
  using Reply = std::function<void(Response)>;
  // Is called on the io_context's thread and must not block it. Every client that comes so far has
  // a certificate of the authority; what he may is the handler's to say.
  using Handler = std::function<void(Request request, Reply reply)>;
  // Is called on the io_context's thread, for each kind of refusal once in ten seconds at most.
  using Tell = std::function<void(const TurnedAway&)>;

  HttpsServer(boost::asio::io_context& io, HttpsSettings settings, Handler handler, Tell tell);
  ~HttpsServer();
  HttpsServer(const HttpsServer&) = delete;
  HttpsServer& operator=(const HttpsServer&) = delete;

  // Errors: the address cannot be had, something is wrong with certificate or key.
  [[nodiscard]] Result<void> listen();
  // Reads certificate, key, authority and lists again, for connections to come. Errors: as above;
  // the old ones stay.
  [[nodiscard]] Result<void> renew();
  // Stops listening and lets all clients go. On the io_context's thread, or while it does not run.
  void close();

  // 0 while it does not listen.
  [[nodiscard]] std::uint16_t port() const noexcept;
  // Safe from any thread.
  [[nodiscard]] HttpsCounts counts() const;

 private:
  std::shared_ptr<HttpsState> state_;
};

}  // namespace meiguan::web
