#include "controlplane/web/client_connection.h"

#include <fmt/format.h>

#include <boost/asio.hpp>
#include <utility>

namespace meiguan::web {
namespace {

namespace asio = boost::asio;
using Tcp = asio::ip::tcp;

}  // namespace

ClientConnection::ClientConnection(Server chosen, asio::ssl::context context)
    : server{std::move(chosen)},
      authority{server.host.find(':') == std::string::npos
                    ? fmt::format("{}:{}", server.host, server.port)
                    : fmt::format("[{}]:{}", server.host, server.port)},
      tls{std::move(context)} {}

void ClientConnection::disconnect() {
  if (!stream) return;
  Error ignored;
  stream->next_layer().socket().close(ignored);
}

bool ClientConnection::is_open() const { return stream && stream->next_layer().socket().is_open(); }

void ClientConnection::cancel() {
  cancelled = true;
  asio::post(io, [] {});  // wakes whoever waits
}

ClientConnection::Error ClientConnection::resolve(Tcp::resolver::results_type& found) {
  Error error;
  const auto address = asio::ip::make_address(server.host, error);
  if (!error) {
    found = Tcp::resolver::results_type::create(Tcp::endpoint{address, server.port}, server.host,
                                                "");
    return {};
  }
  return wait([&](auto done) {
    resolver.async_resolve(server.host, std::to_string(server.port),
                           [&found, done](Error failed, Tcp::resolver::results_type all) {
                             found = std::move(all);
                             done(failed);
                           });
  });
}

ClientConnection::Error ClientConnection::connect() {
  stream.reset();
  Tcp::resolver::results_type found;
  if (const auto error = resolve(found); error) return error;
  stream.emplace(io, tls);
  stream->set_verify_callback(asio::ssl::host_name_verification{server.host});
  say_server_name(stream->native_handle(), server.host);
  auto error = wait([&](auto done) {
    stream->next_layer().async_connect(found, [done](Error failed, const Tcp::endpoint&) {
      done(failed);
    });
  });
  if (error) return error;
  stream->next_layer().socket().set_option(Tcp::no_delay{true}, error);
  return wait([&](auto done) { stream->async_handshake(asio::ssl::stream_base::client, done); });
}

Text ClientConnection::failure(std::string_view scheme, std::string_view english,
                               std::string_view chinese, const Error& error) {
  const auto why = tls_problem(error, stream ? stream->native_handle() : nullptr);
  return {fmt::format("{}://{}: {}: {}", scheme, authority, english, why),
          fmt::format("{}://{}：{}：{}", scheme, authority, chinese, why)};
}

}  // namespace meiguan::web
