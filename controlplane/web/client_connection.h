#pragma once

// For https_client.cc and tls_stream.cc: a connection that a thread waits for.

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/ssl/ssl_stream.hpp>
#include <chrono>
#include <optional>
#include <string>

#include "controlplane/web/https_client.h"
#include "controlplane/web/tls_context.h"

namespace meiguan::web {

class ClientConnection {
 public:
  using Stream = boost::beast::ssl_stream<boost::beast::tcp_stream>;
  using Error = boost::system::error_code;
  using Clock = std::chrono::steady_clock;

  ClientConnection(Server server, boost::asio::ssl::context tls);

  // Looks the name up, connects, shakes hands; the server's name and chain are verified. Whatever
  // was connected before is forgotten.
  [[nodiscard]] Error connect();
  void disconnect();
  [[nodiscard]] bool is_open() const;
  // For `what` "no answer": "https://host:port: no answer: why".
  [[nodiscard]] Text failure(std::string_view scheme, std::string_view english,
                             std::string_view chinese, const Error& error);

  // Runs one operation to its end, at the latest until the deadline; then the connection is closed.
  // `start` gets a function of an Error to call.
  template <typename Start>
  [[nodiscard]] Error wait(Start start) {
    std::optional<Error> result;
    start([&result](Error error) { result = error; });
    io.restart();
    while (!result && !cancelled && io.run_one_until(deadline) > 0) {
    }
    if (result) return *result;
    resolver.cancel();
    disconnect();
    // A look-up of a name cannot be broken off and may outlast the deadline.
    io.restart();
    while (!result && io.run_one() > 0) {
    }
    return cancelled ? Error{boost::asio::error::operation_aborted}
                     : Error{boost::asio::error::timed_out};
  }

  // From any thread: what waits, and what will, ends at once.
  void cancel();

  const Server server;
  std::string authority;  // host and port, as in a URL
  boost::asio::io_context io;
  boost::asio::ssl::context tls;
  boost::asio::ip::tcp::resolver resolver{io};
  std::optional<Stream> stream;
  Clock::time_point deadline;
  std::atomic<bool> cancelled{false};

 private:
  [[nodiscard]] Error resolve(boost::asio::ip::tcp::resolver::results_type& found);
};

}  // namespace meiguan::web
