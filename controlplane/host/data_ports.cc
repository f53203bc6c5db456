#include "controlplane/host/data_ports.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "controlplane/policy/reporter.h"
#include "controlplane/policy/source.h"
#include "controlplane/policy/table_view.h"
#include "controlplane/policy/toml_document.h"

namespace meiguan::host {
namespace {

struct Kind {
  std::string_view word;
  policy::DeviceKind kind;
};
constexpr std::array<Kind, 4> kKinds{{{"af_xdp:", policy::DeviceKind::kAfXdp},
                                      {"af_packet:", policy::DeviceKind::kAfPacket},
                                      {"tap:", policy::DeviceKind::kTap},
                                      {"vdev:", policy::DeviceKind::kVdev}}};

// "net_af_packet0,iface=eth1,qpairs=2": DPDK's name of an interface in its arguments.
std::string interface_of_vdev(std::string_view device) {
  constexpr std::string_view kKey = ",iface=";
  const auto key = device.find(kKey);
  if (key == std::string_view::npos) return {};
  const auto value = device.substr(key + kKey.size());
  return std::string{value.substr(0, value.find(','))};
}

void add(policy::DeviceKind kind, const std::string& device, std::vector<DataPort>& ports) {
  switch (kind) {
    case policy::DeviceKind::kAfXdp:
    case policy::DeviceKind::kAfPacket: ports.push_back({device, false, {}}); break;
    case policy::DeviceKind::kTap: ports.push_back({device, true, {}}); break;
    case policy::DeviceKind::kPci: break;
    case policy::DeviceKind::kVdev:
      ports.push_back({interface_of_vdev(device), device.starts_with("net_tap"), {}});
      break;
  }
  if (!ports.empty() && ports.back().interface.empty()) ports.pop_back();
}

std::vector<DataPort> in_order(std::vector<DataPort> ports) {
  std::ranges::stable_sort(ports, {}, &DataPort::interface);
  ports.erase(std::ranges::unique(ports).begin(), ports.end());
  return ports;
}

}  // namespace

std::vector<DataPort> data_ports(std::span<const policy::GatewayPort> ports,
                                 std::span<const policy::GatewayLocal> locals) {
  std::vector<DataPort> result;
  for (std::size_t i = 0; i < ports.size(); ++i) {
    if (ports[i].device_kind) add(*ports[i].device_kind, ports[i].device, result);
    if (ports[i].tap.empty()) continue;
    DataPort machine{ports[i].tap, true, {}};
    for (const auto& local : locals) {
      if (local.port.index() == i) machine.offers.push_back({local.from, local.services});
    }
    result.push_back(std::move(machine));
  }
  return in_order(std::move(result));
}

std::expected<std::vector<DataPort>, policy::Diagnostics> data_ports_of_file(
    const std::filesystem::path& gateway) {
  std::vector<policy::SourceFile> files;
  policy::Reporter reporter{files};
  policy::read_single_file(gateway, true, files, reporter);
  std::vector<DataPort> result;
  if (!files.empty()) {
    policy::for_each_table(0, files[0].text, reporter, [&](const policy::TomlTable& table) {
      if (table.name != "port") return;
      policy::TableView view("[[port]]", table.place, table.members, reporter);
      if (const auto tap = view.word("tap"); tap && !tap->text.empty()) {
        result.push_back({tap->text, true, {}});
      }
      const auto device = view.word("device");
      if (!device) return;
      for (const auto& [word, kind] : kKinds) {
        if (device->text.starts_with(word)) add(kind, device->text.substr(word.size()), result);
      }
    });
  }
  if (reporter.has_errors()) return std::unexpected{reporter.take()};
  return in_order(std::move(result));
}

}  // namespace meiguan::host
