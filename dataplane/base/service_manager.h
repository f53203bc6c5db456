#pragma once

// What a service manager is told, by the protocol of sd_notify(3): a datagram to the socket that
// $NOTIFY_SOCKET names. Without one nothing happens. For the main threads of programs.

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <charconv>
#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string_view>

namespace meiguan {

// `state` is one or more lines, such as "READY=1". What cannot be sent is not: nobody waits for it.
inline void tell_service_manager(std::string_view state) noexcept {
  const char* const name = std::getenv("NOTIFY_SOCKET");  // NOLINT(concurrency-mt-unsafe)
  if (name == nullptr) return;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::size_t length = std::strlen(name);
  if (length < 2 || length >= sizeof address.sun_path) return;
  std::memcpy(address.sun_path, name, length);
  if (name[0] == '@') {
    address.sun_path[0] = '\0';  // a name of the abstract kind
  } else if (name[0] != '/') {
    return;
  }
  const int socket = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (socket < 0) return;
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + length);
  (void)::sendto(socket, state.data(), state.size(), MSG_NOSIGNAL,
                 reinterpret_cast<const sockaddr*>(&address), size);
  ::close(socket);
}

// How often "WATCHDOG=1" is due: a third of what the service manager waits ($WATCHDOG_USEC, meant
// for $WATCHDOG_PID only where that is set); nothing where it does not watch.
[[nodiscard]] inline std::optional<std::chrono::milliseconds> watchdog_interval() noexcept {
  const auto number = [](const char* name) -> std::optional<long> {
    const char* const text = std::getenv(name);  // NOLINT(concurrency-mt-unsafe)
    if (text == nullptr) return std::nullopt;
    long value = 0;
    const char* const end = text + std::strlen(text);
    const auto [at, error] = std::from_chars(text, end, value);
    if (error != std::errc{} || at != end || value <= 0) return std::nullopt;
    return value;
  };
  const auto waits = number("WATCHDOG_USEC");
  if (!waits) return std::nullopt;
  if (const auto process = number("WATCHDOG_PID"); process && *process != ::getpid()) {
    return std::nullopt;
  }
  const std::chrono::milliseconds interval{*waits / 3000};
  return interval.count() > 0 ? interval : std::chrono::milliseconds{1};
}

}  // namespace meiguan
