// What the host's table says; that the kernel takes it and keeps to it is tried by tests/system.

#include "controlplane/host/host_table.h"

#include <unistd.h>

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <fstream>

#include "controlplane/host/host_check.h"
#include "controlplane/policy/syntax.h"

namespace meiguan::host {
namespace {

HostGuard guard_of(const std::vector<const char*>& networks, const std::vector<const char*>& ports,
                   std::vector<DataPort> data_ports) {
  HostGuard guard;
  for (const char* const text : networks) {
    guard.networks.push_back(policy::parse_prefix(text).value());
  }
  for (const char* const text : ports) guard.ports.push_back(policy::parse_ports(text).value());
  guard.data_ports = std::move(data_ports);
  return guard;
}

std::size_t count(const std::vector<std::string>& lines, std::string_view word) {
  return static_cast<std::size_t>(std::ranges::count_if(lines, [&](const std::string& line) {
    return line.find(word) != std::string::npos;
  }));
}

Offer offer(const std::vector<const char*>& from, const std::vector<const char*>& services) {
  Offer made;
  for (const char* const text : from) made.from.push_back(policy::parse_prefix(text).value());
  for (const char* const text : services) {
    made.services.push_back(policy::parse_ports(text).value());
  }
  return made;
}

BOOST_AUTO_TEST_CASE(networks_become_intervals) {
  struct Row {
    const char* name;
    std::vector<const char*> networks;
    std::vector<const char*> want;  // lines of elements
  };
  const Row rows[] = {
      {"one",
       {"10.0.0.0/8"},
       {"element networks4 key 0a000000", "element networks4 key 0b000000 closes"}},
      {"one inside another",
       {"10.0.0.0/8", "10.1.0.0/16"},
       {"element networks4 key 0a000000", "element networks4 key 0b000000 closes"}},
      {"side by side",
       {"10.1.0.0/16", "10.0.0.0/16"},
       {"element networks4 key 0a000000", "element networks4 key 0a020000 closes"}},
      {"apart",
       {"10.0.0.0/16", "10.2.0.0/16"},
       {"element networks4 key 0a000000", "element networks4 key 0a010000 closes",
        "element networks4 key 0a020000", "element networks4 key 0a030000 closes"}},
      {"up to the last address", {"240.0.0.0/4"}, {"element networks4 key f0000000"}},
      {"of IPv6",
       {"2001:db8::/32"},
       {"element networks6 key 20010db8000000000000000000000000",
        "element networks6 key 20010db9000000000000000000000000 closes"}},
  };
  for (const Row& row : rows) {
    BOOST_TEST_CONTEXT(row.name) {
      auto lines = lines_of(host_table(guard_of(row.networks, {"22/tcp"}, {}), {}));
      std::erase_if(lines, [](const std::string& line) { return !line.starts_with("element"); });
      const std::vector<std::string> want(row.want.begin(), row.want.end());
      BOOST_TEST(lines == want, boost::test_tools::per_element());
    }
  }
}

BOOST_AUTO_TEST_CASE(chains_are_those_that_are_asked_for) {
  struct Row {
    const char* name;
    std::vector<const char*> ports;
    std::vector<DataPort> data_ports;
    std::vector<std::string> there;
    std::size_t input, forward, ingress;  // lines that name the chain: itself and its rules
  };
  const std::vector<DataPort> two{{"eth1", false}, {"eth2", false}};
  const Row rows[] = {
      {"nothing", {}, {}, {}, 0, 0, 0},
      {"ports of management alone", {"22/tcp", "443/tcp"}, {}, {}, 7, 0, 0},
      {"data ports alone", {}, two, {"eth1", "eth2"}, 0, 3, 2},
      {"an interface that is not there yet", {}, two, {}, 0, 3, 0},
      {"a TAP", {}, {{"tap0", true}}, {}, 0, 3, 0},
      {"a TAP that offers a service to two prefixes",
       {"22/tcp"},
       {{"tap0", true, {offer({"10.1.0.0/24", "2001:db8::/64"}, {"22/tcp"})}}},
       {},
       8,
       3,
       0},
      {"offers where no port is guarded",
       {},
       {{"tap0", true, {offer({"10.1.0.0/24"}, {"any"})}}},
       {},
       0,
       3,
       0},
  };
  for (const Row& row : rows) {
    BOOST_TEST_CONTEXT(row.name) {
      const auto lines = lines_of(
          host_table(guard_of({"10.0.0.0/8"}, row.ports, row.data_ports), row.there));
      BOOST_TEST(count(lines, " input") == row.input);
      BOOST_TEST(count(lines, " forward") == row.forward);
      BOOST_TEST(count(lines, " ingress") == row.ingress);
    }
  }
}

BOOST_AUTO_TEST_CASE(differences) {
  using Lines = std::vector<std::string>;
  struct Row {
    const char* name;
    Lines want, found;
    bool none, absent, only_ingress;
    const char* words;
  };
  const Row rows[] = {
      {"none", {"a", "b"}, {"a", "b"}, true, false, true, nullptr},
      {"gone", {"a", "b"}, {}, false, true, false, "it was not there"},
      {"one less", {"a", "b"}, {"a"}, false, false, false, "`b` was missing"},
      {"one more", {"a"}, {"a", "b"}, false, false, false, "`b` did not belong there"},
      {"twice the same", {"a"}, {"a", "a"}, false, false, false, "`a` did not belong there"},
      {"changed", {"a", "b"}, {"a", "c"}, false, false, false, "and 1 more differences"},
      {"devices",
       {"chain ingress devices a,b"},
       {"chain ingress devices a"},
       false,
       false,
       true,
       "and 1 more differences"},
  };
  for (const Row& row : rows) {
    BOOST_TEST_CONTEXT(row.name) {
      const auto difference = compare(row.want, row.found);
      BOOST_TEST(difference.none() == row.none);
      BOOST_TEST(difference.absent == row.absent);
      BOOST_TEST(difference.only_ingress() == row.only_ingress);
      if (row.words != nullptr) {
        BOOST_TEST((difference.words().english.find(row.words) != std::string::npos));
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(data_ports_of_a_gateway_file) {
  const auto file = std::filesystem::temp_directory_path() /
                    ("meiguan-data-ports-" + std::to_string(::getpid()) + ".toml");
  std::ofstream{file}
      << "[gateway]\nnode = \"360121\"\n"
         "[[port]]\nname = \"a\"\ndevice = \"af_packet:eth2\"\n"
         "[[port]]\nname = \"b\"\nparent = \"a\"\nvlan = 5\ntap = \"mg-b\"\n"
         "[[port]]\nname = \"c\"\ndevice = \"af_xdp:eth1\"\n"
         "[[port]]\nname = \"d\"\ndevice = \"pci:0000:04:00.0\"\n"
         "[[port]]\nname = \"e\"\ndevice = \"tap:tap7\"\n"
         "[[port]]\nname = \"f\"\ndevice = \"vdev:net_af_packet9,iface=eth3,qpairs=1\"\n"
         "[[port]]\nname = \"g\"\ndevice = \"vdev:net_pcap0,rx_pcap=x\"\n";
  const auto ports = data_ports_of_file(file);
  std::filesystem::remove(file);
  BOOST_REQUIRE(ports.has_value());
  const std::vector<DataPort> want{
      {"eth1", false}, {"eth2", false}, {"eth3", false}, {"mg-b", true}, {"tap7", true}};
  BOOST_TEST((*ports == want));
  BOOST_TEST(!data_ports_of_file(file).has_value());  // it is gone
}

BOOST_AUTO_TEST_CASE(data_ports_of_a_gateway_in_force) {
  std::vector<policy::GatewayPort> ports(3);
  ports[0].device_kind = policy::DeviceKind::kAfPacket;
  ports[0].device = "eth1";
  ports[0].tap = "mg-lan";
  ports[1].device_kind = policy::DeviceKind::kPci;
  ports[1].device = "0000:04:00.0";
  ports[1].tap = "mg-wan";
  ports[2].parent = PortId{0};
  std::vector<policy::GatewayLocal> locals(1);
  const auto offered = offer({"10.1.0.0/24"}, {"22/tcp"});
  locals[0].port = PortId{0};
  locals[0].from = offered.from;
  locals[0].services = offered.services;
  const std::vector<DataPort> want{{"eth1", false}, {"mg-lan", true, {offered}}, {"mg-wan", true}};
  BOOST_TEST((data_ports(ports, locals) == want));
}

}  // namespace
}  // namespace meiguan::host
