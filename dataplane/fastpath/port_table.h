#pragma once

// What a worker keeps of the ports besides the image: the devices' MACs, and which sub-port a VLAN
// tag was last found to mean.

#include <array>
#include <cstdint>

#include "dataplane/base/strong_id.h"
#include "dataplane/image/reader.h"
#include "dataplane/net/address.h"

namespace meiguan::fastpath {

// fe80::/64 and the modified EUI-64 of the MAC (RFC 4291 appendix A).
[[nodiscard]] constexpr net::Address link_local_of(const net::MacAddress& mac) noexcept {
  return net::Address::v6({0xfe, 0x80, 0, 0, 0, 0, 0, 0, static_cast<std::uint8_t>(mac[0] ^ 2),
                           mac[1], mac[2], 0xff, 0xfe, mac[3], mac[4], mac[5]});
}

class PortTable {
 public:
  void set_mac(PortId port, const net::MacAddress& mac) noexcept {
    if (port.index() < macs_.size()) macs_[port.index()] = mac;
  }

  void set_up(PortId port, bool up) noexcept {
    if (port.index() < down_.size()) down_[port.index()] = up ? 0 : 1;
  }
  [[nodiscard]] bool is_up(PortId port) const noexcept { return down_[port.index()] == 0; }

  // The image's MAC of the port, else the device's, else the same of its parent; zero: unknown.
  [[nodiscard]] net::MacAddress mac(const image::Image& image, PortId port) const noexcept {
    const image::PortRecord& record = image.ports()[port.index()];
    if (record.has_mac != 0) return record.mac;
    if (macs_[port.index()] != net::MacAddress{} || record.parent == port.value()) {
      return macs_[port.index()];
    }
    const image::PortRecord& parent = image.ports()[record.parent];
    return parent.has_mac != 0 ? parent.mac : macs_[record.parent];
  }

  // As Image::sub_port, which searches all ports; `generation` is the image's.
  [[nodiscard]] PortId sub_port(const image::Image& image, std::uint32_t generation, PortId port,
                                std::uint16_t vlan) noexcept {
    const std::uint32_t key = std::uint32_t{port.value()} << 16 | vlan;
    Tag& tag = tags_[(key ^ key >> 16) % kTags];
    if (tag.key != key || tag.generation != generation) {
      tag = {key, generation, image.sub_port(port, vlan)};
    }
    return tag.sub_port;
  }

 private:
  struct Tag {
    std::uint32_t key{0};
    std::uint32_t generation{0};
    PortId sub_port;
  };
  static constexpr std::uint32_t kTags = 256;

  std::array<Tag, kTags> tags_{};
  std::array<net::MacAddress, image::kMaxPorts> macs_{};
  std::array<std::uint8_t, image::kMaxPorts> down_{};
};

}  // namespace meiguan::fastpath
