#include "controlplane/web/tls_stream.h"

#include <linux/sockios.h>
#include <sys/ioctl.h>

#include <array>
#include <boost/asio.hpp>
#include <utility>

#include "controlplane/web/client_connection.h"

namespace meiguan::web {
namespace {

namespace asio = boost::asio;
using ConnectionError = ClientConnection::Error;

}  // namespace

struct TlsStream::State {
  State(Server server, asio::ssl::context context)
      : connection{std::move(server), std::move(context)} {}
  ~State() { disconnect(); }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  // Always pending, so that the other end's goodbye is heard while there is nothing to send.
  void read() {
    reading = true;
    connection.stream->async_read_some(asio::buffer(scrap),
                                       [this](ConnectionError error, std::size_t) {
                                         reading = false;
                                         if (error) {
                                           closed = error;
                                           return;
                                         }
                                         read();
                                       });
  }

  void disconnect() {
    connection.disconnect();
    // The stream must not go before what is pending on it.
    connection.io.restart();
    while (reading && connection.io.run_one() > 0) {
    }
    connection.stream.reset();
  }

  Result<void> failed(const ConnectionError& error) {
    auto why = connection.failure("tls", "the connection failed", "连接失败", error);
    disconnect();
    return std::unexpected{Error{std::move(why)}};
  }

  ClientConnection connection;
  std::array<char, 1024> scrap{};
  bool reading{false};
  ConnectionError closed;
};

TlsStream::TlsStream(std::unique_ptr<State> state) : state_{std::move(state)} {}
TlsStream::~TlsStream() = default;

Result<std::unique_ptr<TlsStream>> TlsStream::make(Server server, const TlsFiles& files) {
  auto context = client_context(files, Oldest::kTls12);
  if (!context) return std::unexpected{context.error()};
  return std::unique_ptr<TlsStream>{
      new TlsStream{std::make_unique<State>(std::move(server), std::move(*context))}};
}

Result<void> TlsStream::connect(std::chrono::milliseconds within) {
  state_->disconnect();
  state_->closed = {};
  auto& connection = state_->connection;
  if (connection.cancelled) return state_->failed(asio::error::operation_aborted);
  connection.deadline = ClientConnection::Clock::now() + within;
  if (const auto error = connection.connect(); error) return state_->failed(error);
  state_->read();
  return {};
}

Result<void> TlsStream::send(std::string_view bytes, std::chrono::milliseconds within) {
  if (auto open = alive(); !open) return open;
  auto& connection = state_->connection;
  connection.deadline = ClientConnection::Clock::now() + within;
  const auto error = connection.wait([&](auto done) {
    asio::async_write(*connection.stream, asio::buffer(bytes),
                      [done](ConnectionError failed, std::size_t) { done(failed); });
  });
  if (error) return state_->failed(error);
  return {};
}

Result<void> TlsStream::alive() {
  auto& connection = state_->connection;
  if (!connection.is_open()) return state_->failed(asio::error::not_connected);
  connection.io.restart();
  connection.io.poll();
  if (connection.cancelled) return state_->failed(asio::error::operation_aborted);
  if (state_->closed) return state_->failed(state_->closed);
  return {};
}

bool TlsStream::is_acknowledged() const {
  auto& connection = state_->connection;
  int bytes = 0;
  return connection.is_open() &&
         ::ioctl(connection.stream->next_layer().socket().native_handle(), SIOCOUTQ, &bytes) == 0 &&
         bytes == 0;
}

void TlsStream::disconnect() { state_->disconnect(); }

void TlsStream::cancel() { state_->connection.cancel(); }

}  // namespace meiguan::web
