#include "dataplane/image/image_check.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

namespace meiguan::image {
namespace {

bool is_flag(std::uint8_t value) { return value <= 1; }

bool is_terminated(std::span<const char> text) {
  return std::ranges::find(text, '\0') != text.end();
}

}  // namespace

const char* ImageCheck::gateway() const {
  const auto ports = image_.ports();
  const std::size_t zones = image_.zones().size();
  if (ports.size() > kMaxPorts) return "too many ports";
  if (image_.meta().has_gateway > 1) return "the gateway flag";
  if (image_.meta().has_gateway == 1 && (image_.meta().workers == 0 || ports.empty())) {
    return "a gateway without workers or ports";
  }
  for (std::size_t i = 0; i < ports.size(); ++i) {
    const PortRecord& port = ports[i];
    if (!is_terminated(port.name) || !is_terminated(port.device) || !is_terminated(port.tap)) {
      return "name of a port";
    }
    if (port.device_kind > DeviceKind::kVdev || port.anti_spoof > AntiSpoof::kOff ||
        !is_flag(port.has_mac) || !is_flag(port.kernel_routes)) {
      return "a port";
    }
    if (port.kernel_routes != 0 && port.tap.front() == '\0') return "routes of a port";
    if (port.zone >= zones || port.space != image_.zones()[port.zone].space) {
      return "zone of a port";
    }
    const bool is_sub = port.device_kind == DeviceKind::kSubPort;
    if (port.parent >= ports.size() || is_sub != (port.vlan != 0) || is_sub != (port.parent != i) ||
        port.vlan > 4094) {
      return "parent of a port";
    }
    if (ports[port.parent].device_kind == DeviceKind::kSubPort) return "parent of a sub-port";
    if (port.first_address > port_addresses_ ||
        port.addresses > port_addresses_ - port.first_address) {
      return "addresses of a port";
    }
  }
  for (const RouteRecord& route : image_.routes()) {
    if (route.port >= ports.size() || route.kind > RouteKind::kNat || route.length > 128) {
      return "a route";
    }
    if (route.kind == RouteKind::kNat && route.nat >= image_.nat_prefixes().size()) {
      return "translation of a route";
    }
  }
  for (const NeighbourRecord& neighbour : image_.neighbours()) {
    if (neighbour.port >= ports.size()) return "port of a neighbour";
  }
  for (const LocalService& service : image_.local_services()) {
    if (service.port >= ports.size()) return "port of a local service";
    if (service.length > net::address_bits(service.from.family()) || !is_flag(service.whole) ||
        service.first > service.last) {
      return "a local service";
    }
  }
  return nullptr;
}

}  // namespace meiguan::image
