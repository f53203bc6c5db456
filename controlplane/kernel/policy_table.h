#pragma once

// A policy image as a table of the kernel's nftables, for boxes without a data plane:
//
//   forward --a data port at either end--> ours: state of the flow; a flow of this generation
//   passes
//     else  judge: in-port ----------------------------+
//           source address ----- ends4, ends6 -> class +-> row ----+
//           destination address -> class of destination            +-> verdict
//             + out-port: must be the one of the image's route     |
//             + protocol, port ------------------------> column ---+
//
// The tables are those of verdicts.h. A flow carries the generation that admitted it as its mark
// (ct mark), and is judged again, by its first packet's addresses, when that is no longer the one
// in force.

#include <optional>
#include <string>
#include <vector>

#include "controlplane/host/nft_table.h"
#include "controlplane/kernel/verdicts.h"
#include "controlplane/policy/catalog.h"
#include "dataplane/image/reader.h"

namespace meiguan::kernel {

inline constexpr const char* kPolicyTable = "meiguan-policy";

// The kernel's interface of a port: of a sub-port the parent's with `.VLAN` behind it.
[[nodiscard]] std::string interface_of(const image::Image& image, PortId port);

[[nodiscard]] host::NftTable policy_table(const image::Image& image, const policy::Catalog& catalog,
                                          const Verdicts& verdicts, std::uint32_t generation);

// What stands in its place before there is a policy: the kernel forwards nothing.
[[nodiscard]] host::NftTable closed_table();

}  // namespace meiguan::kernel
