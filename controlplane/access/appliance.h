#pragma once

// The appliance file: what this box trusts, who may do what on it, how it audits. Never part of a
// policy, so that nobody who signs policy can widen his own rights.

#include <sys/types.h>

#include <cstdint>
#include <expected>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "controlplane/access/appliance_uplink.h"
#include "controlplane/audit/log.h"
#include "controlplane/export/settings.h"
#include "controlplane/lifecycle/trust.h"
#include "controlplane/policy/diagnostic.h"
#include "controlplane/policy/model.h"
#include "controlplane/syslog/settings.h"
#include "controlplane/web/tls.h"
#include "dataplane/net/address.h"

namespace meiguan::access {

inline constexpr const char* kApplianceName = "appliance.toml";

// Who has a role: a user or a group, as the system knows them.
struct Holder {
  bool is_group{false};
  id_t id{0};
  std::string name;  // as written
};

struct Roles {
  bool configured{false};  // else root may do all, and nobody else anything
  std::vector<Holder> system;
  std::vector<Holder> security;
  std::vector<Holder> audit;
  std::optional<gid_t> socket_group;  // may connect to the local socket
  std::uint32_t lock_after{5};        // refusals within lock_minutes
  std::uint32_t lock_minutes{10};
};

struct AuditChoice {
  crypto::HashKind hash{crypto::HashKind::kSha256};
  std::filesystem::path key;  // empty: one is made in the log's directory
  std::uint64_t file_bytes{std::uint64_t{16} << 20};
  std::uint64_t total_bytes{std::uint64_t{4} << 30};
  std::uint32_t keep_days{400};
};

// Who may reach the host's own ports of management, as the kernel is told (host/host_table.h).
struct Management {
  std::vector<net::Prefix> networks;
  std::vector<policy::PortMatch> ports;  // empty: nothing is said of them
};

inline constexpr std::uint16_t kApiPort = 8443;

// Where the commands of the local socket can be given over HTTPS.
struct Api {
  net::Address address;
  std::uint16_t port{kApiPort};
  web::TlsFiles tls;
  std::vector<net::Prefix> networks;  // management networks; nobody else is heard
};

// Whose a client certificate is: a user of this system, whose role he has.
struct Person {
  std::string certificate;  // its common name
  uid_t uid{0};
};

struct Appliance {
  lifecycle::Trust trust;
  bool two_persons{false};  // a second security administrator approves what is applied
  Roles roles;
  AuditChoice audit;
  exporting::ExportSettings exports;
  Management management;
  std::optional<Uplink> uplink;      // none: this node reports to nobody
  std::optional<Children> children;  // none: nobody reports to it
  std::optional<Api> api;
  std::vector<Person> persons;
  std::vector<syslog::Settings> syslog;
};

// Reads `path`, a file or a directory with an appliance.toml; keys lie beside it. Errors: all that
// are wrong with it, users and groups that the system does not know among them.
[[nodiscard]] std::expected<Appliance, policy::Diagnostics> load_appliance(
    const std::filesystem::path& path);

}  // namespace meiguan::access
