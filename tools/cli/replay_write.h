#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "controlplane/analysis/names.h"
#include "controlplane/analysis/replay.h"
#include "tools/cli/pcapng.h"

namespace meiguan::cli {

// What replay --write leaves: `PORT.pcapng` for each port and `drops.pcapng`, every packet with a
// comment of its reason and rule. Forwarded frames as rewritten, dropped ones as received.
class ReplayFiles {
 public:
  [[nodiscard]] static Result<ReplayFiles> create(const std::filesystem::path& directory,
                                                  const policy::Catalog& catalog);
  void write(const analysis::ReplayedPacket& packet);

 private:
  explicit ReplayFiles(const policy::Catalog& catalog) : names_{catalog} {}
  analysis::Names names_;
  std::vector<std::unique_ptr<PcapngFile>> ports_;
  std::unique_ptr<PcapngFile> drops_;
};

}  // namespace meiguan::cli
