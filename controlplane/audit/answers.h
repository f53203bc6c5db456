#pragma once

// What is asked of an audit log, as JSON: the same for the daemon's answers and offline.

#include <boost/json/object.hpp>
#include <cstddef>
#include <filesystem>
#include <string>

#include "controlplane/audit/verify.h"

namespace meiguan::audit {

// "schema": "meiguan.audit-verify/v1", "whole", what was counted, "flaws": kind, file, line,
// record, message.
[[nodiscard]] boost::json::object to_json(const Verdict& verdict);

struct Wanted {
  std::string user;   // empty: all
  std::string event;  // empty: all
  std::string since;  // text of a time, as in records; empty: from the first on
  std::size_t last{100};
};
// The records that are wanted, the last ones, oldest first: "schema": "meiguan.audit/v1", "rows".
// Errors: no log.
[[nodiscard]] Result<boost::json::object> records(const std::filesystem::path& directory,
                                                  const Wanted& wanted);

}  // namespace meiguan::audit
