#pragma once

// The way to one server: messages over TLS or as datagrams.

#include <chrono>
#include <memory>
#include <string_view>

#include "controlplane/syslog/settings.h"
#include "dataplane/base/result.h"

namespace meiguan::syslog {

class Link {
 public:
  virtual ~Link() = default;
  [[nodiscard]] virtual Result<void> connect(std::chrono::milliseconds within) = 0;
  // Errors: not all was sent; it has to be connected again.
  [[nodiscard]] virtual Result<void> send(std::string_view line,
                                          std::chrono::milliseconds within) = 0;
  // Errors: the server is known to be gone.
  [[nodiscard]] virtual Result<void> alive() = 0;
  // Whether nothing that was sent is still on its way, as far as that can be known.
  [[nodiscard]] virtual bool is_settled() const = 0;
  // From any thread: what is being done, and what will be, ends with an error.
  virtual void cancel() = 0;
};

// Errors: the files of tls:// cannot be used.
[[nodiscard]] Result<std::unique_ptr<Link>> make_link(const Settings& settings);

}  // namespace meiguan::syslog
