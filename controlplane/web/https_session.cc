#include <fmt/format.h>

#include <boost/asio.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl.hpp>
#include <utility>

#include "controlplane/web/https_state.h"

namespace meiguan::web {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using Tcp = asio::ip::tcp;
using beast::error_code;

constexpr std::size_t kReadBytes = 65536;
constexpr std::chrono::seconds kGoodbye{2};

}  // namespace

// One connection: a request, its answer, the next request. Lives as long as an operation or an
// answer is pending.
class HttpsSession : public std::enable_shared_from_this<HttpsSession> {
 public:
  HttpsSession(Tcp::socket socket, const net::Address& address, std::shared_ptr<HttpsState> state)
      : state_{std::move(state)},
        tls_{state_->tls},
        address_{address},
        stream_{std::move(socket), *tls_},
        buffer_{state_->settings.limits.header_bytes + kReadBytes} {
    state_->sessions.insert(this);
    ++state_->of_address[client_of(address_)];
    ++state_->open;
  }
  HttpsSession(const HttpsSession&) = delete;
  HttpsSession& operator=(const HttpsSession&) = delete;
  ~HttpsSession() {
    forget_body();
    state_->sessions.erase(this);
    const auto count = state_->of_address.find(client_of(address_));
    if (--count->second == 0) state_->of_address.erase(count);
    --state_->open;
  }

  void start() {
    within(state_->settings.limits.handshake);
    stream_.async_handshake(asio::ssl::stream_base::server,
                            [self = shared_from_this()](error_code error) {
                              self->shook_hands(error);
                            });
  }
  void close() {
    error_code ignored;
    stream_.next_layer().socket().close(ignored);
  }

 private:
  // The answer's way back: from any thread to the session's.
  class Pending {
   public:
    explicit Pending(std::shared_ptr<HttpsSession> session) : session_{std::move(session)} {}
    Pending(const Pending&) = delete;
    Pending& operator=(const Pending&) = delete;
    ~Pending() {
      // A session ends on its own thread also where nobody answered it.
      if (!session_) return;
      auto& io = session_->state_->io;
      asio::post(io, [session = std::move(session_)] { session->close(); });
    }
    void answer(Response response) {
      if (!session_) return;
      auto& io = session_->state_->io;
      asio::post(io, [session = std::move(session_), answer = std::move(response)]() mutable {
        session->send(std::move(answer));
      });
    }

   private:
    std::shared_ptr<HttpsSession> session_;
  };

  [[nodiscard]] const HttpsLimits& limits() const { return state_->settings.limits; }
  void within(std::chrono::milliseconds time) { stream_.next_layer().expires_after(time); }
  void turn_away(Turned why, std::string detail) {
    state_->turn_away(why, address_, std::move(detail));
  }
  void forget_body() {
    state_->bodies_bytes -= body_bytes_;
    body_bytes_ = 0;
  }

  void shook_hands(error_code error) {
    if (error == beast::error::timeout) return turn_away(Turned::kSlow, "handshake");
    if (error) {
      return turn_away(Turned::kHandshake, tls_problem(error, stream_.native_handle()));
    }
    auto peer = peer_certificate(stream_.native_handle());
    if (!peer) return turn_away(Turned::kHandshake, "no certificate");
    peer_ = std::move(*peer);
    ++state_->connections;
    wait();
  }

  // For the first byte of a request.
  void wait() {
    parser_.emplace();
    parser_->header_limit(static_cast<std::uint32_t>(limits().header_bytes));
    parser_->body_limit(limits().body_bytes);
    if (buffer_.size() > 0) return read_header();
    within(limits().idle);
    stream_.async_read_some(buffer_.prepare(kFirstBytes),
                            [self = shared_from_this()](error_code error, std::size_t bytes) {
                              if (error) return self->say_goodbye();
                              self->buffer_.commit(bytes);
                              self->read_header();
                            });
  }

  void read_header() {
    within(limits().header);
    http::async_read_header(stream_, buffer_, *parser_,
                            [self = shared_from_this()](error_code error, std::size_t) {
                              self->got_header(error);
                            });
  }

