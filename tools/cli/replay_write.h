#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "controlplane/analysis/names.h"
#include "controlplane/analysis/replay.h"
#include "tools/cli/out.h"

namespace meiguan::cli {

// One pcapng file of Ethernet frames with nanoseconds.
class PcapngFile {
 public:
  // Owns and closes `descriptor`.
  PcapngFile(int descriptor, const std::string& path, std::string_view interface_name);
  ~PcapngFile();
  PcapngFile(const PcapngFile&) = delete;
  PcapngFile& operator=(const PcapngFile&) = delete;

  void write(std::uint64_t nanoseconds, std::span<const std::uint8_t> frame,
             std::string_view comment);

 private:
  void block(std::uint32_t type);  // sends body_

  int descriptor_;
  Out out_;
  std::string body_;
};

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
