#include "controlplane/export/metrics_server.h"

#include <fmt/format.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

namespace meiguan::exporting {
namespace {

// An address of ours as the kernel takes it; returns its length.
socklen_t write_address(const net::Address& address, std::uint16_t port, sockaddr_storage& into) {
  if (address.family() == net::Family::kIpv4) {
    sockaddr_in v4{};
    v4.sin_family = AF_INET;
    v4.sin_port = htons(port);
    std::memcpy(&v4.sin_addr, address.wire(), 4);
    std::memcpy(&into, &v4, sizeof v4);
    return sizeof v4;
  }
  sockaddr_in6 v6{};
  v6.sin6_family = AF_INET6;
  v6.sin6_port = htons(port);
  std::memcpy(&v6.sin6_addr, address.wire(), 16);
  std::memcpy(&into, &v6, sizeof v6);
  return sizeof v6;
}

net::Address read_address(const sockaddr_storage& from) {
  std::array<std::uint8_t, 16> bytes{};
  if (from.ss_family == AF_INET) {
    sockaddr_in v4{};
    std::memcpy(&v4, &from, sizeof v4);
    std::memcpy(bytes.data(), &v4.sin_addr, 4);
    return net::Address::v4_wire(bytes.data());
  }
  sockaddr_in6 v6{};
  std::memcpy(&v6, &from, sizeof v6);
  std::memcpy(bytes.data(), &v6.sin6_addr, 16);
  return net::Address::v6_wire(bytes.data());
}

std::uint16_t port_of(const Socket& socket) {
  sockaddr_storage bound{};
  socklen_t size = sizeof bound;
  if (::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&bound), &size) != 0) return 0;
  sockaddr_in v4{};
  std::memcpy(&v4, &bound, sizeof v4);
  return ntohs(v4.sin_port);  // of both families at the same place
}

bool same_word(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, [](unsigned char x, unsigned char y) {
    return std::tolower(x) == std::tolower(y);
  });
}

// The value of a header of a whole request, empty where it has none.
std::string_view header_of(std::string_view request, std::string_view name) {
  for (std::size_t at = request.find("\r\n"); at != std::string_view::npos;
       at = request.find("\r\n", at + 2)) {
    const auto line = request.substr(at + 2, request.find("\r\n", at + 2) - at - 2);
    const auto colon = line.find(':');
    if (colon != std::string_view::npos && same_word(line.substr(0, colon), name)) {
      return line.substr(colon + 1);
    }
  }
  return {};
}

std::string response(std::string_view status, std::string_view type, const std::string& body,
                     bool with_body = true, std::string_view more = {}) {
  return fmt::format(
      "HTTP/1.1 {}\r\nContent-Type: {}\r\nContent-Length: {}\r\nConnection: close\r\n"
      "Cache-Control: no-store\r\n{}\r\n{}",
      status, type, body.size(), more, with_body ? body : std::string{});
}

std::string refusal(std::string_view status, std::string_view more = {}) {
  return response(status, "text/plain; charset=utf-8", std::string{status} + "\n", true, more);
}

}  // namespace

