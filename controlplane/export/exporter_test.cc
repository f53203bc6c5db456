#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <boost/test/unit_test.hpp>
#include <functional>
#include <thread>

#include "controlplane/export/exports.h"
#include "controlplane/export/ipfix_decoder.h"
#include "controlplane/export/socket.h"

namespace meiguan::exporting {
namespace {

using fastpath::Event;
using fastpath::EventKind;

constexpr std::chrono::seconds kPatient{20};

void wait_until(const char* what, const std::function<bool()>& holds) {
  const auto until = std::chrono::steady_clock::now() + kPatient;
  while (!holds()) {
    BOOST_REQUIRE_MESSAGE(std::chrono::steady_clock::now() < until, what);
    std::this_thread::sleep_for(std::chrono::milliseconds{2});
  }
}

Record record(std::uint16_t port) {
  Record made;
  made.event.kind = EventKind::kFlowEnd;
  made.event.protocol = 6;
  made.event.source = net::Address::v4(0x0a000001);
  made.event.destination = net::Address::v4(0x0a000002);
  made.event.source_port = port;
  made.more = {1, 100, 1, 100};
  return made;
}

// A collector on loopback, of datagrams or of one stream after another.
class Collector {
 public:
  explicit Collector(int type) : socket_{::socket(AF_INET, type | SOCK_CLOEXEC, 0)} {
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof at;
    auto* const address = reinterpret_cast<sockaddr*>(&at);
    BOOST_REQUIRE(::bind(socket_.get(), address, size) == 0);
    BOOST_REQUIRE(::getsockname(socket_.get(), address, &size) == 0);
    port = ntohs(at.sin_port);
    if (type == SOCK_STREAM) BOOST_REQUIRE(::listen(socket_.get(), 4) == 0);
  }

  void accept() {
    BOOST_REQUIRE(readable(socket_));
    stream_ = Socket{::accept(socket_.get(), nullptr, nullptr)};
    BOOST_REQUIRE(stream_.get() >= 0);
    buffer_.clear();
  }
  void hang_up() { stream_ = Socket{}; }

  // The next message, of a stream or a datagram.
  std::string message() {
    std::array<char, 65536> room{};
    if (stream_.get() < 0) {
      BOOST_REQUIRE(readable(socket_));
      const auto n = ::recv(socket_.get(), room.data(), room.size(), 0);
      BOOST_REQUIRE(n > 0);
      return {room.data(), static_cast<std::size_t>(n)};
    }
    const auto length = [&] {
      return buffer_.size() < 4 ? std::size_t{65536}
                                : std::size_t{static_cast<unsigned char>(buffer_[2])} * 256 +
                                      static_cast<unsigned char>(buffer_[3]);
    };
    while (buffer_.size() < length()) {
      BOOST_REQUIRE(readable(stream_));
      const auto n = ::recv(stream_.get(), room.data(), room.size(), 0);
      BOOST_REQUIRE(n > 0);
      buffer_.append(room.data(), static_cast<std::size_t>(n));
    }
    const auto taken = buffer_.substr(0, length());
    buffer_.erase(0, taken.size());
    return taken;
  }

  // Source ports of the flows of messages, until one comes that has `last`; sequence numbers are
  // checked from the session's first message on.
  std::vector<std::uint16_t> flows_until(std::uint16_t last, IpfixDecoder& decoder,
                                         std::uint32_t& sequence) {
    std::vector<std::uint16_t> ports;
    while (ports.empty() || ports.back() != last) {
      const auto decoded = decoder.decode(message());
      BOOST_REQUIRE(decoded.has_value());
      BOOST_TEST(decoded->sequence == sequence);
      BOOST_TEST(decoded->passed_over == 0U);
      sequence += static_cast<std::uint32_t>(decoded->records.size());
      for (const auto& one : decoded->records) {
        const auto* const found = one.find(7);
        if (found != nullptr) ports.push_back(static_cast<std::uint16_t>(found->number()));
      }
    }
    return ports;
  }

  std::uint16_t port{0};

