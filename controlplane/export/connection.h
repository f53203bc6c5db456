#pragma once

// The way to a collector: UDP, TCP, or TLS. Used by one thread, which may wait; what waits ends
// when it is to stop.

#include <cstddef>
#include <memory>
#include <string_view>

#include "controlplane/export/settings.h"
#include "dataplane/base/result.h"

namespace meiguan::exporting {

// Asked to stop, once and for ever; ends what waits on `descriptor()`.
class StopSignal {
 public:
  StopSignal();
  ~StopSignal();
  StopSignal(const StopSignal&) = delete;
  StopSignal& operator=(const StopSignal&) = delete;

  void request() noexcept;
  [[nodiscard]] bool requested() const noexcept;
  [[nodiscard]] int descriptor() const noexcept { return descriptor_; }

 private:
  int descriptor_;
};

enum class Sent : unsigned char {
  kYes,       // handed to the kernel whole
  kTooLarge,  // for the path; largest_message() says now what is not
  kRefused,   // by UDP: nobody listens there; an earlier message is lost
  kBroken,    // there is no connection any more
};

class Connection {
 public:
  // Resolves, connects and, by TLS, shakes hands: at most about ten seconds. Errors: what failed.
  [[nodiscard]] static Result<std::unique_ptr<Connection>> open(const IpfixSettings& settings,
                                                                const StopSignal& stop);
  virtual ~Connection() = default;
  Connection() = default;
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  [[nodiscard]] virtual Sent send(std::string_view message) = 0;
  // Whether the other side has not ended it; by UDP always.
  [[nodiscard]] virtual bool alive() = 0;
  [[nodiscard]] virtual std::size_t largest_message() const = 0;
};

}  // namespace meiguan::exporting
