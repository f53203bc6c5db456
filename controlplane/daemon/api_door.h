#pragma once

// The commands of the local socket over HTTPS: POST /v1 with the same JSON object. Who asks is whom
// the appliance file says that his certificate is; what he may is judged as on the socket.

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/json/object.hpp>
#include <filesystem>
#include <functional>
#include <string_view>
#include <vector>

#include "controlplane/access/appliance.h"
#include "controlplane/access/peer.h"
#include "controlplane/daemon/gate.h"
#include "controlplane/web/https_server.h"

namespace meiguan::daemon {

class ApiDoor {
 public:
  using Answer = std::function<boost::json::object(const boost::json::object& request,
                                                   const access::Peer& peer)>;

  // Answers by `workers`; `gate` records who was turned away. Bundles that are sent lie in
  // `state_dir`/api while they are looked at. All of them outlive it.
  ApiDoor(boost::asio::io_context& io, boost::asio::thread_pool& workers,
          const access::Appliance& appliance, const std::filesystem::path& state_dir, Gate& gate,
          Answer answer);

  // Errors: as HttpsServer::listen().
  [[nodiscard]] Result<void> listen() { return server_.listen(); }
  // The certificate and what belongs to it are read again.
  [[nodiscard]] Result<void> renew() { return server_.renew(); }
  void close() { server_.close(); }
  // From any thread.
  [[nodiscard]] std::vector<Gate::Alarm> alarms() const;

 private:
  void serve(web::Request request, const web::HttpsServer::Reply& reply);
  [[nodiscard]] boost::json::object do_command(const web::Request& request);
  [[nodiscard]] boost::json::object with_bundles(boost::json::object request,
                                                 const access::Peer& peer);
  [[nodiscard]] access::Peer peer_of(const web::Request& request) const;
  void turned_away(const web::TurnedAway& one);

  boost::asio::thread_pool& workers_;
  const access::Api settings_;
  const std::vector<access::Person> persons_;
  const std::filesystem::path spool_;
  Gate& gate_;
  const Answer answer_;
  std::atomic<std::uint64_t> offers_{0};  // of bundles; each has a directory of its own
  web::HttpsServer server_;
};

}  // namespace meiguan::daemon
