#include "dataplane/runtime/tap.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <libmnl/libmnl.h>
#include <linux/if_addr.h>
#include <linux/if_tun.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>

#include "dataplane/runtime/kernel_link.h"

namespace meiguan::runtime {
namespace {

std::unexpected<Error> refused(const std::string& name, const char* english, const char* chinese) {
  const int error = errno;
  return fail(
      fmt::format("TAP '{}': cannot {}: {}; /dev/net/tun and CAP_NET_ADMIN are needed, and a "
                  "name that no other interface has",
                  name, english, std::strerror(error)),
      fmt::format("TAP“{}”：无法{}：{}；需要 /dev/net/tun、CAP_NET_ADMIN，且名称未被占用", name,
                  chinese, std::strerror(error)));
}

using Socket = std::unique_ptr<mnl_socket, decltype([](mnl_socket* s) { ::mnl_socket_close(s); })>;

// Adds an address to an interface or takes it off; 0 or the kernel's error.
int change_address(unsigned index, const image::PortAddress& address, bool add) {
  const Socket socket{::mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC)};
  if (!socket || ::mnl_socket_bind(socket.get(), 0, MNL_SOCKET_AUTOPID) < 0) return errno;
  alignas(nlmsghdr) std::array<char, 512> room{};
  nlmsghdr* message = ::mnl_nlmsg_put_header(room.data());
  message->nlmsg_type = add ? RTM_NEWADDR : RTM_DELADDR;
  message->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
  if (add) message->nlmsg_flags |= NLM_F_CREATE | NLM_F_EXCL;
  auto* body = static_cast<ifaddrmsg*>(::mnl_nlmsg_put_extra_header(message, sizeof(ifaddrmsg)));
  const bool v4 = address.address.family() == net::Family::kIpv4;
  body->ifa_family = v4 ? AF_INET : AF_INET6;
  body->ifa_prefixlen = address.length;
  body->ifa_flags = v4 ? 0 : IFA_F_NODAD;  // the wire's side has announced it
  body->ifa_scope = RT_SCOPE_UNIVERSE;
  body->ifa_index = index;
  const std::size_t bytes = v4 ? 4 : 16;
  ::mnl_attr_put(message, IFA_LOCAL, bytes, address.address.wire());
  ::mnl_attr_put(message, IFA_ADDRESS, bytes, address.address.wire());
  if (::mnl_socket_sendto(socket.get(), message, message->nlmsg_len) < 0) return errno;
  std::array<char, 4096> answer;
  const auto got = ::mnl_socket_recvfrom(socket.get(), answer.data(), answer.size());
  if (got < 0) return errno;
  const int result = ::mnl_cb_run(answer.data(), static_cast<std::size_t>(got), message->nlmsg_seq,
                                  ::mnl_socket_get_portid(socket.get()), nullptr, nullptr);
  return result < 0 ? errno : 0;
}

bool same(const image::PortAddress& a, const image::PortAddress& b) noexcept {
  return a.address == b.address && a.length == b.length;
}

}  // namespace

Result<Tap> Tap::open(const Interface& port) {
  Descriptor device{::open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC)};
  if (!device) return refused(port.tap, "open /dev/net/tun", "打开 /dev/net/tun");
  ifreq request{};
  std::copy_n(port.tap.begin(), std::min<std::size_t>(port.tap.size(), IFNAMSIZ - 1),
              std::begin(request.ifr_name));
  request.ifr_flags = static_cast<short>(IFF_TAP | IFF_NO_PI | IFF_TUN_EXCL);
  if (::ioctl(device.get(), TUNSETIFF, &request) != 0) {
    return refused(port.tap, "create it", "创建");
  }
  Tap tap{std::move(device), port.tap};
  if (auto set = tap.agree(port); !set) return std::unexpected{set.error()};
  return tap;
}

Result<void> Tap::agree(const Interface& port) {
  index_ = ::if_nametoindex(name_.c_str());
  const auto state = kernel_link::look(name_);
  if (index_ == 0 || !state) return refused(name_, "find it", "找到该接口");
  if (state->mac != port.mac && !kernel_link::set_mac(name_, port.mac)) {
    return refused(name_, "set its MAC", "设置 MAC");
  }
  if (state->mtu != port.mtu && !kernel_link::set_mtu(name_, port.mtu)) {
    return refused(name_, "set its MTU", "设置 MTU");
  }
  if (!state->up && !kernel_link::bring_up(name_)) return refused(name_, "bring it up", "启用");
  for (const image::PortAddress& old : addresses_) {
    const bool stays = std::ranges::any_of(port.addresses,
                                           [&](const auto& a) { return same(a, old); });
    if (!stays) (void)change_address(index_, old, false);
  }
  addresses_ = port.addresses;
  for (const image::PortAddress& own : port.addresses) {
    if (const int error = change_address(index_, own, true); error != 0 && error != EEXIST) {
      errno = error;
      return refused(name_, "give it its addresses", "设置地址");
    }
  }
  return {};
}

bool Tap::write(std::span<const std::uint8_t> frame) noexcept {
  return ::write(device_.get(), frame.data(), frame.size()) == static_cast<ssize_t>(frame.size());
}

std::span<const std::uint8_t> Tap::read(std::span<std::uint8_t> room) noexcept {
  const ssize_t got = ::read(device_.get(), room.data(), room.size());
  if (got <= 0) return {};
  return room.first(static_cast<std::size_t>(got));
}

bool Tap::gone() const noexcept { return ::if_nametoindex(name_.c_str()) != index_; }

}  // namespace meiguan::runtime
