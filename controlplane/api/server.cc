#include "controlplane/api/server.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/asio.hpp>
#include <boost/json.hpp>
#include <utility>

#include "controlplane/api/protocol.h"

namespace meiguan::api {
namespace {

namespace asio = boost::asio;
namespace json = boost::json;
using Stream = asio::local::stream_protocol;
using boost::system::error_code;

}  // namespace

// One client: a request, its answer, the next request. Lives as long as an operation is pending.
class Server::Session : public std::enable_shared_from_this<Session> {
 public:
  Session(Stream::socket socket, Peer peer, std::shared_ptr<Handler> handler,
          std::shared_ptr<std::size_t> clients)
      : socket_{std::move(socket)},
        peer_{std::move(peer)},
        timer_{socket_.get_executor()},
        buffer_{kMaxRequestBytes},
        handler_{std::move(handler)},
        clients_{std::move(clients)} {
    ++*clients_;
  }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  ~Session() { --*clients_; }

  void read() {
    timer_.expires_after(kIdleSeconds);
    timer_.async_wait([weak = weak_from_this()](error_code error) {
      if (error) return;
      if (const auto self = weak.lock()) {
        error_code ignored;
        self->socket_.close(ignored);
      }
    });
    // The buffer's limit makes a line without end an error (not_found).
    asio::async_read_until(socket_, buffer_, '\n',
                           [self = shared_from_this()](error_code error, std::size_t bytes) {
                             self->timer_.cancel();
                             if (!error) self->handle(bytes);
                           });
  }

 private:
  void handle(std::size_t bytes) {
    // One buffer, as streambuf holds it.
    const std::string line{static_cast<const char*>(buffer_.data().data()), bytes};
    buffer_.consume(bytes);
    auto request = parse_request(line);
    if (!request) {
      answer(refusal(request.error().message));
      return;
    }
    // The answer comes from another thread and is written on this one.
    (*handler_)(std::move(*request), peer_, [self = shared_from_this()](json::object object) {
      asio::post(self->socket_.get_executor(),
                 [self, object = std::move(object)]() mutable { self->answer(std::move(object)); });
    });
  }

  void answer(json::object object) {
    out_ = json::serialize(object) + "\n";
    timer_.expires_after(kIdleSeconds);
    timer_.async_wait([weak = weak_from_this()](error_code error) {
      if (error) return;
      if (const auto self = weak.lock()) {
        error_code ignored;
        self->socket_.close(ignored);
      }
    });
    asio::async_write(socket_, asio::buffer(out_),
                      [self = shared_from_this()](error_code error, std::size_t) {
                        self->timer_.cancel();
                        if (!error) self->read();
                      });
  }

  Stream::socket socket_;
  const Peer peer_;
  asio::steady_timer timer_;
  asio::streambuf buffer_;
  std::string out_;
  std::shared_ptr<Handler> handler_;
  std::shared_ptr<std::size_t> clients_;
};

Server::Server(asio::io_context& io, Handler handler)
    : io_{io},
      acceptor_{io},
      pause_{io},
      handler_{std::make_shared<Handler>(std::move(handler))},
      clients_{std::make_shared<std::size_t>(0)} {}

Server::~Server() { close(); }

Result<void> Server::listen(const std::filesystem::path& path) {
  const auto text = path.string();
  const auto failed = [&](const error_code& error) {
    return fail(fmt::format("{}: {}", text, error.message()),
                fmt::format("{}：{}", text, error.message()));
  };
  error_code error;
  if (text.size() >= 108) return fail(text + ": the path is too long", text + "：路径过长");
  {
    // A socket that nobody listens on is left over from a daemon that was killed.
    Stream::socket probe{io_};
    probe.connect(Stream::endpoint{text}, error);
    if (!error) {
      return fail(text + ": another meiguan-controld is running",
                  text + "：已有 meiguan-controld 在运行");
    }
  }
  ::unlink(text.c_str());
  acceptor_.open(Stream{}, error);
  if (error) return failed(error);
  // Nobody else may connect between bind and chmod.
  const auto mask = ::umask(0117);
  acceptor_.bind(Stream::endpoint{text}, error);
  ::umask(mask);
  if (error) return failed(error);
  acceptor_.listen(static_cast<int>(kMaxClients), error);
  if (error) return failed(error);
  path_ = path;
  accept();
  return {};
}

void Server::accept() {
  acceptor_.async_accept([this](error_code error, Stream::socket socket) {
    if (error == asio::error::operation_aborted) return;
    if (!error && *clients_ < kMaxClients) {
      // Nobody is served whom the kernel does not name.
      if (auto peer = access::peer_of(socket.native_handle())) {
        std::make_shared<Session>(std::move(socket), std::move(*peer), handler_, clients_)->read();
      }
    }
    if (!error) {
      accept();
      return;
    }
    // Out of descriptors, say: not to be tried again in a hot loop.
    pause_.expires_after(std::chrono::milliseconds{100});
    pause_.async_wait([this](error_code stopped) {
      if (!stopped) accept();
    });
  });
}

void Server::close() {
  error_code ignored;
  acceptor_.close(ignored);
  pause_.cancel();
  if (!path_.empty()) ::unlink(path_.c_str());
  path_.clear();
}

}  // namespace meiguan::api
