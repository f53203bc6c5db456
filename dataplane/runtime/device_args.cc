#include "dataplane/runtime/device_args.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>

namespace meiguan::runtime {
namespace {

// TPACKET2_HDRLEN and the address behind it, rounded up; they stand before each frame in the ring.
constexpr std::uint32_t kRingFrameHeader = 128;
constexpr std::uint32_t kRingBytes = 4U << 20;  // of one direction of one queue
constexpr std::uint32_t kRingBlock = 64U << 10;
constexpr std::size_t kLongestName = 15;  // IFNAMSIZ less the zero byte

bool is_interface_name(std::string_view name) noexcept {
  return !name.empty() && name.size() <= kLongestName && name != "." && name != ".." &&
         std::ranges::none_of(name, [](char c) {
           return c == '/' || c == ':' || c == ',' || c == '=' || c == '[' || c == ']' ||
                  static_cast<unsigned char>(c) <= ' ';
         });
}

}  // namespace

std::uint32_t buffer_room(std::uint16_t mtu) noexcept {
  return std::max(2048U, std::bit_ceil(frame_bytes(mtu) + kRingFrameHeader));
}

std::string device_target(std::string_view device) {
  using namespace std::string_view_literals;
  for (const std::string_view kind : {"af_xdp:"sv, "af_packet:"sv, "tap:"sv, "pci:"sv, "vdev:"sv}) {
    if (device.starts_with(kind)) return std::string{device.substr(kind.size())};
  }
  return std::string{device};
}

Outcome<DeviceArgs> device_args(const DeviceRequest& request) {
  const std::string& target = request.target;
  const bool of_kernel = request.kind == image::DeviceKind::kAfXdp ||
                         request.kind == image::DeviceKind::kAfPacket ||
                         request.kind == image::DeviceKind::kTap;
  if (of_kernel && !is_interface_name(target)) {
    return configuration(
        fmt::format("'{}' cannot be the name of a network interface (1 to 15 characters, none of "
                    "/ : , =)",
                    target),
        fmt::format("“{}”不能作为网络接口名（1 至 15 个字符，不含 / : , =）", target));
  }
  switch (request.kind) {
    case image::DeviceKind::kAfXdp:
      // The kernel drives the queue; polling it from here as well only costs system calls.
      return DeviceArgs{"vdev", fmt::format("net_af_xdp{}", request.index),
                        fmt::format("iface={},start_queue=0,queue_count={},busy_budget=0", target,
                                    request.queues)};
    case image::DeviceKind::kAfPacket: {
      const std::uint32_t frame = buffer_room(request.mtu);
      const std::uint32_t block = std::max(frame, kRingBlock);
      return DeviceArgs{"vdev", fmt::format("net_af_packet{}", request.index),
                        fmt::format("iface={},qpairs={},blocksz={},framesz={},framecnt={},"
                                    "qdisc_bypass=1",
                                    target, request.queues, block, frame, kRingBytes / frame)};
    }
    case image::DeviceKind::kTap:
      return DeviceArgs{"vdev", fmt::format("net_tap{}", request.index),
                        fmt::format("iface={}", target)};
    case image::DeviceKind::kPci:
      if (target.empty()) break;
      return DeviceArgs{"pci", target, ""};
    case image::DeviceKind::kVdev: {
      const std::size_t comma = target.find(',');
      const std::string name = target.substr(0, comma);
      if (!name.starts_with("net_")) {
        return configuration(
            fmt::format("vdev '{}' is not a network device of DPDK; its name begins with net_",
                        name),
            fmt::format("vdev“{}”不是 DPDK 网络设备；名称应以 net_ 开头", name));
      }
      return DeviceArgs{"vdev", name,
                        comma == std::string::npos ? std::string{} : target.substr(comma + 1)};
    }
    case image::DeviceKind::kSubPort: break;
  }
  return configuration("a port without a device", "端口没有设备");
}

}  // namespace meiguan::runtime
