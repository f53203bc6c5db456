#pragma once

#include <cstdint>
#include <string>

#include "controlplane/web/https_client.h"
#include "controlplane/web/tls.h"

namespace meiguan::syslog {

inline constexpr std::uint16_t kTlsPort = 6514;  // RFC 5425 section 4.1
inline constexpr std::uint16_t kUdpPort = 514;   // RFC 5426 section 3.3
inline constexpr std::size_t kMostServers = 4;

// Who is told: a [[syslog]] table of the appliance file.
struct Settings {
  std::string name;  // as written: "tls://siem.example:6514"; also that of its position
  bool is_tls{true};
  web::Server server;
  web::TlsFiles tls;                    // of tls://
  std::uint32_t events_per_second{10};  // denials and attacks; 0: none
};

}  // namespace meiguan::syslog
