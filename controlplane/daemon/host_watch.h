#pragma once

// Keeps the host's own table (host/host_table.h) as it should be: put in place, looked at every
// minute, put right, and told of.

#include <boost/json/object.hpp>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "controlplane/access/appliance.h"
#include "controlplane/host/data_ports.h"
#include "controlplane/host/host_check.h"
#include "controlplane/host/host_table.h"
#include "dataplane/base/text.h"

namespace meiguan::daemon {

[[nodiscard]] host::HostGuard host_guard(const access::Management& management,
                                         std::vector<host::DataPort> ports);

// Puts the table in place once, with the data ports of that gateway file; where the kernel is what
// forwards, none, and nothing passes until there is a policy. Exit code of the program.
[[nodiscard]] int put_host_table(const access::Management& management, bool in_kernel,
                                 const std::filesystem::path& gateway,
                                 const std::function<void(const Text&)>& say,
                                 const std::function<void(const policy::Diagnostics&)>& report);

class HostWatch {
 public:
  struct Settings {
    access::Management management;
    std::chrono::seconds interval{60};
    std::function<std::vector<host::DataPort>()> ports;  // as the gateway in force has them
    std::function<void(const Text&)> say;
    // For the audit log: an event and its detail.
    std::function<void(const std::string&, boost::json::object)> note;
  };

  // Looks at once, then after every interval, and within a second where the data ports change.
  explicit HostWatch(Settings settings);
  HostWatch(const HostWatch&) = delete;
  HostWatch& operator=(const HostWatch&) = delete;

  // Adds what is wrong, or was within the last day, to "alarms" of the answer to `status`.
  void add_alarms(boost::json::object& answer) const;

 private:
  using Clock = std::chrono::steady_clock;
  void run(const std::stop_token& stop);
  void look(const std::vector<host::DataPort>& ports);
  void mend(host::Netlink& netlink, const host::NftTable& want, const host::Difference& difference,
            bool expected);
  void fails(const Text& why);

  const Settings settings_;
  std::vector<host::DataPort> ports_;      // at the last look
  std::map<std::string, unsigned> there_;  // interfaces and their numbers then
  bool looked_{false};

  mutable std::mutex mutex_;  // of what follows
  std::condition_variable_any wake_;
  std::string trouble_;  // the table cannot be seen to; empty: it can
  std::string changed_;  // what was wrong with it last
  Clock::time_point changed_at_{};

  std::jthread thread_;  // ends before all else goes
};

}  // namespace meiguan::daemon
