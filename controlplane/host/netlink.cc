#include "controlplane/host/netlink.h"

#include <fmt/format.h>
#include <libmnl/libmnl.h>
#include <libnftnl/common.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <cerrno>
#include <cstring>

namespace meiguan::host {
namespace {

constexpr int kTries = 20;                // of a dump that changes while it is read
constexpr std::size_t kAnswer = 1 << 16;  // one datagram of the kernel's
constexpr std::size_t kQuestion = 8192;   // a message without lists
constexpr int kReceiveRoom = 4 << 20;
constexpr timeval kPatience{5, 0};  // the kernel answers at once, or something is badly wrong

void set_room(int file, int forced, int wanted, int bytes) {
  if (::setsockopt(file, SOL_SOCKET, forced, &bytes, sizeof bytes) == 0) return;
  static_cast<void>(::setsockopt(file, SOL_SOCKET, wanted, &bytes, sizeof bytes));
}

// Messages begin at multiples of 4 bytes.
std::uint32_t aligned(std::uint32_t length) { return (length + 3) & ~3U; }

}  // namespace

Batch::Batch() : scratch_(kMessageRoom + kQuestion) { mark(true); }

void Batch::mark(bool begin) {
  auto* const buffer = reinterpret_cast<char*>(scratch_.data());
  const nlmsghdr* const header = begin ? nftnl_batch_begin(buffer, sequence_++)
                                       : nftnl_batch_end(buffer, sequence_++);
  bytes_.insert(bytes_.end(), scratch_.data(), scratch_.data() + aligned(header->nlmsg_len));
}

void Batch::add(std::uint16_t type, std::uint16_t family, std::uint16_t flags, const Build& build) {
  nlmsghdr* const header = nftnl_nlmsg_build_hdr(reinterpret_cast<char*>(scratch_.data()), type,
                                                 family, flags | NLM_F_ACK, sequence_++);
  build(*header);
  bytes_.insert(bytes_.end(), scratch_.data(), scratch_.data() + aligned(header->nlmsg_len));
}

void Netlink::Close::operator()(mnl_socket* socket) const noexcept { mnl_socket_close(socket); }

Result<Netlink> Netlink::open() {
  mnl_socket* const socket = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
  if (socket == nullptr || mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) < 0) {
    const char* const why = std::strerror(errno);
    if (socket != nullptr) mnl_socket_close(socket);
    return fail(fmt::format("the kernel's nftables cannot be asked: {}", why),
                fmt::format("无法访问内核的 nftables：{}", why));
  }
  const int file = mnl_socket_get_fd(socket);
  set_room(file, SO_RCVBUFFORCE, SO_RCVBUF, kReceiveRoom);
  static_cast<void>(::setsockopt(file, SOL_SOCKET, SO_RCVTIMEO, &kPatience, sizeof kPatience));
  return Netlink{socket};
}

// The kernel works a batch off inside the call that sends it: every answer lies ready then. All
// messages ask for one, so that silence is no success.
std::expected<void, int> Netlink::commit(Batch batch) {
  const std::uint32_t last = batch.sequence_ - 1;
  batch.mark(false);
  const int file = mnl_socket_get_fd(socket_.get());
  set_room(file, SO_SNDBUFFORCE, SO_SNDBUF, static_cast<int>(batch.bytes_.size() * 2 + kAnswer));
  set_room(file, SO_RCVBUFFORCE, SO_RCVBUF,
           kReceiveRoom + static_cast<int>(batch.sequence_) * 1024);
  if (mnl_socket_sendto(socket_.get(), batch.bytes_.data(), batch.bytes_.size()) < 0) {
    return std::unexpected{errno};
  }
  std::vector<char> room(kAnswer);
  int failed = 0;
  bool done = false;
  for (;;) {
    const ssize_t got = ::recv(file, room.data(), room.size(), MSG_DONTWAIT);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) break;
    if (got <= 0) return std::unexpected{got < 0 ? errno : EIO};
    int left = static_cast<int>(got);
    for (auto* header = reinterpret_cast<const nlmsghdr*>(room.data()); mnl_nlmsg_ok(header, left);
         header = mnl_nlmsg_next(header, &left)) {
      if (header->nlmsg_type != NLMSG_ERROR) continue;
      const auto* const error = static_cast<const nlmsgerr*>(mnl_nlmsg_get_payload(header));
      if (error->error != 0 && failed == 0) failed = -error->error;
      done = done || header->nlmsg_seq == last;
    }
  }
  if (failed != 0) return std::unexpected{failed};
  if (!done) return std::unexpected{EIO};
  return {};
}

std::expected<void, int> Netlink::dump(std::uint16_t type, std::uint16_t family,
                                       const Batch::Build& build, const Take& take,
                                       const std::function<void()>& again) {
  std::vector<char> room(kAnswer);
  for (int tries = 0; tries < kTries; ++tries) {
    again();
    std::vector<char> question(kQuestion);
    nlmsghdr* const header = nftnl_nlmsg_build_hdr(question.data(), type, family, NLM_F_DUMP,
                                                   ++sequence_);
    build(*header);
    if (mnl_socket_sendto(socket_.get(), header, header->nlmsg_len) < 0) {
      return std::unexpected{errno};
    }
    int failed = 0;
    for (bool more = true; more;) {
      const ssize_t got = mnl_socket_recvfrom(socket_.get(), room.data(), room.size());
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) return std::unexpected{got < 0 ? errno : EIO};
      int left = static_cast<int>(got);
      for (auto* message = reinterpret_cast<const nlmsghdr*>(room.data());
           mnl_nlmsg_ok(message, left); message = mnl_nlmsg_next(message, &left)) {
        if (message->nlmsg_seq != sequence_) continue;
        if ((message->nlmsg_flags & NLM_F_DUMP_INTR) != 0) failed = EINTR;
        if (message->nlmsg_type == NLMSG_DONE) {
          more = false;
        } else if (message->nlmsg_type == NLMSG_ERROR) {
          const auto* const error = static_cast<const nlmsgerr*>(mnl_nlmsg_get_payload(message));
          failed = -error->error;
          more = false;
        } else {
          take(*message);
        }
      }
    }
    if (failed == 0) return {};
    if (failed != EINTR) return std::unexpected{failed};
  }
  return std::unexpected{EINTR};
}

}  // namespace meiguan::host
