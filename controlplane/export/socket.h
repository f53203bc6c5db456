#pragma once

// A connected socket that does not block, and waiting for it.

#include <chrono>
#include <utility>

#include "controlplane/export/connection.h"

namespace meiguan::exporting {

class Socket {
 public:
  Socket() = default;
  explicit Socket(int descriptor) noexcept : descriptor_{descriptor} {}
  ~Socket();
  Socket(Socket&& other) noexcept : descriptor_{std::exchange(other.descriptor_, -1)} {}
  Socket& operator=(Socket&& other) noexcept {
    std::swap(descriptor_, other.descriptor_);
    return *this;
  }
  [[nodiscard]] int get() const noexcept { return descriptor_; }

 private:
  int descriptor_{-1};
};

using Deadline = std::chrono::steady_clock::time_point;

// For `events` of poll(2); false: it took too long, or it is to stop.
[[nodiscard]] bool wait_for(const Socket& socket, short events, Deadline until,
                            const StopSignal& stop);

// Shakes hands on a connected socket of TCP (TLS 1.2 at least, the collector's certificate
// verified). Errors: what is wrong with files or with the other side.
[[nodiscard]] Result<std::unique_ptr<Connection>> open_tls(const IpfixSettings& settings,
                                                           Socket socket, const StopSignal& stop);

inline constexpr std::chrono::seconds kPatience{10};  // with a peer that does not answer
inline constexpr std::size_t kStreamMessage = 16'384;

}  // namespace meiguan::exporting
