#pragma once

// The kernel's interfaces that the data plane works on.

#include <expected>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "controlplane/policy/diagnostic.h"
#include "controlplane/policy/model.h"

namespace meiguan::host {

// What of the machine itself a [[local]] offers, and to whom.
struct Offer {
  std::vector<net::Prefix> from;
  std::vector<policy::PortMatch> services;
  bool operator==(const Offer&) const = default;
};

struct DataPort {
  std::string interface;
  // A TAP, be it the port's device or the machine's own interface behind it: the kernel is the
  // neighbour at its other end, and what comes in by it is the data plane's own output. On all
  // others the kernel only sees a copy of what the data plane takes.
  bool is_tap{false};
  std::vector<Offer> offers{};
  bool operator==(const DataPort&) const = default;
};

// Sorted, each once. PCI ports have no interface, nor have the virtual devices that name none.
[[nodiscard]] std::vector<DataPort> data_ports(std::span<const policy::GatewayPort> ports,
                                               std::span<const policy::GatewayLocal> locals);

// The same of a gateway file by itself: of all that stands in it only `device` and `tap` are read,
// so that no policy is needed, and a mistake elsewhere leaves nothing unguarded; nothing is offered
// by it. Errors: a file that cannot be read or is no TOML.
[[nodiscard]] std::expected<std::vector<DataPort>, policy::Diagnostics> data_ports_of_file(
    const std::filesystem::path& gateway);

}  // namespace meiguan::host
