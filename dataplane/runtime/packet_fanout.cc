// DPDK's net_af_packet joins a fanout group with PACKET_FANOUT_FLAG_DEFRAG and has no option
// against it: the kernel would put IPv4 fragments together before the gateway sees them, so that a
// datagram larger than a ring frame arrives cut short, and a smaller one is judged as a packet that
// was never on the wire. The flag is taken off here, on its way to the kernel; nothing else is
// changed. (packet(7), PACKET_FANOUT; drivers/net/af_packet/rte_eth_af_packet.c in DPDK 22.11.)

#include <linux/if_packet.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>
#include <cstring>

extern "C" __attribute__((visibility("default"))) int setsockopt(int socket, int level, int name,
                                                                 const void* value,
                                                                 socklen_t bytes) noexcept {
  std::uint32_t fanout{};
  if (level == SOL_PACKET && name == PACKET_FANOUT && bytes == sizeof fanout) {
    std::memcpy(&fanout, value, sizeof fanout);
    fanout &= ~(std::uint32_t{PACKET_FANOUT_FLAG_DEFRAG} << 16);
    value = &fanout;
  }
  return static_cast<int>(::syscall(SYS_setsockopt, socket, level, name, value, bytes));
}
