#include "dataplane/channel/channel.h"

#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace meiguan::channel {
namespace {

constexpr std::size_t kMaxPayload = kMaxMessageBytes - sizeof(MessageHeader);
constexpr time_t kTimeoutSeconds = 10;

[[nodiscard]] std::unexpected<Error> closed() {
  return fail("the other end has closed the channel", "对端已关闭通道");
}

[[nodiscard]] std::unexpected<Error> failed(const char* english, const char* chinese, int error) {
  const std::string why = std::strerror(error);
  return fail(std::string{english} + ": " + why, std::string{chinese} + "：" + why);
}

// Takes over what came with a message; CMSG_DATA has no alignment to rely on.
void take_descriptors(msghdr& message, std::vector<int>& descriptors) {
  for (cmsghdr* c = CMSG_FIRSTHDR(&message); c != nullptr; c = CMSG_NXTHDR(&message, c)) {
    if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) continue;
    if (c->cmsg_len < CMSG_LEN(0)) continue;
    const std::size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int descriptor{-1};
      std::memcpy(&descriptor, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
      descriptors.push_back(descriptor);
    }
  }
}

// The two languages of a refusal: English, a zero byte, Chinese.
[[nodiscard]] Error refusal(std::span<const std::byte> payload) {
  std::string text(payload.size(), '\0');
  if (!payload.empty()) std::memcpy(text.data(), payload.data(), payload.size());
  const std::size_t zero = text.find('\0');
  if (zero == std::string::npos) return Error{Text{text, text}};
  return Error{Text{text.substr(0, zero), text.substr(zero + 1)}};
}

}  // namespace

Message::Message(Message&& other) noexcept
    : header{other.header},
      payload{std::move(other.payload)},
      descriptors{std::exchange(other.descriptors, {})} {}

Message& Message::operator=(Message&& other) noexcept {
  std::swap(header, other.header);
  std::swap(payload, other.payload);
  std::swap(descriptors, other.descriptors);
  return *this;
}

Message::~Message() {
  for (const int descriptor : descriptors) {
    if (descriptor >= 0) ::close(descriptor);
  }
}

int Message::release_descriptor(std::size_t index) noexcept {
  return index < descriptors.size() ? std::exchange(descriptors[index], -1) : -1;
}

