// PCI ports in a tree that stands for /sys: this machine has none that could be bound and unbound.
// All else is tried on a real machine by tests/system.

#define BOOST_TEST_MODULE host
#include "controlplane/host/doctor.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <boost/test/unit_test.hpp>

namespace meiguan::host {
namespace {

namespace fs = std::filesystem;

struct Tree {
  fs::path root{fs::temp_directory_path() / fmt::format("meiguan-doctor-{}", ::getpid())};
  Tree() { fs::create_directories(root); }
  ~Tree() { fs::remove_all(root); }
};

struct Row {
  const char* name;
  const char* driver;  // null: the device is not there; empty: bound to none
  bool iommu;
  Health health;
  const char* fix;  // part of it
};

BOOST_AUTO_TEST_CASE(pci_ports) {
  const Row rows[] = {
      {"no such device", nullptr, false, Health::kBad, "--status"},
      {"bound to nothing", "", false, Health::kBad, "--bind=vfio-pci 0000:04:00.0"},
      {"bound to the kernel's driver", "ixgbe", true, Health::kBad, "--bind=vfio-pci 0000:04:00.0"},
      {"without an IOMMU", "vfio-pci", false, Health::kWarning, "intel_iommu=on"},
      {"as it should be", "vfio-pci", true, Health::kGood, ""},
      {"a card that shares its driver", "mlx5_core", false, Health::kGood, ""},
  };
  for (const Row& row : rows) {
    BOOST_TEST_CONTEXT(row.name) {
      const Tree tree;
      const fs::path device = tree.root / "sys/bus/pci/devices/0000:04:00.0";
      if (row.driver != nullptr) {
        fs::create_directories(device);
        if (*row.driver != 0)
          fs::create_symlink(fs::path{"/drivers"} / row.driver, device / "driver");
        if (row.iommu) fs::create_symlink("/groups/1", device / "iommu_group");
      }
      policy::GatewayPort port;
      port.name = "wan";
      port.device_kind = policy::DeviceKind::kPci;
      port.device = "0000:04:00.0";
      Machine machine;
      machine.root = tree.root;
      machine.ports = {&port, 1};
      const auto remarks = examine(machine);
      const auto of_port = std::ranges::find(remarks, "port wan", &Remark::check);
      BOOST_REQUIRE(of_port != remarks.end());
      BOOST_TEST((of_port->health == row.health));
      BOOST_TEST(of_port->fix.english.find(row.fix) != std::string::npos);
      BOOST_TEST(of_port->fix.chinese.empty() == of_port->fix.english.empty());
    }
  }
}

}  // namespace
}  // namespace meiguan::host
