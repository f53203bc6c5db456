#include "controlplane/export/ipfix_exporter.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace meiguan::exporting {
namespace {

constexpr std::size_t kRecordsAtOnce = 1024;
constexpr std::chrono::milliseconds kRound{100};  // so long records wait for others at most
constexpr std::chrono::milliseconds kFirstWait{500};
constexpr std::chrono::milliseconds kLongestWait{30'000};

std::uint32_t now_seconds() {
  return static_cast<std::uint32_t>(std::chrono::duration_cast<std::chrono::seconds>(
                                        std::chrono::system_clock::now().time_since_epoch())
                                        .count());
}

}  // namespace

std::string_view name_of(Transport transport) {
  switch (transport) {
    case Transport::kUdp: return "udp";
    case Transport::kTcp: return "tcp";
    case Transport::kTls: break;
  }
  return "tls";
}

IpfixExporter::IpfixExporter(IpfixSettings settings, Log log)
    : settings_{std::move(settings)}, log_{std::move(log)}, queue_{settings_.queue} {
  status_.collector = settings_.collector();
  status_.transport = name_of(settings_.transport);
  thread_ = std::thread{[this] { run(); }};
}

IpfixExporter::~IpfixExporter() {
  stopping_ = true;
  queue_.wake();
  stop_.request();
  thread_.join();
}

void IpfixExporter::set_names(std::shared_ptr<const Names> names) {
  const std::lock_guard lock{mutex_};
  names_ = std::move(names);
}

ExporterStatus IpfixExporter::status() const {
  ExporterStatus status;
  {
    const std::lock_guard lock{mutex_};
    status = status_;
  }
  const auto dropped = queue_.dropped();
  status.waiting += queue_.size();
  status.lost.records += dropped.records;
  status.lost.packets += dropped.packets;
  status.lost.bytes += dropped.bytes;
  status.lost.first_ms = dropped.first_ms;
  status.lost.last_ms = dropped.last_ms;
  return status;
}

void IpfixExporter::run() {
  while (!stopping_) round(false);
  round(true);
  connection_.reset();
}

void IpfixExporter::round(bool last) {
  if (connection_ && !connection_->alive()) {
    disconnect({"the collector ended the connection", "采集器关闭了连接"});
  }
  if (!connection_ && (last || !connect())) {
    if (!last) static_cast<void>(queue_.take(0, Clock::now() + kRound));
    return;
  }
  if (encoded_.empty()) encode(queue_.take(kRecordsAtOnce, Clock::now() + kRound));
  const bool sent = send_templates() && send_waiting();
  if (!sent) disconnect({"the connection broke", "连接中断"});
  // At the end what waits goes out, as long as the collector takes it at once.
  const auto until = Clock::now() + std::chrono::seconds{1};
  while (last && connection_ && Clock::now() < until) {
    encode(queue_.take(kRecordsAtOnce, Clock::now()));
    if (encoded_.empty() || !send_waiting()) return;
  }
}

bool IpfixExporter::connect() {
  if (Clock::now() < connect_at_) return false;
  auto opened = Connection::open(settings_, stop_);
  if (!opened) {
    wait_ = std::clamp(2 * wait_, kFirstWait, kLongestWait);
    connect_at_ = Clock::now() + wait_;
    disconnect(opened.error().message);
    return false;
  }
  connection_ = std::move(*opened);
  wait_ = {};
  // A new session: it begins with templates and counts from 0 (RFC 7011 section 3.1, 8).
  sequence_ = 0;
  templates_due_ = {};
  const std::lock_guard lock{mutex_};
  status_.connected = true;
  ++status_.connections;
  status_.trouble = {};
  return true;
}

void IpfixExporter::disconnect(const Text& why) {
  if (connection_) {
    connection_.reset();
    wait_ = kFirstWait;
    connect_at_ = Clock::now() + wait_;
  }
  if (stopping_) return;
  {
    const std::lock_guard lock{mutex_};
    status_.connected = false;
    if (status_.trouble == why) return;
    status_.trouble = why;
  }
  log_({"ipfix: " + why.english, "ipfix：" + why.chinese});
}

void IpfixExporter::encode(const std::vector<Record>& records) {
  for (const auto& record : records) {
    for (auto& piece : data_of(record)) encoded_.push_back(std::move(piece));
  }
  const std::lock_guard lock{mutex_};
  status_.waiting = encoded_.size() - next_;
}

IpfixExporter::Outcome IpfixExporter::send(Message& message, std::uint64_t of_flows) {
  const auto bytes = message.finish(now_seconds(), sequence_);
  auto sent = connection_->send(bytes);
  if (sent == Sent::kRefused) {
    {
      const std::lock_guard lock{mutex_};
      ++status_.refused;
    }
    // That was the answer to an earlier one.
    sent = connection_->send(bytes);
  }
  if (sent == Sent::kBroken) return Outcome::kBroken;
  if (sent == Sent::kTooLarge) return Outcome::kAgain;
  sequence_ += message.data_records();
  ++since_templates_;
  const std::lock_guard lock{mutex_};
  if (sent == Sent::kRefused) {
    status_.lost.records += of_flows;
    return Outcome::kSent;
  }
  ++status_.messages;
  status_.bytes += bytes.size();
  status_.records += of_flows;
  return Outcome::kSent;
}

bool IpfixExporter::send_templates() {
  std::shared_ptr<const Names> names;
  {
    const std::lock_guard lock{mutex_};
    names = names_;
  }
  const auto now = Clock::now();
  // By TCP once for a session (RFC 7011 section 8); what changed, at once.
  const bool first = templates_due_ == Clock::time_point{};
  const bool datagrams = settings_.transport == Transport::kUdp;
  const bool again = datagrams && since_templates_ >= settings_.template_messages;
  const bool due = first || again || now >= templates_due_ || names != told_names_;
  if (!due) return true;
  std::vector<Piece> pieces;
  if (first || datagrams) pieces = templates_of(settings_.enterprise);
  std::ranges::move(options_of(settings_.enterprise, names.get()), std::back_inserter(pieces));
  pieces.push_back(reliability_of(status().lost));
  for (std::size_t at = 0; at < pieces.size();) {
    Message message{connection_->largest_message(), settings_.domain};
    std::size_t end = at;
    while (end < pieces.size() && message.add(pieces[end])) ++end;
    if (end == at) {
      ++at;  // larger than any message
      continue;
    }
    const auto outcome = send(message, 0);
    if (outcome == Outcome::kBroken) return false;
    if (outcome == Outcome::kSent) at = end;
  }
  told_names_ = std::move(names);
  since_templates_ = 0;
  templates_due_ = now + settings_.template_every;
  return true;
}

bool IpfixExporter::send_waiting() {
  bool broken = false;
  while (!broken && next_ < encoded_.size()) {
    Message message{connection_->largest_message(), settings_.domain};
    std::size_t end = next_;
    while (end < encoded_.size() && message.add(encoded_[end])) ++end;
    if (end == next_) {
      ++next_;
      give_up(1);
      continue;
    }
    const auto outcome = send(message, end - next_);
    if (outcome == Outcome::kSent) next_ = end;
    broken = outcome == Outcome::kBroken;
  }
  if (!broken) {
    encoded_.clear();
    next_ = 0;
  }
  const std::lock_guard lock{mutex_};
  status_.waiting = encoded_.size() - next_;
  return !broken;
}

void IpfixExporter::give_up(std::uint64_t records) {
  const std::lock_guard lock{mutex_};
  status_.lost.records += records;
}

}  // namespace meiguan::exporting
