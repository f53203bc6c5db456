#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <boost/test/unit_test.hpp>

#include "controlplane/export/metrics_server.h"

namespace meiguan::exporting {
namespace {

std::string sample_text(MetricsFormat format) {
  MetricsText text{format};
  text.family("meiguan_sent_bytes", MetricType::kCounter, "bytes", "Bytes \"sent\".\nAll.");
  text.sample({{"unit", "a\"b\\c\nd"}, {"zone", "梅关"}},
              std::uint64_t{18'446'744'073'709'551'615U});
  text.family("meiguan_policy", MetricType::kInfo, "", "It.");
  text.sample({{"image", "1"}}, std::uint64_t{1});
  text.family("meiguan_untold", MetricType::kGauge, "", "Not told.");
  text.sample({}, std::int64_t{-3});
  return text.finish();
}

BOOST_AUTO_TEST_CASE(text_of_both_formats) {
  BOOST_TEST(sample_text(MetricsFormat::kOpenMetrics) ==
             "# TYPE meiguan_sent_bytes counter\n"
             "# UNIT meiguan_sent_bytes bytes\n"
             "# HELP meiguan_sent_bytes Bytes \\\"sent\\\".\\nAll.\n"
             "meiguan_sent_bytes_total{unit=\"a\\\"b\\\\c\\nd\",zone=\"梅关\"} "
             "18446744073709551615\n"
             "# TYPE meiguan_policy info\n"
             "# HELP meiguan_policy It.\n"
             "meiguan_policy_info{image=\"1\"} 1\n"
             "# TYPE meiguan_untold gauge\n"
             "# HELP meiguan_untold Not told.\n"
             "meiguan_untold -3\n"
             "# EOF\n");
  BOOST_TEST(sample_text(MetricsFormat::kPrometheus) ==
             "# TYPE meiguan_sent_bytes_total counter\n"
             "# HELP meiguan_sent_bytes_total Bytes \"sent\".\\nAll.\n"
             "meiguan_sent_bytes_total{unit=\"a\\\"b\\\\c\\nd\",zone=\"梅关\"} "
             "18446744073709551615\n"
             "# TYPE meiguan_policy_info gauge\n"
             "# HELP meiguan_policy_info It.\n"
             "meiguan_policy_info{image=\"1\"} 1\n"
             "# TYPE meiguan_untold gauge\n"
             "# HELP meiguan_untold Not told.\n"
             "meiguan_untold -3\n");
}

Socket dial(std::uint16_t port) {
  Socket socket{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(port);
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  BOOST_REQUIRE(::connect(socket.get(), reinterpret_cast<sockaddr*>(&to), sizeof to) == 0);
  return socket;
}

// What comes until the other side has ended it; nothing more after twenty seconds.
std::string heard(const Socket& socket) {
  std::string all;
  std::array<char, 4096> room{};
  for (;;) {
    pollfd wanted{socket.get(), POLLIN, 0};
    BOOST_REQUIRE(::poll(&wanted, 1, 20'000) == 1);
    const auto n = ::recv(socket.get(), room.data(), room.size(), 0);
    if (n <= 0) return all;
    all.append(room.data(), static_cast<std::size_t>(n));
  }
}

std::string asked(std::uint16_t port, const std::string& request) {
  const auto socket = dial(port);
  const auto sent = ::send(socket.get(), request.data(), request.size(), MSG_NOSIGNAL);
  BOOST_REQUIRE(sent == static_cast<ssize_t>(request.size()));
  return heard(socket);
}

std::unique_ptr<MetricsServer> serve(std::vector<net::Prefix> networks,
                                     std::chrono::milliseconds patience = std::chrono::seconds{
                                         20}) {
  MetricsSettings settings;
  settings.address = net::Address::v4(0x7f000001);
  settings.port = 0;
  settings.networks = std::move(networks);
  auto server = MetricsServer::start(settings, sample_text, patience);
  BOOST_REQUIRE(server.has_value());
  return std::move(*server);
}

BOOST_AUTO_TEST_CASE(requests_are_answered_or_refused) {
  const auto server = serve({});
  const std::string long_line(MetricsServer::kMaxRequest + 1, 'a');
  const struct {
    const char* name;
    std::string request;
    std::string status;
    std::string body;
  } kCases[] = {
      {"for people", "GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n", "200",
       sample_text(MetricsFormat::kPrometheus)},
      {"for Prometheus",
       "GET /metrics HTTP/1.1\r\naccept: application/openmetrics-text;version=1.0.0,*/*\r\n\r\n",
       "200", sample_text(MetricsFormat::kOpenMetrics)},
      {"with a query", "GET /metrics?a=b HTTP/1.0\r\n\r\n", "200",
       sample_text(MetricsFormat::kPrometheus)},
      {"head", "HEAD /metrics HTTP/1.1\r\n\r\n", "200", ""},
      {"elsewhere", "GET / HTTP/1.1\r\n\r\n", "404", "404 Not Found\n"},
      {"another method", "POST /metrics HTTP/1.1\r\n\r\n", "405", "405 Method Not Allowed\n"},
      {"no HTTP", "hello\r\n\r\n", "400", "400 Bad Request\n"},
      {"another HTTP", "GET /metrics HTTP/2\r\n\r\n", "400", "400 Bad Request\n"},
  };
  for (const auto& c : kCases) {
    const auto answer = asked(server->port(), c.request);
    BOOST_TEST(answer.starts_with("HTTP/1.1 " + c.status + " "), c.name << ": " << answer);
    const auto body = answer.find("\r\n\r\n");
    BOOST_REQUIRE(body != std::string::npos);
    BOOST_TEST(answer.substr(body + 4) == c.body, c.name);
  }
  BOOST_TEST(asked(server->port(), long_line).starts_with("HTTP/1.1 431 "));
}

BOOST_AUTO_TEST_CASE(who_is_of_no_network_is_let_go) {
  const auto server = serve({*net::Prefix::make(net::Address::v4(0xc0000200), 24)});
  const auto socket = dial(server->port());
  // It may be let go before it has asked.
  constexpr std::string_view kRequest = "GET /metrics HTTP/1.1\r\n\r\n";
  static_cast<void>(::send(socket.get(), kRequest.data(), kRequest.size(), MSG_NOSIGNAL));
  BOOST_TEST(heard(socket).empty());
}

BOOST_AUTO_TEST_CASE(who_says_nothing_keeps_nobody_out) {
  const auto server = serve({}, std::chrono::milliseconds{300});
  std::vector<Socket> silent;
  for (std::size_t i = 0; i < MetricsServer::kClients; ++i) silent.push_back(dial(server->port()));
  BOOST_TEST(asked(server->port(), "GET /metrics HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 200 "));
  for (const auto& one : silent) BOOST_TEST(heard(one).empty());
}

}  // namespace
}  // namespace meiguan::exporting
