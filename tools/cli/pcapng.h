#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>

#include "controlplane/analysis/capture.h"
#include "tools/cli/out.h"

namespace meiguan::cli {

struct PcapngPacket {
  // As the flags of an enhanced packet block have it.
  enum class Direction : std::uint32_t { kUnknown = 0, kInbound = 1, kOutbound = 2 };
  std::string_view interface;
  std::uint64_t nanoseconds{0};  // since 1970
  std::span<const std::uint8_t> frame;
  std::uint32_t original_bytes{0};  // on the wire
  Direction direction{};
  std::string_view comment;
};

// A pcapng file of Ethernet frames with nanoseconds (draft-ietf-opsawg-pcapng).
class PcapngFile {
 public:
  // Owns and closes `descriptor`.
  PcapngFile(int descriptor, const std::string& path);
  ~PcapngFile();
  PcapngFile(const PcapngFile&) = delete;
  PcapngFile& operator=(const PcapngFile&) = delete;

  // The number of an interface, which is described in the file where it is new.
  std::uint32_t interface(std::string_view name);
  void write(const PcapngPacket& packet);
  // What was written can be read by whoever follows the file.
  void flush() { out_.flush(); }

 private:
  void block(std::uint32_t type);  // sends body_

  int descriptor_;
  Out out_;
  std::string body_;
  std::map<std::string, std::uint32_t, std::less<>> interfaces_;
};

// What a packet's comment begins with: the reason, and the rule's full name where one decided.
[[nodiscard]] std::string comment_of(std::string_view reason, std::string_view rule);

}  // namespace meiguan::cli
