#pragma once

// The kernel's interface of a port: a TAP with the port's MAC, MTU and addresses, opened by the
// main thread alone, so that no worker ever waits for the kernel. It goes with this process.

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "dataplane/base/result.h"
#include "dataplane/runtime/descriptor.h"
#include "dataplane/runtime/interfaces.h"

namespace meiguan::runtime {

class Tap {
 public:
  // Makes the interface and sets it up as `port` is. Errors: no permission, no /dev/net/tun, the
  // name is taken.
  [[nodiscard]] static Result<Tap> open(const Interface& port);

  [[nodiscard]] const std::string& name() const noexcept { return name_; }
  // Of the kernel's numbering; 0: it is gone.
  [[nodiscard]] unsigned index() const noexcept { return index_; }
  // MAC, MTU and addresses as `port` has them: what is missing is put back, what the port no longer
  // has is taken away; others' addresses are left.
  [[nodiscard]] Result<void> agree(const Interface& port);
  // False where the kernel has no room, or the interface is gone.
  bool write(std::span<const std::uint8_t> frame) noexcept;
  // The next frame that the kernel sends, in `room`; empty: there is none.
  [[nodiscard]] std::span<const std::uint8_t> read(std::span<std::uint8_t> room) noexcept;
  // Somebody has removed the interface.
  [[nodiscard]] bool gone() const noexcept;

 private:
  Tap(Descriptor device, std::string name) : device_{std::move(device)}, name_{std::move(name)} {}

  Descriptor device_;
  std::string name_;
  unsigned index_{0};
  std::vector<image::PortAddress> addresses_;  // that were given
};

}  // namespace meiguan::runtime
