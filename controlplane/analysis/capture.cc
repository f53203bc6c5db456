#include "controlplane/analysis/capture.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <limits>

namespace meiguan::analysis {
namespace {

// draft-ietf-opsawg-pcap and draft-ietf-opsawg-pcapng.
constexpr std::uint32_t kPcapMicroseconds = 0xa1b2c3d4;
constexpr std::uint32_t kPcapNanoseconds = 0xa1b23c4d;
constexpr std::size_t kPcapHeaderBytes = 24;
constexpr std::size_t kPcapRecordBytes = 16;
constexpr std::uint32_t kSectionBlock = 0x0a0d0d0a;
constexpr std::uint32_t kByteOrderMagic = 0x1a2b3c4d;
constexpr std::uint32_t kInterfaceBlock = 1;
constexpr std::uint32_t kObsoletePacketBlock = 2;
constexpr std::uint32_t kSimplePacketBlock = 3;
constexpr std::uint32_t kEnhancedPacketBlock = 6;
constexpr std::size_t kBlockOverhead = 12;  // type, length, and the length again at the end
constexpr std::uint16_t kEthernet = 1;
constexpr std::size_t kMaxInterfaces = 65536;
constexpr std::uint64_t kSecond = 1'000'000'000;
constexpr std::uint64_t kLastTime = std::numeric_limits<std::int64_t>::max();

__extension__ typedef unsigned __int128 Wide;
__extension__ typedef __int128 SignedWide;

template <typename T>
T load(const std::uint8_t* at, bool swapped) noexcept {
  T value;
  std::memcpy(&value, at, sizeof value);
  return swapped ? std::byteswap(value) : value;
}

Wide power_of_ten(unsigned exponent) noexcept {
  Wide value = 1;
  while (exponent-- > 0) value *= 10;
  return value;
}

// `ticks` of an interface's resolution as nanoseconds since 1970, held within what can be said.
std::uint64_t to_nanoseconds(std::uint64_t ticks, std::uint8_t resolution,
                             std::int64_t offset) noexcept {
  const unsigned exponent = resolution & 0x7fU;
  Wide ns = 0;
  if ((resolution & 0x80U) != 0) {
    // ticks / 2^e seconds; 2^64 * 10^9 < 2^94 fits, and a shift of 127 at most is defined.
    ns = (Wide{ticks} * kSecond) >> exponent;
  } else if (exponent <= 9) {
    ns = Wide{ticks} * power_of_ten(9 - exponent);
  } else if (exponent <= 28) {
    ns = Wide{ticks} / power_of_ten(exponent - 9);
  }
  const SignedWide shifted = static_cast<SignedWide>(ns) +
                             SignedWide{offset} * static_cast<SignedWide>(kSecond);
  if (shifted < 0) return 0;
  return static_cast<std::uint64_t>(std::min<SignedWide>(shifted, kLastTime));
}

std::uint8_t digits_of(std::uint8_t resolution) noexcept {
  return (resolution & 0x80U) != 0 ? 9 : std::min<std::uint8_t>(resolution, 9);
}

// What a frame is without the FCS that the capture says it ends with. A cut frame has lost it.
std::size_t without_fcs(std::size_t captured, std::uint32_t original, std::uint32_t fcs) noexcept {
  return captured >= original && captured >= fcs ? captured - fcs : captured;
}

}  // namespace

std::uint16_t CaptureReader::u16(std::size_t at) const noexcept {
  return load<std::uint16_t>(bytes_.data() + at, swapped_);
}
std::uint32_t CaptureReader::u32(std::size_t at) const noexcept {
  return load<std::uint32_t>(bytes_.data() + at, swapped_);
}
std::uint64_t CaptureReader::u64(std::size_t at) const noexcept {
  return load<std::uint64_t>(bytes_.data() + at, swapped_);
}

void CaptureReader::stop(const char* english, const char* chinese) {
  fault_ = Error{Text{fmt::format("{} at byte {}", english, position_),
                      fmt::format("{}（第 {} 字节处）", chinese, position_)}};
}

Result<CaptureReader> CaptureReader::open(std::span<const std::uint8_t> bytes) {
  CaptureReader reader;
  reader.bytes_ = bytes;
  if (bytes.size() < sizeof(std::uint32_t)) {
    return fail("not a capture: the file is too short for one", "不是抓包文件：文件过短");
  }
  const auto magic = reader.u32(0);
  if (magic == kSectionBlock) {
    reader.is_pcapng_ = true;
    return reader;
  }
  reader.swapped_ = magic == std::byteswap(kPcapMicroseconds) ||
                    magic == std::byteswap(kPcapNanoseconds);
  const auto native = reader.u32(0);
  if (native != kPcapMicroseconds && native != kPcapNanoseconds) {
    return fail("not a capture: neither pcap nor pcapng", "不是抓包文件：既非 pcap 也非 pcapng");
  }
  if (bytes.size() < kPcapHeaderBytes) {
    return fail("the pcap file ends inside its header", "pcap 文件在文件头内截断");
  }
  if (reader.u16(4) != 2) {
    return fail(fmt::format("pcap version {}.{}, where 2.4 is read", reader.u16(4), reader.u16(6)),
                fmt::format("pcap 版本为 {}.{}，只能读 2.4", reader.u16(4), reader.u16(6)));
  }
  const auto network = reader.u32(20);
  if ((network & 0xffffU) != kEthernet) {
    return fail(fmt::format("the capture's link type is {}, where Ethernet (1) is needed",
                            network & 0xffffU),
                fmt::format("抓包的链路类型为 {}，需要以太网（1）", network & 0xffffU));
  }
  // Bit 26 says that the length of the FCS stands in the top four bits, in 16-bit words.
  if ((network & 0x0400'0000U) != 0) reader.fcs_bytes_ = (network >> 28) * 2;
  reader.nanoseconds_ = native == kPcapNanoseconds;
  reader.position_ = kPcapHeaderBytes;
  return reader;
}

std::optional<CapturedFrame> CaptureReader::next() {
  if (fault_) return std::nullopt;
  return is_pcapng_ ? next_block() : next_record();
}

std::optional<CapturedFrame> CaptureReader::next_record() {
  const std::size_t left = bytes_.size() - position_;
  if (left == 0) return std::nullopt;
  if (left < kPcapRecordBytes) {
    stop("the capture ends inside a record header", "抓包在记录头内截断");
    return std::nullopt;
  }
  const auto captured = u32(position_ + 8);
  const auto original = u32(position_ + 12);
  if (captured > kMaxFrameBytes) {
    stop("a record says it is longer than any frame", "记录长度超过任何帧");
    return std::nullopt;
  }
  if (captured > left - kPcapRecordBytes) {
    stop("the capture ends inside a packet", "抓包在报文内截断");
    return std::nullopt;
  }
  CapturedFrame frame;
  frame.time = std::uint64_t{u32(position_)} * kSecond +
               std::uint64_t{u32(position_ + 4)} * (nanoseconds_ ? 1U : 1000U);
  frame.time_digits = nanoseconds_ ? 9 : 6;
  frame.index = packets_++;
  frame.original_bytes = original;
  if (captured < original) ++counts_.cut;
  frame.bytes = bytes_.subspan(position_ + kPcapRecordBytes,
                               without_fcs(captured, original, fcs_bytes_));
  position_ += kPcapRecordBytes + captured;
  return frame;
}

std::optional<CapturedFrame> CaptureReader::next_block() {
  for (;;) {
    const std::size_t left = bytes_.size() - position_;
    if (left == 0) return std::nullopt;
    if (left < kBlockOverhead) {
      stop("the capture ends inside a block header", "抓包在块头内截断");
      return std::nullopt;
    }
    const auto type = u32(position_);
    if (type == kSectionBlock) {
      // A section states its byte order, in which its own length is written too.
      const auto order = load<std::uint32_t>(bytes_.data() + position_ + 8, false);
      if (order != kByteOrderMagic && order != std::byteswap(kByteOrderMagic)) {
        stop("a section header without byte-order magic", "节头没有字节序标记");
        return std::nullopt;
      }
      swapped_ = order != kByteOrderMagic;
    } else if (position_ == 0) {
      stop("the capture does not begin with a section header", "抓包不以节头开始");
      return std::nullopt;
    }
    const std::size_t length = u32(position_ + 4);
    if (length < kBlockOverhead || length % 4 != 0) {
      stop("a block with an impossible length", "块长度不可能");
      return std::nullopt;
    }
    if (length > left) {
      stop("the capture ends inside a block", "抓包在块内截断");
      return std::nullopt;
    }
    if (u32(position_ + length - 4) != length) {
      stop("a block whose two lengths differ", "块首尾长度不一致");
      return std::nullopt;
    }
    const std::size_t body = position_ + 8;
    const std::size_t end = position_ + length - 4;
    std::optional<CapturedFrame> frame;
    switch (type) {
      case kSectionBlock:
        if (!read_section(body, end)) return std::nullopt;
        break;
      case kInterfaceBlock:
        if (!read_interface(body, end)) return std::nullopt;
        break;
      case kEnhancedPacketBlock:
      case kSimplePacketBlock:
      case kObsoletePacketBlock:
        frame = read_packet(type, body, end);
        if (fault_) return std::nullopt;
        break;
      default: break;  // statistics, names, comments
    }
    position_ += length;
    if (frame) return frame;
  }
}

bool CaptureReader::read_section(std::size_t body, std::size_t end) {
  if (end - body < 16) {
    stop("a section header that is too short", "节头过短");
    return false;
  }
  if (u16(body + 4) != 1) {
    stop("a pcapng version other than 1", "pcapng 版本不是 1");
    return false;
  }
  interfaces_.clear();
  return true;
}

bool CaptureReader::read_interface(std::size_t body, std::size_t end) {
  if (end - body < 8 || interfaces_.size() == kMaxInterfaces) {
    stop("an interface block that is too short, or one too many", "接口块过短或接口过多");
    return false;
  }
  Interface interface;
  interface.link_type = u16(body);
  interface.snap_length = u32(body + 4);
  std::size_t at = body + 8;
  while (end - at >= 4) {
    const auto code = u16(at);
    const std::size_t length = u16(at + 2);
    at += 4;
    if (code == 0) break;
    if (length > end - at) {
      stop("an interface option that leaves its block", "接口选项越出其块");
      return false;
    }
    if (code == 9 && length == 1) interface.resolution = bytes_[at];
    if (code == 13 && length == 1) interface.fcs_bytes = bytes_[at];
    if (code == 14 && length == 8) interface.offset = static_cast<std::int64_t>(u64(at));
    at += std::min((length + 3) & ~std::size_t{3}, end - at);
  }
  interfaces_.push_back(interface);
  return true;
}

std::optional<CapturedFrame> CaptureReader::read_packet(std::uint32_t type, std::size_t body,
                                                        std::size_t end) {
  const std::size_t header = type == kSimplePacketBlock ? 4 : 20;
  if (end - body < header) {
    stop("a packet block that is too short", "报文块过短");
    return std::nullopt;
  }
  std::size_t interface_number = 0;
  if (type == kEnhancedPacketBlock) interface_number = u32(body);
  if (type == kObsoletePacketBlock) interface_number = u16(body);
  const std::uint64_t index = packets_++;
  if (interface_number >= interfaces_.size()) {
    ++counts_.unknown_interface;
    return std::nullopt;
  }
  const Interface& interface = interfaces_[interface_number];
  if (interface.link_type != kEthernet) {
    ++counts_.other_link_type;
    return std::nullopt;
  }
  const std::size_t room = end - body - header;
  CapturedFrame frame;
  frame.index = index;
  std::size_t captured = 0;
  if (type == kSimplePacketBlock) {
    // It has no captured length of its own: the snap length of the first interface limits it.
    frame.original_bytes = u32(body);
    captured = frame.original_bytes;
    if (interface.snap_length != 0)
      captured = std::min<std::size_t>(captured, interface.snap_length);
    frame.time = last_time_;
    frame.time_digits = digits_of(interface.resolution);
  } else {
    captured = u32(body + 12);
    frame.original_bytes = u32(body + 16);
    const auto ticks = std::uint64_t{u32(body + 4)} << 32 | u32(body + 8);
    frame.time = to_nanoseconds(ticks, interface.resolution, interface.offset);
    frame.time_digits = digits_of(interface.resolution);
    last_time_ = frame.time;
  }
  if (captured > room || captured > kMaxFrameBytes) {
    stop("a packet that leaves its block or is longer than any frame",
         "报文越出其块或超过任何帧长");
    return std::nullopt;
  }
  if (captured < frame.original_bytes) ++counts_.cut;
  frame.bytes = bytes_.subspan(body + header,
                               without_fcs(captured, frame.original_bytes, interface.fcs_bytes));
  return frame;
}

}  // namespace meiguan::analysis
