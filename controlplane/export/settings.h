#pragma once

// What is exported to whom, as the appliance file has it.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "dataplane/net/address.h"

namespace meiguan::exporting {

enum class Transport : std::uint8_t { kUdp, kTcp, kTls };

// RFC 5612: for documentation and for who has no number of his own.
inline constexpr std::uint32_t kExampleEnterprise = 32473;

// One collector of IPFIX (RFC 7011).
struct IpfixSettings {
  std::string host;  // an address or a name
  std::uint16_t port{4739};
  Transport transport{Transport::kUdp};
  std::uint32_t enterprise{kExampleEnterprise};  // under which our own elements stand
  std::uint32_t domain{1};                       // the observation domain
  std::chrono::seconds template_every{60};       // by UDP; also after template_messages
  std::uint32_t template_messages{1000};
  std::uint32_t mtu{0};      // of the path, by UDP; 0: what the kernel knows of it
  std::size_t queue{65536};  // records that wait; beyond, the oldest are dropped and counted
  // By TLS: who may have signed the collector's certificate, and what we show where it asks.
  std::filesystem::path ca;
  std::filesystem::path certificate;
  std::filesystem::path key;

  [[nodiscard]] std::string collector() const {
    const bool v6 = host.find(':') != std::string::npos;
    return (v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
  }
};

// Who may ask for GET /metrics, and where.
struct MetricsSettings {
  net::Address address;
  std::uint16_t port{9469};
  std::vector<net::Prefix> networks;  // whoever else connects is let go; empty: all are
  std::size_t most{500};              // units, and services, told of one by one
};

struct ExportSettings {
  std::vector<IpfixSettings> ipfix;
  std::optional<MetricsSettings> metrics;
};

}  // namespace meiguan::exporting
