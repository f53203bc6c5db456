#pragma once

#include <chrono>
#include <memory>
#include <string_view>

#include "controlplane/web/https_client.h"
#include "controlplane/web/tls.h"
#include "dataplane/base/result.h"

namespace meiguan::web {

// Bytes to a server over TLS (1.2 at least: what receives logs is often older than we are), whose
// chain and name are verified. What it answers is passed over. For one thread at a time, which it
// blocks.
class TlsStream {
 public:
  // Without a certificate of its own where `files.certificate` and `files.key` are empty. Errors:
  // something is wrong with the files.
  [[nodiscard]] static Result<std::unique_ptr<TlsStream>> make(Server server,
                                                               const TlsFiles& files);
  ~TlsStream();
  TlsStream(const TlsStream&) = delete;
  TlsStream& operator=(const TlsStream&) = delete;

  [[nodiscard]] Result<void> connect(std::chrono::milliseconds within);
  // Errors: not all was sent; the connection is closed.
  [[nodiscard]] Result<void> send(std::string_view bytes, std::chrono::milliseconds within);
  // Errors: the other end has closed the connection, or none was made.
  [[nodiscard]] Result<void> alive();
  // Whether the other end's kernel has acknowledged all that was sent.
  [[nodiscard]] bool is_acknowledged() const;
  void disconnect();
  // From any thread: what is being done, and what will be, ends with an error at once.
  void cancel();

 private:
  struct State;
  explicit TlsStream(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace meiguan::web
