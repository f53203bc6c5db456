#pragma once

// The host's own table `inet meiguan`: what must not get past the gateway by way of the kernel,
// whatever else the host does. A packet that one table drops is gone, so no other program's rules
// can lift it; no other table is touched.
//
//   ingress   nothing that comes in by a data port goes on into the kernel: not to its bridges,
//             VLANs, routes or sockets. The data plane has had its copy before.
//   input     management ports are reached from the management networks (and the host itself) only,
//             and by a TAP from where a [[local]] offers them
//   forward   nothing is forwarded from or to a data port or the TAP behind one, by whatever way it
//             came

#include <span>
#include <string>
#include <vector>

#include "controlplane/host/data_ports.h"
#include "controlplane/host/nft_table.h"
#include "controlplane/policy/model.h"
#include "dataplane/net/address.h"

namespace meiguan::host {

inline constexpr const char* kHostTable = "meiguan";

struct HostGuard {
  std::vector<net::Prefix> networks;     // from where the ports may be reached
  std::vector<policy::PortMatch> ports;  // of tcp, udp or sctp; none: nothing is said of input
  std::vector<DataPort> data_ports;
};

// Devices of ingress are those of `there`, for the kernel takes no others.
[[nodiscard]] NftTable host_table(const HostGuard& guard, std::span<const std::string> there);

// Those data ports that the kernel has now, but for TAPs: what ingress can be asked for.
[[nodiscard]] std::vector<std::string> interfaces_there(const HostGuard& guard);

}  // namespace meiguan::host
