#pragma once

// GET /metrics by plain HTTP: a thread of its own, few clients at a time, each for a few seconds.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "controlplane/export/metrics_text.h"
#include "controlplane/export/settings.h"
#include "controlplane/export/socket.h"
#include "dataplane/base/result.h"

namespace meiguan::exporting {

class MetricsServer {
 public:
  using Make = std::function<std::string(MetricsFormat)>;
  static constexpr std::size_t kClients = 16;
  static constexpr std::size_t kMaxRequest = 8192;

  // `make` is called by the server's thread, at most once at a time. Errors: it cannot listen.
  [[nodiscard]] static Result<std::unique_ptr<MetricsServer>> start(
      const MetricsSettings& settings, Make make,
      std::chrono::milliseconds patience = std::chrono::seconds{5});
  ~MetricsServer();
  MetricsServer(const MetricsServer&) = delete;
  MetricsServer& operator=(const MetricsServer&) = delete;

  [[nodiscard]] std::uint16_t port() const noexcept { return port_; }

 private:
  struct Client {
    Socket socket;
    std::string request;
    std::string answer;  // empty: the request is not whole yet
    std::size_t sent{0};
    Deadline until;
  };
  MetricsServer(const MetricsSettings& settings, Make make, std::chrono::milliseconds patience,
                Socket socket, std::uint16_t port);
  void run();
  void accept();
  // False: it is done, or was let go.
  [[nodiscard]] bool go_on(Client& client);
  [[nodiscard]] std::string answer_to(const std::string& request);

  MetricsSettings settings_;
  Make make_;
  std::chrono::milliseconds patience_;
  Socket socket_;
  std::uint16_t port_;
  StopSignal stop_;
  std::vector<Client> clients_;
  std::thread thread_;
};

}  // namespace meiguan::exporting
