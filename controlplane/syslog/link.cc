#include "controlplane/syslog/link.h"

#include <fmt/format.h>
#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "controlplane/syslog/message.h"
#include "controlplane/web/tls_stream.h"

namespace meiguan::syslog {
namespace {

class TlsLink : public Link {
 public:
  explicit TlsLink(std::unique_ptr<web::TlsStream> stream) : stream_{std::move(stream)} {}
  Result<void> connect(std::chrono::milliseconds within) override {
    return stream_->connect(within);
  }
  Result<void> send(std::string_view line, std::chrono::milliseconds within) override {
    return stream_->send(counted(line), within);
  }
  Result<void> alive() override { return stream_->alive(); }
  [[nodiscard]] bool is_settled() const override { return stream_->is_acknowledged(); }
  void cancel() override { stream_->cancel(); }

 private:
  std::unique_ptr<web::TlsStream> stream_;
};

// A connected socket hears of a port that nobody listens on (ICMP); of nothing else.
class UdpLink : public Link {
 public:
  UdpLink(std::string name, web::Server server)
      : name_{std::move(name)}, server_{std::move(server)} {}
  ~UdpLink() override { disconnect(); }
  UdpLink(const UdpLink&) = delete;
  UdpLink& operator=(const UdpLink&) = delete;

  Result<void> connect(std::chrono::milliseconds) override {
    disconnect();
    addrinfo hints{};
    hints.ai_socktype = SOCK_DGRAM;
    addrinfo* found = nullptr;
    const auto port = std::to_string(server_.port);
    if (const int error = ::getaddrinfo(server_.host.c_str(), port.c_str(), &hints, &found);
        error != 0) {
      return failed(::gai_strerror(error));
    }
    for (const auto* one = found; one != nullptr && socket_ < 0; one = one->ai_next) {
      socket_ = ::socket(one->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
      if (socket_ >= 0 && ::connect(socket_, one->ai_addr, one->ai_addrlen) != 0) disconnect();
    }
    const int error = errno;
    ::freeaddrinfo(found);
    return socket_ >= 0 ? Result<void>{} : failed(std::strerror(error));
  }

  Result<void> send(std::string_view line, std::chrono::milliseconds) override {
    if (socket_ < 0) return failed("not connected");
    // RFC 5426 section 3.1: one datagram is one message.
    if (::send(socket_, line.data(), line.size(), MSG_NOSIGNAL) >= 0) return {};
    return failed(std::strerror(errno));
  }

  Result<void> alive() override {
    int error = 0;
    socklen_t size = sizeof error;
    if (socket_ < 0) return failed("not connected");
    if (::getsockopt(socket_, SOL_SOCKET, SO_ERROR, &error, &size) != 0) error = errno;
    return error == 0 ? Result<void>{} : failed(std::strerror(error));
  }

  [[nodiscard]] bool is_settled() const override { return socket_ >= 0; }
  void cancel() override {}

 private:
  Result<void> failed(const char* why) {
    disconnect();
    return fail(fmt::format("{}: {}", name_, why), fmt::format("{}：{}", name_, why));
  }
  void disconnect() {
    if (socket_ >= 0) ::close(socket_);
    socket_ = -1;
  }

  const std::string name_;
  const web::Server server_;
  int socket_{-1};
};

}  // namespace

Result<std::unique_ptr<Link>> make_link(const Settings& settings) {
  if (!settings.is_tls) return std::make_unique<UdpLink>(settings.name, settings.server);
  auto stream = web::TlsStream::make(settings.server, settings.tls);
  if (!stream) return std::unexpected{stream.error()};
  return std::make_unique<TlsLink>(std::move(*stream));
}

}  // namespace meiguan::syslog
