#pragma once

// Who may do what on the local socket: three administrators, each with commands of his own and none
// able to do another's (GB/T 22239 8.1.5).

#include <cstdint>
#include <map>
#include <mutex>
#include <string_view>

#include "controlplane/access/appliance.h"
#include "controlplane/access/peer.h"
#include "dataplane/base/result.h"

namespace meiguan::access {

enum class Role : std::uint8_t {
  kNone,
  kSystem,    // the box: its ports, its state
  kSecurity,  // policy, and what it does to traffic
  kAudit,     // what the others did
  kRoot,      // where no roles are configured: all
};
// `system`, `security`, `audit`, `root`; empty for none.
[[nodiscard]] std::string_view name_of(Role role) noexcept;

// The role of a user: by his own name before his groups. Someone whom groups give two roles has
// none. Where no roles are configured, root's is kRoot.
[[nodiscard]] Role role_of(const Peer& peer, const Roles& roles);

// What a command is to the audit log.
struct Command {
  std::string_view name;
  bool system;
  bool security;
  bool audit;
  bool changes;  // recorded before it is done, and not done where it cannot be
};
// The table of all commands; null for others, which nobody with a role may give.
[[nodiscard]] const Command* find_command(std::string_view name) noexcept;
[[nodiscard]] bool may(Role role, std::string_view command) noexcept;

// Users who are refused too often in a row are locked out for a while. Safe from several threads.
class Lockout {
 public:
  Lockout(std::uint32_t after, std::uint32_t minutes) : after_{after}, seconds_{minutes * 60} {}

  // Seconds that `uid` stays locked out; 0: it is not.
  [[nodiscard]] std::int64_t seconds_left(uid_t uid, std::int64_t now);
  // True where this refusal locks the user out.
  bool refused(uid_t uid, std::int64_t now);
  void allowed(uid_t uid);

 private:
  struct Count {
    std::uint32_t refusals{0};
    std::int64_t last{0};
    std::int64_t until{0};
  };
  static constexpr std::size_t kMostUsers = 4096;
  std::uint32_t after_;
  std::int64_t seconds_;
  std::mutex mutex_;
  std::map<uid_t, Count> counts_;
};

}  // namespace meiguan::access
