#include "controlplane/web/https_client.h"

#include <poll.h>

#include <boost/asio.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl.hpp>
#include <utility>

#include "controlplane/web/client_connection.h"

namespace meiguan::web {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using beast::error_code;

constexpr std::uint32_t kHeaderBytes = 65536;

}  // namespace

struct HttpsClient::State {
  State(Server server, asio::ssl::context context, std::size_t bytes)
      : connection{std::move(server), std::move(context)}, answer_bytes{bytes} {}

  // A kept connection that has something to say without being asked is being closed.
  [[nodiscard]] bool is_usable() {
    if (!connection.is_open() || buffer.size() > 0) return false;
    pollfd ready{connection.stream->next_layer().socket().native_handle(), POLLIN, 0};
    return ::poll(&ready, 1, 0) == 0;
  }

  error_code exchange(const http::request<http::string_body>& request,
                      http::response_parser<http::string_body>& parser) {
    const auto written = connection.wait([&](auto done) {
      http::async_write(*connection.stream, request,
                        [done](error_code error, std::size_t) { done(error); });
    });
    if (written == asio::error::timed_out || written == asio::error::operation_aborted) {
      return written;
    }
    // A server that refuses may have said why before it hung up.
    const auto read = connection.wait([&](auto done) {
      http::async_read(*connection.stream, buffer, parser,
                       [done](error_code error, std::size_t) { done(error); });
    });
    return written && read ? written : read;
  }

  Result<Answer> failed(const error_code& error) {
    auto why = connection.failure("https", "no answer", "没有应答", error);
    connection.disconnect();
    connection.stream.reset();
    return std::unexpected{Error{std::move(why)}};
  }

  Result<Answer> ask(http::verb verb, std::string_view target, std::string_view content_type,
                     std::string_view body, std::chrono::milliseconds within) {
    if (connection.cancelled) return failed(asio::error::operation_aborted);
    connection.deadline = ClientConnection::Clock::now() + within;
    if (!is_usable()) {
      buffer.clear();
      if (const auto error = connection.connect(); error) return failed(error);
    }
    http::request<http::string_body> request{verb, target, 11};
    request.set(http::field::host, connection.authority);
    request.set(http::field::user_agent, "meiguan");
    if (verb == http::verb::post) {
      request.set(http::field::content_type, content_type);
      request.body() = body;
      request.prepare_payload();
    }
    http::response_parser<http::string_body> parser;
    parser.header_limit(kHeaderBytes);
    parser.body_limit(answer_bytes);
    if (const auto error = exchange(request, parser); error) return failed(error);
    auto message = parser.release();
    if (!message.keep_alive()) connection.disconnect();
    return Answer{message.result_int(), std::string{message[http::field::content_type]},
                  std::move(message.body())};
  }

  ClientConnection connection;
  beast::flat_buffer buffer;
  const std::size_t answer_bytes;
};

HttpsClient::HttpsClient(std::unique_ptr<State> state) : state_{std::move(state)} {}
HttpsClient::~HttpsClient() = default;

Result<std::unique_ptr<HttpsClient>> HttpsClient::make(ClientSettings settings) {
  auto context = client_context(settings.tls);
  if (!context) return std::unexpected{context.error()};
  return std::unique_ptr<HttpsClient>{
      new HttpsClient{std::make_unique<State>(std::move(settings.server), std::move(*context),
                                              settings.answer_bytes)}};
}

Result<Answer> HttpsClient::post(std::string_view target, std::string_view content_type,
                                 std::string_view body, std::chrono::milliseconds within) {
  return state_->ask(http::verb::post, target, content_type, body, within);
}

Result<Answer> HttpsClient::get(std::string_view target, std::chrono::milliseconds within) {
  return state_->ask(http::verb::get, target, {}, {}, within);
}

void HttpsClient::cancel() { state_->connection.cancel(); }

}  // namespace meiguan::web
