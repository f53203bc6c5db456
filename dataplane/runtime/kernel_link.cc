#include "dataplane/runtime/kernel_link.h"

#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "dataplane/runtime/descriptor.h"

namespace meiguan::runtime::kernel_link {
namespace {

// A request about one interface, on a socket that lives as long as it.
class Query {
 public:
  explicit Query(const std::string& interface)
      : socket_{::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)} {
    fits_ = interface.size() < IFNAMSIZ;
    if (fits_) std::copy(interface.begin(), interface.end(), std::begin(request.ifr_name));
  }
  [[nodiscard]] bool ask(unsigned long what) {
    if (!fits_) {
      errno = ENODEV;
      return false;
    }
    return ::ioctl(socket_.get(), what, &request) == 0;
  }
  template <typename T>
  [[nodiscard]] bool ethtool(T& command) {
    // The kernel reads and writes the command behind this pointer.
    request.ifr_data = reinterpret_cast<char*>(&command);
    return ask(SIOCETHTOOL);
  }

  ifreq request{};

 private:
  Descriptor socket_;
  bool fits_{false};
};

// One of ethtool's old on-off settings.
void switch_off(const std::string& interface, std::uint32_t command) {
  Query query{interface};
  ethtool_value value{command, 0};
  (void)query.ethtool(value);
}

}  // namespace

std::optional<State> look(const std::string& interface) {
  State state;
  {
    Query query{interface};
    if (!query.ask(SIOCGIFFLAGS)) return std::nullopt;
    const auto flags = static_cast<unsigned>(query.request.ifr_flags);
    state.up = (flags & IFF_UP) != 0;
    state.carrier = (flags & IFF_RUNNING) != 0;
  }
  {
    Query query{interface};
    if (query.ask(SIOCGIFMTU)) {
      state.mtu = static_cast<std::uint16_t>(std::clamp(query.request.ifr_mtu, 0, 65535));
    }
  }
  {
    Query query{interface};
    if (query.ask(SIOCGIFHWADDR)) {
      std::memcpy(state.mac.data(), query.request.ifr_hwaddr.sa_data, state.mac.size());
    }
  }
  {
    Query query{interface};
    ethtool_channels channels{};
    channels.cmd = ETHTOOL_GCHANNELS;
    if (query.ethtool(channels)) {
      state.queues = std::max<std::uint32_t>(1, channels.combined_count != 0
                                                    ? channels.combined_count
                                                    : channels.rx_count);
    }
  }
  return state;
}

unsigned index(const std::string& interface) { return ::if_nametoindex(interface.c_str()); }

bool bring_up(const std::string& interface) {
  Query query{interface};
  if (!query.ask(SIOCGIFFLAGS)) return false;
  if ((query.request.ifr_flags & IFF_UP) != 0) return true;
  query.request.ifr_flags = static_cast<short>(query.request.ifr_flags | IFF_UP);
  return query.ask(SIOCSIFFLAGS);
}

bool stop_arp(const std::string& interface) {
  Query query{interface};
  if (!query.ask(SIOCGIFFLAGS)) return false;
  if ((query.request.ifr_flags & IFF_NOARP) != 0) return true;
  query.request.ifr_flags = static_cast<short>(query.request.ifr_flags | IFF_NOARP);
  return query.ask(SIOCSIFFLAGS);
}

bool set_mtu(const std::string& interface, std::uint16_t mtu) {
  Query query{interface};
  query.request.ifr_mtu = mtu;
  return query.ask(SIOCSIFMTU);
}

bool set_mac(const std::string& interface, const net::MacAddress& mac) {
  Query query{interface};
  query.request.ifr_hwaddr.sa_family = ARPHRD_ETHER;
  std::memcpy(query.request.ifr_hwaddr.sa_data, mac.data(), mac.size());
  return query.ask(SIOCSIFHWADDR);
}

void keep_frames_whole(const std::string& interface, bool keep_tags) {
  switch_off(interface, ETHTOOL_SGRO);
  Query query{interface};
  ethtool_value value{ETHTOOL_GFLAGS, 0};
  if (!query.ethtool(value)) return;
  std::uint32_t off = ETH_FLAG_LRO;
  if (keep_tags) off |= ETH_FLAG_RXVLAN;
  if ((value.data & off) == 0) return;
  value.cmd = ETHTOOL_SFLAGS;
  value.data &= ~off;
  (void)query.ethtool(value);
}

}  // namespace meiguan::runtime::kernel_link
