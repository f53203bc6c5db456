#include "tools/cli/replay_write.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace meiguan::cli {

Result<ReplayFiles> ReplayFiles::create(const std::filesystem::path& directory,
                                        const policy::Catalog& catalog) {
  // The directory may be new, those above it not: a slip of the finger makes no tree.
  std::error_code error;
  std::filesystem::create_directory(directory, error);
  std::error_code ignored;
  if (!std::filesystem::is_directory(directory, ignored)) {
    const auto path = directory.string();
    return fail(fmt::format("{}: no such directory, and it cannot be made: {}", path,
                            error.message()),
                fmt::format("{}：没有该目录，也无法建立：{}", path, error.message()));
  }
  ReplayFiles files{catalog};
  const auto open = [&](std::string name) -> Result<std::unique_ptr<PcapngFile>> {
    const std::string interface { name };
    std::ranges::replace(name, '/', '_');
    const auto path = (directory / (name + ".pcapng")).string();
    const int descriptor = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (descriptor < 0) {
      const int code = errno;
      return fail(fmt::format("{}: {}", path, std::strerror(code)),
                  fmt::format("{}：{}", path, std::strerror(code)));
    }
    auto file = std::make_unique<PcapngFile>(descriptor, path);
    file->interface(interface);  // also where it stays empty
    return file;
  };
  for (const auto& port : catalog.ports) {
    auto file = open(port.name);
    if (!file) return std::unexpected{file.error()};
    files.ports_.push_back(std::move(*file));
  }
  auto drops = open("drops");
  if (!drops) return std::unexpected{drops.error()};
  files.drops_ = std::move(*drops);
  return files;
}

void ReplayFiles::write(const analysis::ReplayedPacket& packet) {
  const auto& fate = packet.fate;
  const auto* const info = fastpath::find_reason(fate.reason);
  const auto comment = comment_of(info != nullptr ? info->name : std::string_view{},
                                  names_.rule_name(fate.rule));
  const auto write = [&](PcapngFile& file, std::string_view interface,
                         std::span<const std::uint8_t> frame) {
    file.write({.interface = interface,
                .nanoseconds = packet.time,
                .frame = frame,
                .original_bytes = static_cast<std::uint32_t>(frame.size()),
                .comment = comment});
  };
  switch (fastpath::verdict_of(fate.reason)) {
    case fastpath::Verdict::kForward:
      if (fate.out.index() < ports_.size()) {
        write(*ports_[fate.out.index()], names_.port_name(fate.out), packet.frame);
      }
      break;
    case fastpath::Verdict::kDrop: write(*drops_, "drops", packet.original); break;
    case fastpath::Verdict::kLocal: break;
  }
}

}  // namespace meiguan::cli