  void got_header(error_code error) {
    if (error == beast::error::timeout) return turn_away(Turned::kSlow, "header");
    if (error == http::error::header_limit || error == http::error::buffer_overflow) {
      return refuse(Turned::kHeaderBytes, http::status::request_header_fields_too_large);
    }
    if (error == http::error::body_limit) {
      return refuse(Turned::kBodyBytes, http::status::payload_too_large);
    }
    if (error.category() == beast::error_code{http::error::bad_method}.category() &&
        error != http::error::end_of_stream && error != http::error::partial_message) {
      return refuse(Turned::kHeader, http::status::bad_request);
    }
    if (error) return close();
    if (parser_->chunked()) return refuse(Turned::kLength, http::status::length_required);
    const auto bytes = static_cast<std::size_t>(parser_->content_length().value_or(0));
    if (bytes > limits().all_bodies_bytes - state_->bodies_bytes) {
      return refuse(Turned::kBodiesBytes, http::status::service_unavailable);
    }
    body_bytes_ = bytes;
    state_->bodies_bytes += bytes;
    if (bytes > 0 && beast::iequals(parser_->get()[http::field::expect], "100-continue")) {
      return go_on();
    }
    read_body();
  }

  void go_on() {
    within(limits().header);
    continue_.version(11);
    continue_.result(http::status::continue_);
    http::async_write(stream_, continue_,
                      [self = shared_from_this()](error_code error, std::size_t) {
                        if (!error) self->read_body();
                      });
  }

  void read_body() {
    within(limits().body);
    http::async_read(stream_, buffer_, *parser_,
                     [self = shared_from_this()](error_code error, std::size_t) {
                       if (error == beast::error::timeout) {
                         return self->turn_away(Turned::kSlow, "body");
                       }
                       if (!error) self->ask();
                     });
  }

  void ask() {
    // However long the handler takes: it is the daemon's own time.
    stream_.next_layer().expires_never();
    auto message = parser_->release();
    keep_ = message.keep_alive();
    Request request;
    request.method = std::string{message.method_string()};
    request.target = std::string{message.target()};
    for (const auto& field : message) {
      request.headers.emplace_back(field.name_string(), field.value());
    }
    request.body = std::move(message.body());
    request.peer = peer_;
    request.address = address_;
    ++state_->requests;
    auto pending = std::make_shared<Pending>(shared_from_this());
    state_->handler(std::move(request),
                    [pending](Response response) { pending->answer(std::move(response)); });
  }

  void refuse(Turned why, http::status status) {
    turn_away(why, peer_.name);
    keep_ = false;
    Response response;
    response.status = static_cast<unsigned>(status);
    response.content_type = "text/plain; charset=utf-8";
    response.body = fmt::format("{}\n", name_of(why));
    send(std::move(response));
  }

  void send(Response response) {
    forget_body();
    out_.emplace();
    out_->version(11);
    out_->result(response.status);
    out_->set(http::field::content_type, response.content_type);
    out_->set(http::field::cache_control, "no-store");
    out_->set("X-Content-Type-Options", "nosniff");
    for (const auto& [key, value] : response.headers) out_->set(key, value);
    out_->keep_alive(keep_);
    out_->body() = std::move(response.body);
    out_->prepare_payload();
    within(limits().answer);
    http::async_write(stream_, *out_, [self = shared_from_this()](error_code error, std::size_t) {
      self->out_.reset();
      if (error) return self->close();
      if (self->keep_) return self->wait();
      self->say_goodbye();
    });
  }

  void say_goodbye() {
    within(kGoodbye);
    stream_.async_shutdown([self = shared_from_this()](error_code) { self->close(); });
  }

  static constexpr std::size_t kFirstBytes = 4096;
  const std::shared_ptr<HttpsState> state_;
  const std::shared_ptr<asio::ssl::context> tls_;  // outlives its renewal
  const net::Address address_;
  beast::ssl_stream<beast::tcp_stream> stream_;
  beast::flat_buffer buffer_;
  std::optional<http::request_parser<http::string_body>> parser_;
  std::optional<http::response<http::string_body>> out_;
  http::response<http::empty_body> continue_;
  Certificate peer_;
  std::size_t body_bytes_{0};  // that were set aside for the request at hand
  bool keep_{false};
};

void start_session(Tcp::socket socket, const net::Address& address,
                   std::shared_ptr<HttpsState> state) {
  std::make_shared<HttpsSession>(std::move(socket), address, std::move(state))->start();
}

void close_session(HttpsSession& session) { session.close(); }

}  // namespace meiguan::web
