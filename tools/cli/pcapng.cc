#include "tools/cli/pcapng.h"

#include <unistd.h>

#include <array>
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
constexpr std::uint16_t kComment = 1, kFlags = 2, kInterfaceName = 2, kTimeResolution = 9;

}  // namespace

PcapngFile::PcapngFile(int descriptor, const std::string& path)
    : descriptor_{descriptor}, out_{descriptor, path} {
  put(body_, std::uint32_t{0x1a2b3c4d});
  put(body_, std::uint16_t{1});
  put(body_, std::uint16_t{0});
  put(body_, std::int64_t{-1});
  block(kSection);
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

std::uint32_t PcapngFile::interface(std::string_view name) {
  const auto [found, is_new] =
      interfaces_.try_emplace(std::string{name}, static_cast<std::uint32_t>(interfaces_.size()));
  if (is_new) {
    put(body_, std::uint32_t{1});  // Ethernet
    put(body_, analysis::kMaxFrameBytes);
    option(body_, kInterfaceName, name);
    option(body_, kTimeResolution, "\x09");
    put(body_, std::uint32_t{0});
    block(kInterface);
  }
  return found->second;
}

void PcapngFile::write(const PcapngPacket& packet) {
  const std::uint32_t number = interface(packet.interface);
  put(body_, number);
  put(body_, static_cast<std::uint32_t>(packet.nanoseconds >> 32));
  put(body_, static_cast<std::uint32_t>(packet.nanoseconds & 0xffff'ffff));
  put(body_, static_cast<std::uint32_t>(packet.frame.size()));
  put(body_, packet.original_bytes);
  // reinterpret_cast: bytes as characters.
  body_.append(reinterpret_cast<const char*>(packet.frame.data()), packet.frame.size());
  pad_to_word(body_);
  option(body_, kComment, packet.comment);
  if (packet.direction != PcapngPacket::Direction::kUnknown) {
    std::string flags;
    put(flags, static_cast<std::uint32_t>(packet.direction));
    option(body_, kFlags, flags);
  }
  put(body_, std::uint32_t{0});
  block(kEnhancedPacket);
}

std::string comment_of(std::string_view reason, std::string_view rule) {
  std::string comment{reason};
  if (!rule.empty()) {
    comment += " ";
    comment += rule;
  }
  return comment;
}

}  // namespace meiguan::cli
