#pragma once

// What the socket answers about the policy's life.

#include <boost/json/object.hpp>
#include <cstdint>

#include "controlplane/access/peer.h"
#include "controlplane/daemon/changes.h"
#include "controlplane/daemon/cut_flows.h"

namespace meiguan::daemon {

// Whether this command is one of those that change the policy or tell of its revisions.
[[nodiscard]] bool is_change_command(std::string_view command) noexcept;

// The answer to such a command: apply, reload, rollback, confirm, abort, dry-run, history,
// revision.
[[nodiscard]] boost::json::object change_answer(const boost::json::object& request,
                                                const access::Peer& peer, Changes& changes,
                                                Link& link);

}  // namespace meiguan::daemon
