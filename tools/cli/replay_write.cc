#include "tools/cli/replay_write.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace meiguan::cli {
namespace {

// pcapng is written in this machine's byte order, as its magic says.
template <typename T>
void put(std::string& bytes, T value) {
  std::array<char, sizeof value> raw{};
  std::memcpy(raw.data(), &value, sizeof value);
  bytes.append(raw.data(), raw.size());
}

void pad_to_word(std::string& bytes) { bytes.append((4 - bytes.size() % 4) % 4, '\0'); }

void option(std::string& bytes, std::uint16_t code, std::string_view value) {
  value = value.substr(0, 65535);
  put(bytes, code);
  put(bytes, static_cast<std::uint16_t>(value.size()));
  bytes.append(value);
  pad_to_word(bytes);
}

constexpr std::uint32_t kSection = 0x0a0d0d0a, kInterface = 1, kEnhancedPacket = 6;
constexpr std::uint16_t kComment = 1, kInterfaceName = 2, kTimeResolution = 9;

}  // namespace

PcapngFile::PcapngFile(int descriptor, const std::string& path, std::string_view interface_name)
    : descriptor_{descriptor}, out_{descriptor, path} {
  put(body_, std::uint32_t{0x1a2b3c4d});
  put(body_, std::uint16_t{1});
  put(body_, std::uint16_t{0});
  put(body_, std::int64_t{-1});
  block(kSection);
  put(body_, std::uint32_t{1});  // Ethernet
  put(body_, analysis::kMaxFrameBytes);
  option(body_, kInterfaceName, interface_name);
  option(body_, kTimeResolution, "\x09");
  put(body_, std::uint32_t{0});
  block(kInterface);
}

PcapngFile::~PcapngFile() {
  out_.flush();
  ::close(descriptor_);
}

void PcapngFile::block(std::uint32_t type) {
  const auto length = static_cast<std::uint32_t>(body_.size() + 12);
  std::string head;
  put(head, type);
  put(head, length);
  put(body_, length);
  out_.write(head);
  out_.write(body_);
  body_.clear();
}

void PcapngFile::write(std::uint64_t nanoseconds, std::span<const std::uint8_t> frame,
                       std::string_view comment) {
  put(body_, std::uint32_t{0});
  put(body_, static_cast<std::uint32_t>(nanoseconds >> 32));
  put(body_, static_cast<std::uint32_t>(nanoseconds & 0xffff'ffff));
  put(body_, static_cast<std::uint32_t>(frame.size()));
  put(body_, static_cast<std::uint32_t>(frame.size()));
  // reinterpret_cast: bytes as characters.
  body_.append(reinterpret_cast<const char*>(frame.data()), frame.size());
  pad_to_word(body_);
  option(body_, kComment, comment);
  put(body_, std::uint32_t{0});
  block(kEnhancedPacket);
}

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
    std::ranges::replace(name, '/', '_');
    const auto path = (directory / (name + ".pcapng")).string();
    const int descriptor = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (descriptor < 0) {
      const int code = errno;
      return fail(fmt::format("{}: {}", path, std::strerror(code)),
                  fmt::format("{}：{}", path, std::strerror(code)));
    }
    return std::make_unique<PcapngFile>(descriptor, path, name);
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
  std::string comment{info != nullptr ? info->name : std::string_view{}};
  if (const auto rule = names_.rule_name(fate.rule); !rule.empty()) {
    comment += " ";
    comment += rule;
  }
  switch (fastpath::verdict_of(fate.reason)) {
    case fastpath::Verdict::kForward:
      if (fate.out.index() < ports_.size()) {
        ports_[fate.out.index()]->write(packet.time, packet.frame, comment);
      }
      break;
    case fastpath::Verdict::kDrop: drops_->write(packet.time, packet.original, comment); break;
    case fastpath::Verdict::kLocal: break;
  }
}

}  // namespace meiguan::cli