Result<void> send(int socket, std::uint32_t type, std::uint32_t status,
                  std::span<const std::byte> payload, std::span<const int> descriptors) {
  if (payload.size() > kMaxPayload || descriptors.size() > kMaxDescriptors) {
    return fail("the message is larger than the channel carries", "消息超出通道上限");
  }
  MessageHeader header;
  header.type = type;
  header.status = status;
  header.bytes = static_cast<std::uint32_t>(payload.size());

  // sendmsg() reads through these pointers only.
  std::array<iovec, 2> parts{
      iovec{&header, sizeof header},
      iovec{const_cast<std::byte*>(payload.data()), payload.size()},
  };
  msghdr message{};
  message.msg_iov = parts.data();
  message.msg_iovlen = payload.empty() ? 1 : 2;

  alignas(cmsghdr) std::array<std::byte, CMSG_SPACE(sizeof(int) * kMaxDescriptors)> control{};
  if (!descriptors.empty()) {
    message.msg_control = control.data();
    message.msg_controllen = CMSG_SPACE(descriptors.size_bytes());
    cmsghdr* c = CMSG_FIRSTHDR(&message);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(descriptors.size_bytes());
    std::memcpy(CMSG_DATA(c), descriptors.data(), descriptors.size_bytes());
  }

  ssize_t sent{};
  do {
    sent = ::sendmsg(socket, &message, MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  if (sent >= 0) return {};
  if (errno == EPIPE || errno == ECONNRESET) return closed();
  if (errno == EAGAIN) {
    return fail("the other end does not take messages", "对端不接收消息");
  }
  return failed("cannot send on the channel", "无法在通道上发送", errno);
}

Result<Message> receive(int socket) {
  std::vector<std::byte> buffer(kMaxMessageBytes);
  iovec part{buffer.data(), buffer.size()};
  alignas(cmsghdr) std::array<std::byte, CMSG_SPACE(sizeof(int) * kMaxDescriptors)> control{};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  header.msg_control = control.data();
  header.msg_controllen = control.size();

  Message message;
  message.descriptors.reserve(kMaxDescriptors + 1);
  ssize_t got{};
  do {
    got = ::recvmsg(socket, &header, MSG_CMSG_CLOEXEC);
  } while (got < 0 && errno == EINTR);
  if (got < 0) {
    if (errno == ECONNRESET) return closed();
    if (errno == EAGAIN) return fail("no message came in time", "等待消息超时");
    return failed("cannot receive on the channel", "无法从通道接收", errno);
  }
  // From here on `message` owns what came, whatever is wrong with the rest.
  take_descriptors(header, message.descriptors);
  if (got == 0) return closed();
  if ((header.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0) {
    return fail("a message was larger than the channel carries", "收到的消息超出通道上限");
  }
  const auto bytes = static_cast<std::size_t>(got);
  if (bytes < sizeof(MessageHeader)) {
    return fail("a message was shorter than its header", "收到的消息短于消息头");
  }
  std::memcpy(&message.header, buffer.data(), sizeof(MessageHeader));
  if (message.header.version != kVersion) {
    const std::string is = std::to_string(message.header.version);
    const std::string should = std::to_string(kVersion);
    return fail("the other end speaks version " + is + " of the channel, this one " + should +
                    "; install control plane and data plane of one build",
                "对端通道版本为 " + is + "，本端为 " + should + "；请安装同一版本的控制面与数据面");
  }
  if (message.header.bytes != bytes - sizeof(MessageHeader)) {
    return fail("a message's length is not what its header says", "消息长度与消息头不符");
  }
  buffer.resize(bytes);
  buffer.erase(buffer.begin(), buffer.begin() + sizeof(MessageHeader));
  message.payload = std::move(buffer);
  return message;
}

Result<Client> Client::connect(const std::filesystem::path& socket) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string& path = socket.native();
  if (path.empty() || path.size() >= sizeof address.sun_path) {
    return fail("the socket's path is empty or longer than 107 bytes: " + path,
                "套接字路径为空或超过 107 字节：" + path);
  }
  std::copy(path.begin(), path.end(), std::begin(address.sun_path));

  const int descriptor = ::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
  if (descriptor < 0) return failed("cannot open a socket", "无法创建套接字", errno);
  Client client{descriptor};
  const timeval timeout{kTimeoutSeconds, 0};
  ::setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
  ::setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
  // The sockets interface takes every kind of address by this type.
  if (::connect(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    const std::string why = std::strerror(errno);
    return fail("cannot reach the data plane at " + path + ": " + why +
                    "; is meiguan-dataplane running?",
                "无法连接数据面 " + path + "：" + why + "；请检查 meiguan-dataplane 是否在运行");
  }
  return client;
}

Client::Client(Client&& other) noexcept : socket_{std::exchange(other.socket_, -1)} {}

Client& Client::operator=(Client&& other) noexcept {
  std::swap(socket_, other.socket_);
  return *this;
}

Client::~Client() {
  if (socket_ >= 0) ::close(socket_);
}

Result<Message> Client::ask(Request request, std::span<const std::byte> payload,
                            std::span<const int> descriptors) {
  if (socket_ < 0) return closed();
  const auto type = static_cast<std::uint32_t>(request);
  auto sent = channel::send(socket_, type, 0, payload, descriptors);
  auto answer = sent ? receive(socket_) : Result<Message>{std::unexpect, sent.error()};
  if (!answer || (answer->header.type != type && answer->header.status == 0)) {
    // A late answer must not be taken for the next request's.
    ::close(std::exchange(socket_, -1));
    if (!answer) return answer;
    return fail("the data plane answered another request", "数据面应答了另一个请求");
  }
  if (answer->header.status != 0) return std::unexpected{refusal(answer->payload)};
  return answer;
}

}  // namespace meiguan::channel
