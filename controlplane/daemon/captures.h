#pragma once

// What the commands `capture`, `capture-read` and `capture-end` of the local socket do: one capture
// at a time, for the one who asked, and over when he comes no more.

#include <boost/json/object.hpp>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "controlplane/access/peer.h"
#include "controlplane/daemon/link.h"
#include "controlplane/lifecycle/bundle.h"
#include "controlplane/report/live_capture.h"

namespace meiguan::daemon {

class Captures {
 public:
  explicit Captures(Link& link);
  ~Captures();
  Captures(const Captures&) = delete;
  Captures& operator=(const Captures&) = delete;

  // Is told of every capture that is over: whose, why, how much. To be set before anybody asks; is
  // called in a thread of its own too.
  void on_end(std::function<void(boost::json::object)> tell) { tell_end_ = std::move(tell); }

  // `bundle` is the policy in force. Safe from several threads.
  [[nodiscard]] boost::json::object answer(const boost::json::object& request,
                                           const access::Peer& peer,
                                           const lifecycle::Bundle& bundle);

 private:
  struct Live {
    std::string token;
    std::string user;
    report::LiveCapture packets;
    std::uint64_t taken{0};
    bool told{false};  // that it is over
  };
  [[nodiscard]] boost::json::object begin(const boost::json::object& request,
                                          const access::Peer& peer,
                                          const lifecycle::Bundle& bundle);
  [[nodiscard]] boost::json::object read(const lifecycle::Bundle& bundle);
  // Tells of the end where it has come; whether it has.
  bool tell_if_over();
  void watch();

  Link& link_;
  std::function<void(boost::json::object)> tell_end_;
  std::mutex mutex_;  // of all that follows
  std::condition_variable wake_;
  bool stopping_{false};
  std::optional<Live> live_;
  std::thread thread_;
};

}  // namespace meiguan::daemon
