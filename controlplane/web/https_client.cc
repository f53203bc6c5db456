#include "controlplane/web/https_client.h"

#include <fmt/format.h>
#include <poll.h>

#include <atomic>
#include <boost/asio.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl.hpp>
#include <optional>
#include <utility>

#include "controlplane/web/tls_context.h"

namespace meiguan::web {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using Tcp = asio::ip::tcp;
using beast::error_code;
using Clock = std::chrono::steady_clock;
using Stream = beast::ssl_stream<beast::tcp_stream>;

constexpr std::uint32_t kHeaderBytes = 65536;

}  // namespace

struct HttpsClient::State {
  State(ClientSettings chosen, asio::ssl::context context)
      : settings{std::move(chosen)}, tls{std::move(context)} {
    const auto& server = settings.server;
    const bool is_v6 = server.host.find(':') != std::string::npos;
    authority = is_v6 ? fmt::format("[{}]:{}", server.host, server.port)
                      : fmt::format("{}:{}", server.host, server.port);
  }

  // Runs one operation to its end, at the latest until the deadline.
  template <typename Start>
  error_code wait(Start start) {
    std::optional<error_code> result;
    start([&result](error_code error) { result = error; });
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
    return cancelled ? error_code{asio::error::operation_aborted}
                     : error_code{asio::error::timed_out};
  }

  void disconnect() {
    if (!stream) return;
    error_code ignored;
    stream->next_layer().socket().close(ignored);
  }

  // A kept connection that has something to say without being asked is being closed.
  [[nodiscard]] bool is_usable() {
    if (!stream || !stream->next_layer().socket().is_open() || buffer.size() > 0) return false;
    pollfd ready{stream->next_layer().socket().native_handle(), POLLIN, 0};
    return ::poll(&ready, 1, 0) == 0;
  }

  error_code resolve(Tcp::resolver::results_type& found) {
    error_code error;
    const auto address = asio::ip::make_address(settings.server.host, error);
    if (!error) {
      found = Tcp::resolver::results_type::create(Tcp::endpoint{address, settings.server.port},
                                                  settings.server.host, "");
      return {};
    }
    return wait([&](auto done) {
      resolver.async_resolve(settings.server.host, std::to_string(settings.server.port),
                             [&found, done](error_code failed, Tcp::resolver::results_type all) {
                               found = std::move(all);
                               done(failed);
                             });
    });
  }

  error_code connect() {
    stream.reset();
    buffer.clear();
    Tcp::resolver::results_type found;
    if (const auto error = resolve(found); error) return error;
    stream.emplace(io, tls);
    stream->set_verify_callback(asio::ssl::host_name_verification{settings.server.host});
    say_server_name(stream->native_handle(), settings.server.host);
    auto error = wait([&](auto done) {
      stream->next_layer().async_connect(found, [done](error_code failed, const Tcp::endpoint&) {
        done(failed);
      });
    });
    if (error) return error;
    stream->next_layer().socket().set_option(Tcp::no_delay{true}, error);
    return wait([&](auto done) { stream->async_handshake(asio::ssl::stream_base::client, done); });
  }

  error_code exchange(const http::request<http::string_body>& request,
                      http::response_parser<http::string_body>& parser) {
    const auto written = wait([&](auto done) {
      http::async_write(*stream, request, [done](error_code error, std::size_t) { done(error); });
    });
    if (written == asio::error::timed_out || written == asio::error::operation_aborted) {
      return written;
    }
    // A server that refuses may have said why before it hung up.
    const auto read = wait([&](auto done) {
      http::async_read(*stream, buffer, parser,
                       [done](error_code error, std::size_t) { done(error); });
    });
    return written && read ? written : read;
  }

  Result<Answer> failed(const error_code& error) {
    const auto why = tls_problem(error, stream ? stream->native_handle() : nullptr);
    disconnect();
    stream.reset();
    return fail(fmt::format("https://{}: no answer: {}", authority, why),
                fmt::format("https://{}：没有应答：{}", authority, why));
  }

  Result<Answer> ask(http::verb verb, std::string_view target, std::string_view content_type,
                     std::string_view body, std::chrono::milliseconds within) {
    if (cancelled) return failed(asio::error::operation_aborted);
    deadline = Clock::now() + within;
    if (!is_usable()) {
      if (const auto error = connect(); error) return failed(error);
    }
    http::request<http::string_body> request{verb, target, 11};
    request.set(http::field::host, authority);
    request.set(http::field::user_agent, "meiguan");
    if (verb == http::verb::post) {
      request.set(http::field::content_type, content_type);
      request.body() = body;
      request.prepare_payload();
    }
    http::response_parser<http::string_body> parser;
    parser.header_limit(kHeaderBytes);
    parser.body_limit(settings.answer_bytes);
    if (const auto error = exchange(request, parser); error) return failed(error);
    auto message = parser.release();
    if (!message.keep_alive()) disconnect();
    return Answer{message.result_int(), std::string{message[http::field::content_type]},
                  std::move(message.body())};
  }

  const ClientSettings settings;
  std::string authority;  // host and port, as in a URL
  asio::io_context io;
  asio::ssl::context tls;
  Tcp::resolver resolver{io};
  std::optional<Stream> stream;
  beast::flat_buffer buffer;
  Clock::time_point deadline;
  std::atomic<bool> cancelled{false};
};

HttpsClient::HttpsClient(std::unique_ptr<State> state) : state_{std::move(state)} {}
HttpsClient::~HttpsClient() = default;

Result<std::unique_ptr<HttpsClient>> HttpsClient::make(ClientSettings settings) {
  auto context = client_context(settings.tls);
  if (!context) return std::unexpected{context.error()};
  return std::unique_ptr<HttpsClient>{
      new HttpsClient{std::make_unique<State>(std::move(settings), std::move(*context))}};
}

Result<Answer> HttpsClient::post(std::string_view target, std::string_view content_type,
                                 std::string_view body, std::chrono::milliseconds within) {
  return state_->ask(http::verb::post, target, content_type, body, within);
}

Result<Answer> HttpsClient::get(std::string_view target, std::chrono::milliseconds within) {
  return state_->ask(http::verb::get, target, {}, {}, within);
}

void HttpsClient::cancel() {
  state_->cancelled = true;
  // Wakes whoever waits.
  asio::post(state_->io, [] {});
}

}  // namespace meiguan::web
