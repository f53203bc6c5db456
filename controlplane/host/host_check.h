#pragma once

// Whether the host's table in the kernel is what it should be.

#include <string>
#include <vector>

#include "controlplane/host/nft_table.h"
#include "dataplane/base/result.h"
#include "dataplane/base/text.h"

namespace meiguan::host {

// Lines of read_table().
struct Difference {
  bool absent{false};                // there is no table at all
  std::vector<std::string> missing;  // what should be there and is not
  std::vector<std::string> foreign;  // what is there and should not be

  [[nodiscard]] bool none() const noexcept { return missing.empty() && foreign.empty(); }
  // All of it is about the devices of ingress: interfaces come and go.
  [[nodiscard]] bool only_ingress() const;
  // "the rule ... was missing, and 2 more differences"
  [[nodiscard]] Text words() const;
};

[[nodiscard]] Difference compare(const std::vector<std::string>& want,
                                 const std::vector<std::string>& found);

[[nodiscard]] Result<Difference> check_table(Netlink& netlink, const NftTable& want);

}  // namespace meiguan::host
