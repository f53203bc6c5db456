#pragma once

// Reader of capture files: pcap in both byte orders with microseconds or nanoseconds, and pcapng
// with its sections, interfaces and the enhanced, simple and obsolete packet blocks.
//
// The bytes are hostile: every length is compared with what is left before it is used, nothing is
// read twice, and a fault ends the reading with what came before it intact. A packet of pcapng that
// is not of a known Ethernet interface is no fault: it is counted and passed over.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "dataplane/base/result.h"

namespace meiguan::analysis {

// No frame of a capture is longer (libpcap's own limit); a record that says so is malformed.
inline constexpr std::uint32_t kMaxFrameBytes = 262144;

struct CapturedFrame {
  std::span<const std::uint8_t> bytes;  // what the capture holds, without FCS
  std::uint64_t index{0};               // in its file from 0, packets passed over included
  std::uint32_t original_bytes{0};      // on the wire; more than bytes.size() where it was cut
  std::uint64_t time{0};                // nanoseconds since 1970-01-01 UTC
  std::uint8_t time_digits{6};          // digits after the second that the capture has, at most 9
};

// Packets that were read and not as they were on an Ethernet wire.
struct CaptureCounts {
  std::uint64_t other_link_type{0};    // passed over
  std::uint64_t unknown_interface{0};  // passed over
  std::uint64_t cut{0};                // returned, shorter than on the wire

  [[nodiscard]] std::uint64_t passed_over() const noexcept {
    return other_link_type + unknown_interface;
  }
};

class CaptureReader {
 public:
  // `bytes` must outlive the reader. Errors: neither pcap nor pcapng, a version or a link type
  // other than Ethernet (of pcap; of pcapng every interface has its own).
  [[nodiscard]] static Result<CaptureReader> open(std::span<const std::uint8_t> bytes);

  // The next frame; nothing at the end and from the first fault on.
  [[nodiscard]] std::optional<CapturedFrame> next();

  // What is wrong where reading ended early; nothing after a clean end.
  [[nodiscard]] const std::optional<Error>& fault() const noexcept { return fault_; }
  [[nodiscard]] const CaptureCounts& counts() const noexcept { return counts_; }
  // Bytes of the file that will not be read again.
  [[nodiscard]] std::size_t position() const noexcept { return position_; }

 private:
  struct Interface {
    std::uint16_t link_type{0};
    std::uint32_t snap_length{0};
    std::uint8_t resolution{6};  // if_tsresol: a power of ten, or of two with bit 7
    std::int64_t offset{0};      // if_tsoffset, seconds
    std::uint32_t fcs_bytes{0};
  };

  CaptureReader() = default;
  [[nodiscard]] std::uint16_t u16(std::size_t at) const noexcept;
  [[nodiscard]] std::uint32_t u32(std::size_t at) const noexcept;
  [[nodiscard]] std::uint64_t u64(std::size_t at) const noexcept;
  [[nodiscard]] std::optional<CapturedFrame> next_record();
  [[nodiscard]] std::optional<CapturedFrame> next_block();
  [[nodiscard]] bool read_section(std::size_t body, std::size_t end);
  [[nodiscard]] bool read_interface(std::size_t body, std::size_t end);
  // Nothing where the packet is passed over, and with a fault.
  [[nodiscard]] std::optional<CapturedFrame> read_packet(std::uint32_t type, std::size_t body,
                                                         std::size_t end);
  void stop(const char* english, const char* chinese);

  std::span<const std::uint8_t> bytes_;
  std::size_t position_{0};
  bool is_pcapng_{false};
  bool swapped_{false};      // the file's byte order is not this machine's
  bool nanoseconds_{false};  // of pcap
  std::uint32_t fcs_bytes_{0};
  std::uint64_t last_time_{0};
  std::uint64_t packets_{0};
  CaptureCounts counts_;
  std::vector<Interface> interfaces_;
  std::optional<Error> fault_;
};

}  // namespace meiguan::analysis