Result<std::unique_ptr<MetricsServer>> MetricsServer::start(const MetricsSettings& settings,
                                                            Make make,
                                                            std::chrono::milliseconds patience) {
  const bool v4 = settings.address.family() == net::Family::kIpv4;
  Socket socket{::socket(v4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
  sockaddr_storage at{};
  const auto size = write_address(settings.address, settings.port, at);
  const int on = 1;
  ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (socket.get() < 0 || ::bind(socket.get(), reinterpret_cast<sockaddr*>(&at), size) != 0 ||
      ::listen(socket.get(), static_cast<int>(kClients)) != 0) {
    const auto why = std::generic_category().message(errno);
    const auto where = net::to_string(settings.address) + ", " + std::to_string(settings.port);
    return fail(fmt::format("[metrics] listen: {}: {}", where, why),
                fmt::format("[metrics] listen：{}：{}", where, why));
  }
  const auto port = port_of(socket);
  return std::unique_ptr<MetricsServer>{
      new MetricsServer{settings, std::move(make), patience, std::move(socket), port}};
}

MetricsServer::MetricsServer(const MetricsSettings& settings, Make make,
                             std::chrono::milliseconds patience, Socket socket, std::uint16_t port)
    : settings_{settings},
      make_{std::move(make)},
      patience_{patience},
      socket_{std::move(socket)},
      port_{port} {
  thread_ = std::thread{[this] { run(); }};
}

MetricsServer::~MetricsServer() {
  stop_.request();
  thread_.join();
}

void MetricsServer::run() {
  while (!stop_.requested()) {
    std::vector<pollfd> wanted{{stop_.descriptor(), POLLIN, 0}};
    // With as many clients as there may be, others wait at the door.
    const bool open = clients_.size() < kClients;
    wanted.push_back({open ? socket_.get() : -1, POLLIN, 0});
    auto until = std::chrono::steady_clock::now() + std::chrono::seconds{60};
    for (const auto& client : clients_) {
      const short events = client.answer.empty() ? POLLIN : POLLOUT;
      wanted.push_back({client.socket.get(), events, 0});
      until = std::min(until, client.until);
    }
    const auto wait = std::chrono::ceil<std::chrono::milliseconds>(
        until - std::chrono::steady_clock::now());
    ::poll(wanted.data(), wanted.size(), static_cast<int>(std::max<std::int64_t>(wait.count(), 0)));
    const auto now = std::chrono::steady_clock::now();
    std::size_t i = 2;
    std::erase_if(clients_, [&](Client& client) {
      const bool ready = wanted[i++].revents != 0;
      return client.until <= now || (ready && !go_on(client));
    });
    if (wanted[1].revents != 0) accept();
  }
}

void MetricsServer::accept() {
  sockaddr_storage from{};
  socklen_t size = sizeof from;
  Socket socket{::accept4(socket_.get(), reinterpret_cast<sockaddr*>(&from), &size,
                          SOCK_NONBLOCK | SOCK_CLOEXEC)};
  if (socket.get() < 0) {
    // Without descriptors it would come back at once, and again.
    if (errno != EAGAIN && errno != EINTR) {
      pollfd stop{stop_.descriptor(), POLLIN, 0};
      ::poll(&stop, 1, 100);
    }
    return;
  }
  const auto address = read_address(from);
  const bool known = settings_.networks.empty() ||
                     std::ranges::any_of(settings_.networks, [&](const net::Prefix& network) {
                       return network.family() == address.family() && network.contains(address);
                     });
  if (!known) return;
  Client client;
  client.socket = std::move(socket);
  client.until = std::chrono::steady_clock::now() + patience_;
  clients_.push_back(std::move(client));
}

bool MetricsServer::go_on(Client& client) {
  while (client.answer.empty()) {
    std::array<char, 2048> heard{};
    const auto n = ::recv(client.socket.get(), heard.data(), heard.size(), 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return true;
    if (n <= 0) return false;
    client.request.append(heard.data(), static_cast<std::size_t>(n));
    if (client.request.find("\r\n\r\n") != std::string::npos) {
      client.answer = answer_to(client.request);
    } else if (client.request.size() > kMaxRequest) {
      client.answer = refusal("431 Request Header Fields Too Large");
    }
  }
  while (client.sent < client.answer.size()) {
    const auto n = ::send(client.socket.get(), client.answer.data() + client.sent,
                          client.answer.size() - client.sent, MSG_NOSIGNAL);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return true;
    if (n <= 0) return false;
    client.sent += static_cast<std::size_t>(n);
  }
  ::shutdown(client.socket.get(), SHUT_WR);
  return false;
}

std::string MetricsServer::answer_to(const std::string& request) {
  const std::string_view line = std::string_view{request}.substr(0, request.find("\r\n"));
  const auto first = line.find(' ');
  const auto second = line.rfind(' ');
  if (first == std::string_view::npos || first == second ||
      !line.substr(second + 1).starts_with("HTTP/1.")) {
    return refusal("400 Bad Request");
  }
  const auto method = line.substr(0, first);
  auto target = line.substr(first + 1, second - first - 1);
  target = target.substr(0, target.find('?'));
  if (target != "/metrics") return refusal("404 Not Found");
  if (method != "GET" && method != "HEAD") {
    return refusal("405 Method Not Allowed", "Allow: GET, HEAD\r\n");
  }
  const auto format = format_for(header_of(request, "accept"));
  return response("200 OK", content_type(format), make_(format), method == "GET");
}

}  // namespace meiguan::exporting
