#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "controlplane/web/tls.h"
#include "dataplane/base/result.h"

namespace meiguan::web {

struct Server {
  std::string host;  // a name, or an address without brackets
  std::uint16_t port{0};
};
// "https://host:port", "https://[2001:db8::1]:8443"; a path other than / is an error, and so is a
// missing port where `default_port` is 0.
[[nodiscard]] Result<Server> parse_server(std::string_view url, std::uint16_t default_port);
// The same without a scheme: "host:port".
[[nodiscard]] Result<Server> parse_host_port(std::string_view text, std::uint16_t default_port);

struct ClientSettings {
  Server server;
  TlsFiles tls;
  std::size_t answer_bytes{std::size_t{256} << 20};  // an answer that is larger is an error
};

struct Answer {
  unsigned status{0};
  std::string content_type;
  std::string body;
};

// One kept connection to an HTTPS server whose chain and name (of the certificate, for `host`) are
// verified. For one thread at a time, which it blocks; it is connected at the first question and
// again after an error.
class HttpsClient {
 public:
  // Errors: something is wrong with the files; see check() in tls.h.
  [[nodiscard]] static Result<std::unique_ptr<HttpsClient>> make(ClientSettings settings);
  ~HttpsClient();
  HttpsClient(const HttpsClient&) = delete;
  HttpsClient& operator=(const HttpsClient&) = delete;

  // All of it (name look-up, connecting, sending, the whole answer) within `within`. Errors: no
  // answer; whether the server heard the question is then not known, and it is not sent again. Any
  // HTTP status is an answer.
  [[nodiscard]] Result<Answer> post(std::string_view target, std::string_view content_type,
                                    std::string_view body, std::chrono::milliseconds within);
  [[nodiscard]] Result<Answer> get(std::string_view target, std::chrono::milliseconds within);
  // From any thread: what is being asked, and what will be, ends with an error at once.
  void cancel();

 private:
  struct State;
  explicit HttpsClient(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace meiguan::web
