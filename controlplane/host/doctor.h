#pragma once

// What a machine lacks for the gateway, and what to do about it: read from /proc, /sys and the
// clock, changing nothing.

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "controlplane/policy/model.h"
#include "dataplane/base/text.h"

namespace meiguan::host {

enum class Health : std::uint8_t { kGood, kWarning, kBad };

struct Remark {
  std::string check;  // "huge-pages", "port lan"
  Health health{Health::kGood};
  Text found;
  Text fix;  // empty where all is well
};

struct Machine {
  std::filesystem::path state_dir{"/var/lib/meiguan"};
  std::filesystem::path run_dir{"/run/meiguan"};
  std::span<const policy::GatewayPort> ports;  // those to be looked at
  // Where proc/ and sys/ are.
  std::filesystem::path root{"/"};
};

// All checks, those of one kind together. What cannot be read is a remark, too.
[[nodiscard]] std::vector<Remark> examine(const Machine& machine);

}  // namespace meiguan::host
