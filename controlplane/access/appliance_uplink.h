#pragma once

// [uplink] and [children] of the appliance file: whom this node reports to, and who reports to it.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <vector>

#include "controlplane/policy/reporter.h"
#include "controlplane/policy/table_view.h"
#include "controlplane/web/https_client.h"
#include "controlplane/web/tls.h"
#include "dataplane/net/address.h"

namespace meiguan::access {

inline constexpr std::uint16_t kTreePort = 8444;

struct Uplink {
  web::Server parent;
  web::TlsFiles tls;                  // whose certificate's name is this node's code
  std::uint64_t bytes_per_second{0};  // 0: no cap
  std::uint64_t spool_bytes{std::uint64_t{256} << 20};
  bool flow_records{false};  // whether records of flows go up too
};

struct Children {
  net::Address address;
  std::uint16_t port{kTreePort};
  web::TlsFiles tls;
  std::vector<net::Prefix> networks;                        // nobody else is heard
  std::uint64_t flow_record_bytes{std::uint64_t{1} << 30};  // kept of those below
};

[[nodiscard]] std::optional<Uplink> read_uplink(policy::TableView& table,
                                                const std::filesystem::path& directory,
                                                policy::Reporter& reporter);
[[nodiscard]] std::optional<Children> read_children(policy::TableView& table,
                                                    const std::filesystem::path& directory,
                                                    policy::Reporter& reporter);

}  // namespace meiguan::access
