#include "controlplane/export/connection.h"

#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>

#include "controlplane/export/socket.h"

namespace meiguan::exporting {
namespace {

constexpr std::size_t kIpv4Overhead = 28;  // of IP and UDP
constexpr std::size_t kIpv6Overhead = 48;
constexpr std::size_t kUsualMtu = 1500;  // what lies behind a first hop with more is not known
constexpr std::size_t kLeastMtu = 576;

std::string text_of(int error) { return std::generic_category().message(error); }

struct Resolved {
  addrinfo* list{nullptr};
  ~Resolved() {
    if (list != nullptr) ::freeaddrinfo(list);
  }
};

class Datagrams : public Connection {
 public:
  Datagrams(Socket socket, bool is_v6, std::uint32_t mtu)
      : socket_{std::move(socket)}, is_v6_{is_v6}, mtu_{mtu} {
    // The kernel finds the path's MTU; we never let it fragment (RFC 7011 section 10.3.3).
    const int always = is_v6 ? IPV6_PMTUDISC_DO : IP_PMTUDISC_DO;
    const int level = is_v6 ? IPPROTO_IPV6 : IPPROTO_IP;
    ::setsockopt(socket_.get(), level, is_v6 ? IPV6_MTU_DISCOVER : IP_MTU_DISCOVER, &always,
                 sizeof always);
  }

  Sent send(std::string_view message) override {
    for (;;) {
      if (::send(socket_.get(), message.data(), message.size(), MSG_NOSIGNAL) >= 0) {
        return Sent::kYes;
      }
      if (errno == EINTR) continue;
      if (errno == EMSGSIZE) return Sent::kTooLarge;
      // The answer to what was sent before; or no room or no route at the moment.
      return Sent::kRefused;
    }
  }
  bool alive() override { return true; }
  std::size_t largest_message() const override {
    std::size_t mtu = mtu_;
    if (mtu == 0) {
      int known = 0;
      socklen_t size = sizeof known;
      const bool told = ::getsockopt(socket_.get(), is_v6_ ? IPPROTO_IPV6 : IPPROTO_IP,
                                     is_v6_ ? IPV6_MTU : IP_MTU, &known, &size) == 0;
      mtu = told && known > 0 ? static_cast<std::size_t>(known) : kLeastMtu;
      mtu = std::clamp(mtu, kLeastMtu, kUsualMtu);
    }
    return mtu - (is_v6_ ? kIpv6Overhead : kIpv4Overhead);
  }

 private:
  Socket socket_;
  bool is_v6_;
  std::uint32_t mtu_;
};

class Stream : public Connection {
 public:
  Stream(Socket socket, const StopSignal& stop) : socket_{std::move(socket)}, stop_{stop} {}

  Sent send(std::string_view message) override {
    const auto until = std::chrono::steady_clock::now() + kPatience;
    while (!message.empty()) {
      const auto n = ::send(socket_.get(), message.data(), message.size(), MSG_NOSIGNAL);
      if (n > 0) {
        message.remove_prefix(static_cast<std::size_t>(n));
      } else if (errno == EAGAIN) {
        if (!wait_for(socket_, POLLOUT, until, stop_)) return Sent::kBroken;
      } else if (errno != EINTR) {
        return Sent::kBroken;
      }
    }
    return Sent::kYes;
  }
  bool alive() override {
    // A collector says nothing (RFC 7011 section 10.4): what can be read is the end.
    std::array<char, 256> heard{};
    for (;;) {
      const auto n = ::recv(socket_.get(), heard.data(), heard.size(), 0);
      if (n > 0 || (n < 0 && errno == EINTR)) continue;
      return n < 0 && errno == EAGAIN;
    }
  }
  std::size_t largest_message() const override { return kStreamMessage; }

 private:
  Socket socket_;
  const StopSignal& stop_;
};

Result<Socket> connect_to(const addrinfo& to, const IpfixSettings& settings,
                          const StopSignal& stop) {
  const auto failed = [&](int error) {
    return fail(fmt::format("{}: {}", settings.collector(), text_of(error)),
                fmt::format("{}：{}", settings.collector(), text_of(error)));
  };
  Socket socket{
      ::socket(to.ai_family, to.ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, to.ai_protocol)};
  if (socket.get() < 0) return failed(errno);
  if (::connect(socket.get(), to.ai_addr, to.ai_addrlen) == 0) return socket;
  if (errno != EINPROGRESS) return failed(errno);
  if (!wait_for(socket, POLLOUT, std::chrono::steady_clock::now() + kPatience, stop)) {
    return failed(ETIMEDOUT);
  }
  int error = 0;
  socklen_t size = sizeof error;
  ::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &error, &size);
  if (error != 0) return failed(error);
  return socket;
}

}  // namespace

StopSignal::StopSignal() : descriptor_{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)} {}

StopSignal::~StopSignal() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

void StopSignal::request() noexcept {
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto n = ::write(descriptor_, &one, sizeof one);
}

bool StopSignal::requested() const noexcept {
  pollfd wanted{descriptor_, POLLIN, 0};
  return ::poll(&wanted, 1, 0) > 0;
}

Socket::~Socket() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

bool wait_for(const Socket& socket, short events, Deadline until, const StopSignal& stop) {
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(
        until - std::chrono::steady_clock::now());
    if (left.count() <= 0) return false;
    std::array<pollfd, 2> wanted{{{socket.get(), events, 0}, {stop.descriptor(), POLLIN, 0}}};
    const int n = ::poll(wanted.data(), wanted.size(), static_cast<int>(left.count()));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0 || wanted[1].revents != 0) return false;
    if (wanted[0].revents != 0) return true;
  }
}

Result<std::unique_ptr<Connection>> Connection::open(const IpfixSettings& settings,
                                                     const StopSignal& stop) {
  const bool datagrams = settings.transport == Transport::kUdp;
  addrinfo hints{};
  hints.ai_socktype = datagrams ? SOCK_DGRAM : SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV;
  Resolved resolved;
  const int wrong = ::getaddrinfo(settings.host.c_str(), std::to_string(settings.port).c_str(),
                                  &hints, &resolved.list);
  if (wrong != 0) {
    return fail(fmt::format("{}: {}", settings.collector(), ::gai_strerror(wrong)),
                fmt::format("{}：{}", settings.collector(), ::gai_strerror(wrong)));
  }
  Result<Socket> socket = fail(settings.collector() + ": stopped",
                               settings.collector() + "：已停止");
  for (const addrinfo* at = resolved.list; at != nullptr && !stop.requested(); at = at->ai_next) {
    socket = connect_to(*at, settings, stop);
    if (!socket) continue;
    if (datagrams) {
      return std::make_unique<Datagrams>(std::move(*socket), at->ai_family == AF_INET6,
                                         settings.mtu);
    }
    if (settings.transport == Transport::kTls) return open_tls(settings, std::move(*socket), stop);
    return std::make_unique<Stream>(std::move(*socket), stop);
  }
  return std::unexpected{socket.error()};
}

}  // namespace meiguan::exporting
