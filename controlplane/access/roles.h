#pragma once

// Who may do what on the local socket: three administrators, each with commands of his own and none
// able to do another's (GB/T 22239 8.1.5).

#include <cstdint>
#include <string_view>

#include "controlplane/access/appliance.h"
#include "controlplane/access/peer.h"

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

}  // namespace meiguan::access