 private:
  static bool readable(const Socket& socket) {
    pollfd wanted{socket.get(), POLLIN, 0};
    return ::poll(&wanted, 1, std::chrono::milliseconds{kPatient}.count()) == 1;
  }
  Socket socket_;
  Socket stream_;
  std::string buffer_;
};

IpfixSettings settings_of(const Collector& collector, Transport transport) {
  IpfixSettings settings;
  settings.host = "127.0.0.1";
  settings.port = collector.port;
  settings.transport = transport;
  settings.queue = 256;
  return settings;
}

void nothing(const Text&) {}

std::vector<std::uint16_t> counted(std::uint16_t from, std::uint16_t to) {
  std::vector<std::uint16_t> all;
  for (std::uint16_t i = from; i <= to; ++i) all.push_back(i);
  return all;
}

BOOST_AUTO_TEST_CASE(datagrams_carry_every_record_once_and_templates_again) {
  Collector collector{SOCK_DGRAM};
  auto settings = settings_of(collector, Transport::kUdp);
  settings.template_messages = 3;
  settings.mtu = 576;
  IpfixExporter exporter{settings, nothing};
  for (const auto port : counted(1, 200)) exporter.push(record(port));
  IpfixDecoder decoder;
  std::uint32_t sequence = 0;
  BOOST_TEST(collector.flows_until(200, decoder, sequence) == counted(1, 200));
  wait_until("all was counted", [&] { return exporter.status().records == 200; });
  BOOST_TEST(exporter.status().lost.records == 0U);
  // Who begins to listen now knows the templates soon.
  IpfixDecoder late;
  for (std::uint16_t port = 201; late.templates() < decoder.templates(); ++port) {
    exporter.push(record(port));
    const auto decoded = late.decode(collector.message());
    BOOST_REQUIRE(decoded.has_value());
  }
}

BOOST_AUTO_TEST_CASE(a_stream_that_was_cut_begins_anew) {
  Collector collector{SOCK_STREAM};
  IpfixExporter exporter{settings_of(collector, Transport::kTcp), nothing};
  collector.accept();
  exporter.push(record(1));
  IpfixDecoder decoder;
  std::uint32_t sequence = 0;
  BOOST_TEST(collector.flows_until(1, decoder, sequence) == counted(1, 1));
  collector.hang_up();
  wait_until("it is seen", [&] { return !exporter.status().connected; });
  BOOST_TEST(!exporter.status().trouble.english.empty());
  for (const auto port : counted(2, 100)) exporter.push(record(port));
  collector.accept();
  IpfixDecoder again;
  sequence = 0;
  BOOST_TEST(collector.flows_until(100, again, sequence) == counted(2, 100));
  const auto status = exporter.status();
  BOOST_TEST(status.connections == 2U);
  BOOST_TEST(status.lost.records == 0U);
}

BOOST_AUTO_TEST_CASE(what_nobody_takes_is_lost_and_counted) {
  std::uint16_t port = 0;
  { port = Collector{SOCK_STREAM}.port; }
  IpfixSettings settings;
  settings.host = "127.0.0.1";
  settings.port = port;
  settings.transport = Transport::kTcp;
  settings.queue = 10;
  IpfixExporter exporter{settings, nothing};
  for (const auto one : counted(1, 25)) exporter.push(record(one));
  const auto status = exporter.status();
  BOOST_TEST(status.lost.records == 15U);
  BOOST_TEST(status.lost.packets == 30U);
  BOOST_TEST(status.lost.bytes == 3000U);
  BOOST_TEST(status.waiting == 10U);
  wait_until("it says why", [&] { return !exporter.status().trouble.english.empty(); });
}

BOOST_AUTO_TEST_CASE(what_waits_at_the_end_is_sent) {
  Collector collector{SOCK_DGRAM};
  {
    IpfixExporter exporter{settings_of(collector, Transport::kUdp), nothing};
    wait_until("it is connected", [&] { return exporter.status().connected; });
    for (const auto port : counted(1, 100)) exporter.push(record(port));
  }
  IpfixDecoder decoder;
  std::uint32_t sequence = 0;
  BOOST_TEST(collector.flows_until(100, decoder, sequence) == counted(1, 100));
}

BOOST_AUTO_TEST_CASE(a_lasting_flow_is_told_in_parts_that_add_up) {
  Collector collector{SOCK_DGRAM};
  ExportSettings settings;
  settings.ipfix.push_back(settings_of(collector, Transport::kUdp));
  Exports exports{settings, nothing};
  exports.attached({});
  Event event = record(1).event;
  event.start = 1000;
  const auto tell = [&](EventKind kind, std::uint64_t time, std::uint64_t packets) {
    event.kind = kind;
    event.time = time;
    event.packets = packets;
    exports.heard(event, 0, report::WallTime{std::chrono::milliseconds{time}});
  };
  tell(EventKind::kFlowStart, 1000, 1);
  tell(EventKind::kFlowPeriodic, 61'000, 10);
  tell(EventKind::kFlowPeriodic, 121'000, 10);  // nothing new: no record
  tell(EventKind::kFlowEnd, 150'000, 25);
  Event denial = record(2).event;
  denial.kind = EventKind::kDenial;
  denial.packets = 7;
  denial.bytes = 700;
  exports.heard(denial, 0, report::WallTime{std::chrono::milliseconds{160'000}});
  struct Seen {
    std::uint64_t start, end, packets, dropped;
    bool operator==(const Seen&) const = default;
  };
  std::vector<Seen> seen;
  IpfixDecoder decoder;
  while (seen.size() < 4) {
    const auto decoded = decoder.decode(collector.message());
    BOOST_REQUIRE(decoded.has_value());
    for (const auto& one : decoded->records) {
      if (one.is_options) continue;
      const auto value = [&](std::uint16_t id) {
        const auto* const found = one.find(id);
        return found != nullptr ? found->number() : 0;
      };
      seen.push_back({value(152), value(153), value(2), value(133)});
    }
  }
  const std::vector<Seen> want{{1000, 61'000, 10, 0},
                               {121'000, 150'000, 15, 0},
                               {160'000, 160'000, 0, 6},
                               {160'000, 160'000, 0, 1}};
  BOOST_TEST((seen == want));
}

}  // namespace
}  // namespace meiguan::exporting
