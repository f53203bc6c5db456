#pragma once

// For https_server.cc and https_session.cc; others include https_server.h.

#include <array>
#include <atomic>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <set>

#include "controlplane/web/https_server.h"
#include "controlplane/web/tls_context.h"

namespace meiguan::web {

class HttpsSession;

struct Told {
  std::optional<std::chrono::steady_clock::time_point> last;
  std::uint64_t passed_over{0};
};

// Whose connections count together.
[[nodiscard]] net::Address client_of(const net::Address& address);

// What the sessions share; they keep it. All but the counts is the io_context's thread's.
struct HttpsState : std::enable_shared_from_this<HttpsState> {
  HttpsState(boost::asio::io_context& context, HttpsSettings chosen, HttpsServer::Handler answers,
             HttpsServer::Tell tells)
      : io{context},
        acceptor{context},
        pause{context},
        settings{std::move(chosen)},
        handler{std::move(answers)},
        tell{std::move(tells)} {}

  void accept();
  void admit(boost::asio::ip::tcp::socket socket);
  void turn_away(Turned why, const net::Address& address, std::string detail);
  [[nodiscard]] Result<std::shared_ptr<boost::asio::ssl::context>> make_tls() const {
    auto made = server_context(settings.tls);
    if (!made) return std::unexpected{made.error()};
    return std::make_shared<boost::asio::ssl::context>(std::move(*made));
  }

  boost::asio::io_context& io;
  boost::asio::ip::tcp::acceptor acceptor;
  boost::asio::steady_timer pause;
  const HttpsSettings settings;
  const HttpsServer::Handler handler;
  const HttpsServer::Tell tell;
  std::shared_ptr<boost::asio::ssl::context> tls;
  std::set<HttpsSession*> sessions;
  std::map<net::Address, std::size_t> of_address;
  std::size_t bodies_bytes{0};
  std::array<Told, kTurned> told;
  std::uint16_t port{0};

  std::atomic<std::uint64_t> connections{0};
  std::atomic<std::uint64_t> requests{0};
  std::atomic<std::size_t> open{0};
  std::array<std::atomic<std::uint64_t>, kTurned> turned{};
};

// Begins to serve a connection, which from then on keeps itself.
void start_session(boost::asio::ip::tcp::socket socket, const net::Address& address,
                   std::shared_ptr<HttpsState> state);
void close_session(HttpsSession& session);

}  // namespace meiguan::web
