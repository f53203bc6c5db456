#pragma once

// Between the local socket and what is asked: who asks, whether he may, and the record of it.

#include <boost/json/object.hpp>
#include <cstdint>
#include <expected>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "controlplane/access/appliance.h"
#include "controlplane/access/lockout.h"
#include "controlplane/access/roles.h"
#include "controlplane/audit/log.h"
#include "controlplane/daemon/signed_policy.h"

namespace meiguan::daemon {

class Gate {
 public:
  using Say = std::function<void(const Text&)>;
  using Go = std::function<boost::json::object(const boost::json::object& request)>;

  // The log lies in `state_dir`/audit, what was taken of signed policy and what was approved in
  // `state_dir`/signed, who is locked out in `state_dir`/lockouts. That the log cannot be written
  // is said and tried again before every change; until then changes are refused.
  Gate(access::Appliance appliance, const std::filesystem::path& state_dir, Say say);
  ~Gate();
  Gate(const Gate&) = delete;
  Gate& operator=(const Gate&) = delete;

  // What `go` answers, where `peer` may ask it; a change only when it is written down that it
  // begins, and what came of it afterwards. Answers itself what is asked of the audit log.
  [[nodiscard]] boost::json::object answer(const boost::json::object& request,
                                           const access::Peer& peer, const Go& go);

  // Whether `peer` may ask it now: nothing is recorded, and nothing counts towards a lock-out.
  [[nodiscard]] bool may_ask(const boost::json::object& request, const access::Peer& peer);

  // Something that nobody asked for: a start, a stop, a signal, a return to the revision before.
  void note(const std::string& event, boost::json::object detail);

  struct Alarm {
    std::string name;
    std::string about;
  };
  // More alarms for `status`; to be set before anybody asks.
  void on_alarms(std::function<std::vector<Alarm>()> more) { more_alarms_ = std::move(more); }

  // Adds them, and those of its own, to "alarms" of the answer to `status`.
  void add_alarms(boost::json::object& answer);

  struct First {
    std::filesystem::path policy;
    std::vector<std::filesystem::path> only;  // signed: a start takes nothing else; empty: any
    std::string signature;                    // what admitted `policy` then
    bool only_signed_before{false};           // see SignedPolicy::Standing::unreadable
  };
  // The policy to start with in place of `policy`, which nobody signed; see SignedPolicy. Where
  // none was taken yet, that is `policy`, and it is said.
  [[nodiscard]] std::expected<First, SignedPolicy::Refused> first_policy(
      const std::filesystem::path& policy);
  // What a start put in force.
  void began(const lifecycle::Revision& in_force);
  // A revision that came back, because another was not confirmed in time.
  void returned(const lifecycle::Revision& revision);
  // Whether files that changed may be loaded without somebody who asks for it.
  [[nodiscard]] bool may_reload() const noexcept {
    return !appliance_.trust.required && !appliance_.two_persons;
  }

 private:
  [[nodiscard]] Result<void> record(const audit::Event& event, bool needs_room);
  [[nodiscard]] Result<void> have_log();
  [[nodiscard]] boost::json::object refuse(const access::Peer& peer, access::Role role,
                                           const std::string& command);
  [[nodiscard]] boost::json::object change(audit::Event event, const boost::json::object& request,
                                           const access::Peer& peer, const Go& go);
  [[nodiscard]] boost::json::object make_change(const boost::json::object& request,
                                                const access::Peer& peer, const Go& go);
  [[nodiscard]] boost::json::object ask_log(const std::string& command,
                                            const boost::json::object& request);
  [[nodiscard]] access::Role role_of(const access::Peer& peer) const;
  void greet(const access::Peer& peer, access::Role role);

  const access::Appliance appliance_;
  const std::filesystem::path directory_;
  const Say say_;
  access::Lockout lockout_;  // in the state directory
  SignedPolicy signed_policy_;
  std::function<std::vector<Alarm>()> more_alarms_;
  std::mutex mutex_;  // of all that follows
  std::unique_ptr<audit::Log> log_;
  Text not_written_;  // why the log could not be written last; empty: it could
  // When users asked last: by the local socket, or with a certificate from an address.
  std::map<std::pair<uid_t, std::string>, std::int64_t> seen_;
};

}  // namespace meiguan::daemon
