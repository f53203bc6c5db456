#pragma once

// Sends records to one collector, by a thread of its own. A collector that does not take them costs
// records, which are counted, and nobody any time.

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "controlplane/export/connection.h"
#include "controlplane/export/ipfix_encoder.h"
#include "controlplane/export/queue.h"
#include "controlplane/export/settings.h"
#include "dataplane/base/result.h"

namespace meiguan::exporting {

struct ExporterStatus {
  std::string collector;  // "192.0.2.9:4739"
  std::string transport;  // "udp", "tcp", "tls"
  bool connected{false};
  std::uint64_t messages{0};
  std::uint64_t records{0};  // data records of flows, denials, translations: sent
  std::uint64_t bytes{0};
  std::size_t waiting{0};
  NotSent lost;              // dropped while they waited, or too large
  std::uint64_t refused{0};  // messages of UDP that nobody took
  std::uint64_t connections{0};
  Text trouble;  // why it is not connected; empty: it is
};

[[nodiscard]] std::string_view name_of(Transport transport);

class IpfixExporter {
 public:
  using Log = std::function<void(const Text&)>;
  IpfixExporter(IpfixSettings settings, Log log);
  // Sends what waits where that takes less than a second.
  ~IpfixExporter();
  IpfixExporter(const IpfixExporter&) = delete;
  IpfixExporter& operator=(const IpfixExporter&) = delete;

  // Never waits for the collector.
  void push(const Record& record) { queue_.push(record); }
  void set_names(std::shared_ptr<const Names> names);
  [[nodiscard]] ExporterStatus status() const;

 private:
  using Clock = std::chrono::steady_clock;
  void run();
  void round(bool last);
  [[nodiscard]] bool connect();
  void disconnect(const Text& why);
  void encode(const std::vector<Record>& records);
  // False: there is no connection any more.
  [[nodiscard]] bool send_templates();
  [[nodiscard]] bool send_waiting();
  enum class Outcome : unsigned char { kSent, kAgain, kBroken };
  [[nodiscard]] Outcome send(Message& message, std::uint64_t of_flows);
  void give_up(std::uint64_t records);

  IpfixSettings settings_;
  Log log_;
  RecordQueue queue_;
  StopSignal stop_;
  std::atomic<bool> stopping_{false};

  mutable std::mutex mutex_;  // of names_ and status_
  std::shared_ptr<const Names> names_;
  ExporterStatus status_;

  // Of the thread alone.
  std::unique_ptr<Connection> connection_;
  std::vector<Piece> encoded_;
  std::size_t next_{0};  // of encoded_
  std::uint32_t sequence_{0};
  std::uint32_t since_templates_{0};  // messages
  Clock::time_point templates_due_;
  Clock::time_point connect_at_;
  std::chrono::milliseconds wait_{0};
  std::shared_ptr<const Names> told_names_;
  std::thread thread_;
};

}  // namespace meiguan::exporting
