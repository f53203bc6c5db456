#include "dataplane/runtime/packet_sockets.h"

#include <dirent.h>
#include <linux/if_packet.h>
#include <sys/socket.h>

#include <charconv>
#include <cstring>
#include <memory>
#include <string_view>

namespace meiguan::runtime {
namespace {

struct CloseDirectory {
  void operator()(DIR* directory) const noexcept { ::closedir(directory); }
};

bool takes_frames_of(int descriptor, unsigned interface) noexcept {
  sockaddr_ll bound{};
  socklen_t bytes = sizeof bound;
  return ::getsockname(descriptor, reinterpret_cast<sockaddr*>(&bound), &bytes) == 0 &&
         bound.sll_family == AF_PACKET && bound.sll_ifindex == static_cast<int>(interface);
}

}  // namespace

void PacketSockets::find(unsigned interface) {
  sockets_.clear();
  const std::unique_ptr<DIR, CloseDirectory> all{::opendir("/proc/self/fd")};
  if (all == nullptr || interface == 0) return;
  while (const dirent* const entry = ::readdir(all.get())) {
    const std::string_view name{entry->d_name};
    int descriptor = -1;
    const auto read = std::from_chars(name.data(), name.data() + name.size(), descriptor);
    if (read.ec != std::errc{} || !takes_frames_of(descriptor, interface)) continue;
    sockets_.push_back(descriptor);
  }
}

std::uint64_t PacketSockets::dropped() noexcept {
  for (const int socket : sockets_) {
    tpacket_stats counted{};
    socklen_t bytes = sizeof counted;
    if (::getsockopt(socket, SOL_PACKET, PACKET_STATISTICS, &counted, &bytes) == 0) {
      dropped_ += counted.tp_drops;
    }
  }
  return dropped_;
}

}  // namespace meiguan::runtime
