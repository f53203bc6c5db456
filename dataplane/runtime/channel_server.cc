#include "dataplane/runtime/channel_server.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <span>
#include <system_error>

namespace meiguan::runtime {
namespace {

constexpr int kEvents = 16;

std::unexpected<Failure> cannot(const char* english, const char* chinese,
                                const std::filesystem::path& path) {
  const char* why = std::strerror(errno);
  return environment(
      fmt::format("cannot {} {}: {}; run as a user who may, or choose another --run-dir", english,
                  path.native(), why),
      fmt::format("无法{} {}：{}；请以有权限的用户运行，或另选 --run-dir", chinese, path.native(),
                  why));
}

std::vector<std::byte> refusal_bytes(const Text& text) {
  const std::string joined = text.english + '\0' + text.chinese;
  const auto bytes = std::as_bytes(std::span{joined});
  return {bytes.begin(), bytes.end()};
}

void add_to(int poll, int descriptor) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = descriptor;
  ::epoll_ctl(poll, EPOLL_CTL_ADD, descriptor, &event);
}

}  // namespace

Outcome<ChannelServer> ChannelServer::listen(const std::filesystem::path& run_dir,
                                             Handler handler) {
  ChannelServer server;
  server.handler_ = std::move(handler);
  const std::filesystem::path socket = run_dir / "dataplane.sock";

  std::error_code error;
  std::filesystem::create_directories(run_dir, error);
  // Held by the process that owns the socket, so that a stale socket can be told from a live one.
  const std::filesystem::path lock = run_dir / "dataplane.lock";
  server.lock_ = Descriptor{::open(lock.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600)};
  if (!server.lock_) return cannot("open", "打开", lock);
  if (::flock(server.lock_.get(), LOCK_EX | LOCK_NB) != 0) {
    return environment(
        fmt::format("another data plane already serves {}; end it, or choose another --run-dir",
                    run_dir.native()),
        fmt::format("{} 已有数据面在运行；请先停止它，或另选 --run-dir", run_dir.native()));
  }

  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string& path = socket.native();
  if (path.size() >= sizeof address.sun_path) {
    return configuration(
        fmt::format("{} is too long for a socket's path (at most 107 bytes); choose a shorter "
                    "--run-dir",
                    path),
        fmt::format("{} 作为套接字路径过长（最多 107 字节）；请选更短的 --run-dir", path));
  }
  std::copy(path.begin(), path.end(), std::begin(address.sun_path));
  server.listener_ = Descriptor{
      ::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
  ::unlink(path.c_str());
  // Nobody else may connect between bind() and chmod().
  const mode_t mask = ::umask(0177);
  // The sockets interface takes every kind of address by this type.
  const int bound = ::bind(server.listener_.get(), reinterpret_cast<const sockaddr*>(&address),
                           sizeof address);
  ::umask(mask);
  if (bound != 0) return cannot("listen at", "监听", socket);
  server.socket_ = socket;
  if (::chmod(path.c_str(), 0660) != 0 ||
      ::listen(server.listener_.get(), static_cast<int>(kMostClients)) != 0) {
    return cannot("listen at", "监听", socket);
  }
  server.poll_ = Descriptor{::epoll_create1(EPOLL_CLOEXEC)};
  if (!server.poll_) return cannot("listen at", "监听", socket);
  add_to(server.poll_.get(), server.listener_.get());
  return server;
}

ChannelServer::~ChannelServer() {
  // Moved-from servers hold no lock; the others own the socket's name.
  if (lock_ && !socket_.empty()) ::unlink(socket_.c_str());
}

void ChannelServer::watch(int descriptor) {
  watched_ = descriptor;
  add_to(poll_.get(), descriptor);
}

bool ChannelServer::serve(std::chrono::microseconds most) {
  std::array<epoll_event, kEvents> events;
  const timespec time{most.count() / 1'000'000, most.count() % 1'000'000 * 1000};
  const int count = ::epoll_pwait2(poll_.get(), events.data(), kEvents, &time, nullptr);
  bool seen = false;
  for (int i = 0; i < count; ++i) {
    const int descriptor = events[static_cast<std::size_t>(i)].data.fd;
    if (descriptor == watched_) {
      seen = true;
    } else if (descriptor == listener_.get()) {
      accept();
    } else {
      answer(descriptor);
    }
  }
  return seen;
}

void ChannelServer::accept() {
  Descriptor client{::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK)};
  if (!client || clients_.size() >= kMostClients) return;
  const int descriptor = client.get();
  clients_.emplace(descriptor, std::move(client));
  add_to(poll_.get(), descriptor);
}

void ChannelServer::answer(int client) {
  auto request = channel::receive(client);
  // A client that talks nonsense is told so once; one that has gone does not hear it.
  Result<void> sent{};
  if (!request) {
    (void)channel::send(client, 0, 1, refusal_bytes(request.error().message), {});
    clients_.erase(client);
    return;
  }
  const std::uint32_t type = request->header.type;
  const auto answer = handler_(*request);
  if (answer) {
    sent = channel::send(client, type, 0, answer->payload, answer->descriptors);
  } else {
    sent = channel::send(client, type, 1, refusal_bytes(answer.error().message), {});
  }
  // One who does not take the answers would stand in the way of others.
  if (!sent) clients_.erase(client);
}

}  // namespace meiguan::runtime
