#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/json/object.hpp>
#include <filesystem>
#include <functional>
#include <memory>

#include "controlplane/access/peer.h"
#include "dataplane/base/result.h"

namespace meiguan::api {

using Peer = access::Peer;

// The local socket's serving end, for one thread's io_context. A client that sends a line that is
// too long or not JSON, that is one too many, or that is silent too long, is let go.
class Server {
 public:
  // May be called from any thread, once.
  using Reply = std::function<void(boost::json::object)>;
  // Is called on the io_context's thread and must not block it.
  using Handler = std::function<void(boost::json::object request, const Peer& peer, Reply reply)>;

  Server(boost::asio::io_context& io, Handler handler);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Listens at `path` with mode 0660. Errors: another daemon listens there, it cannot be made.
  [[nodiscard]] Result<void> listen(const std::filesystem::path& path);
  // Stops listening and lets all clients go.
  void close();

 private:
  class Session;
  void accept();

  boost::asio::io_context& io_;
  boost::asio::local::stream_protocol::acceptor acceptor_;
  boost::asio::steady_timer pause_;
  std::shared_ptr<Handler> handler_;
  std::shared_ptr<std::size_t> clients_;
  std::filesystem::path path_;
};

}  // namespace meiguan::api
