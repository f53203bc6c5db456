#include "controlplane/access/roles.h"

#include <algorithm>
#include <array>

namespace meiguan::access {
namespace {

// What everybody with a role may see is what the box does as a whole; who was denied what, what is
// in packets, and what the policy was and is, is the security administrator's.
constexpr std::array<Command, 33> kCommands{{
    // name             system security audit  changes
    {"status", true, true, true, false},         {"top", true, true, false, false},
    {"ports", true, false, false, false},        {"capture", false, true, false, true},
    {"stats", true, true, false, false},         {"nodes", true, true, false, false},
    {"month", true, true, false, false},         {"past-flows", false, true, false, false},
    {"flows", false, true, false, false},        {"drops", false, true, false, false},
    {"attacks", false, true, false, false},      {"hits", false, true, false, false},
    {"port-blocks", false, true, false, false},  {"dry-run", false, true, false, false},
    {"history", false, true, false, false},      {"revision", false, true, false, false},
    {"apply", false, true, false, true},         {"reload", false, true, false, true},
    {"confirm", false, true, false, true},       {"abort", false, true, false, true},
    {"rollback", false, true, false, true},      {"approve", false, true, false, true},
    {"block-add", false, true, false, true},     {"block-remove", false, true, false, true},
    {"block-import", false, true, false, true},  {"block-list", false, true, false, false},
    {"block-export", false, true, false, false}, {"audit-show", false, false, true, false},
    {"audit-verify", false, false, true, false}, {"audit-sign", false, false, true, true},
    {"routes", true, true, false, false},        {"capture-read", false, true, false, false},
    {"capture-end", false, true, false, false},
}};

bool has(const std::vector<Holder>& holders, const Peer& peer, bool groups) {
  return std::ranges::any_of(holders, [&](const Holder& holder) {
    if (holder.is_group != groups) return false;
    if (!groups) return holder.id == peer.uid;
    return holder.id == peer.gid || std::ranges::find(peer.groups, holder.id) != peer.groups.end();
  });
}

}  // namespace

std::string_view name_of(Role role) noexcept {
  switch (role) {
    case Role::kNone: return "";
    case Role::kSystem: return "system";
    case Role::kSecurity: return "security";
    case Role::kAudit: return "audit";
    case Role::kRoot: return "root";
  }
  return "";
}

Role role_of(const Peer& peer, const Roles& roles) {
  if (!roles.configured) return peer.is_root() ? Role::kRoot : Role::kNone;
  for (const bool groups : {false, true}) {
    const std::array<std::pair<bool, Role>, 3> found{
        {{has(roles.system, peer, groups), Role::kSystem},
         {has(roles.security, peer, groups), Role::kSecurity},
         {has(roles.audit, peer, groups), Role::kAudit}}};
    const auto count = std::ranges::count(found, true, &std::pair<bool, Role>::first);
    if (count > 1) return Role::kNone;
    if (count == 1) {
      return std::ranges::find(found, true, &std::pair<bool, Role>::first)->second;
    }
  }
  return Role::kNone;
}

const Command* find_command(std::string_view name) noexcept {
  const auto* const found = std::ranges::find(kCommands, name, &Command::name);
  return found == kCommands.end() ? nullptr : found;
}

bool may(Role role, std::string_view command) noexcept {
  if (role == Role::kRoot) return true;
  const auto* const known = find_command(command);
  if (known == nullptr) return false;
  return (role == Role::kSystem && known->system) || (role == Role::kSecurity && known->security) ||
         (role == Role::kAudit && known->audit);
}

}  // namespace meiguan::access
