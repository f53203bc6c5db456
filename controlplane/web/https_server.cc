#include "controlplane/web/https_server.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio.hpp>
#include <utility>

#include "controlplane/web/https_state.h"

namespace meiguan::web {
namespace {

namespace asio = boost::asio;
using Tcp = asio::ip::tcp;
using boost::system::error_code;
using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds kToldEvery{10};
constexpr std::uint8_t kSameSite = 64;  // bits of an IPv6 address that are one client's

constexpr std::array<std::string_view, kTurned> kNames{"network",      "connections", "address",
                                                       "handshake",    "slow",        "header",
                                                       "header-bytes", "length",      "body-bytes",
                                                       "bodies-bytes"};

net::Address address_of(const asio::ip::address& address) {
  if (address.is_v4()) return net::Address::v4(address.to_v4().to_uint());
  return net::Address::v6_wire(address.to_v6().to_bytes().data());
}

asio::ip::address to_asio(const net::Address& address) {
  if (address.family() == net::Family::kIpv4) return asio::ip::address_v4{address.v4_value()};
  return asio::ip::address_v6{address.bytes()};
}

bool is_same_name(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c; };
  return std::ranges::equal(a, b, {}, lower, lower);
}

}  // namespace

net::Address client_of(const net::Address& address) {
  return address.family() == net::Family::kIpv4 ? address
                                                : net::Prefix::around(address, kSameSite).address();
}

std::string_view name_of(Turned why) noexcept { return kNames[static_cast<std::size_t>(why)]; }

std::string_view Request::header(std::string_view name) const noexcept {
  for (const auto& [key, value] : headers) {
    if (is_same_name(key, name)) return value;
  }
  return {};
}

void HttpsState::turn_away(Turned why, const net::Address& address, std::string detail) {
  const auto kind = static_cast<std::size_t>(why);
  ++turned[kind];
  auto& last = told[kind];
  const auto now = Clock::now();
  if (!tell || (last.last && now - *last.last < kToldEvery)) {
    ++last.passed_over;
    return;
  }
  last.last = now;
  tell({why, address, std::move(detail), std::exchange(last.passed_over, 0)});
}

void HttpsState::admit(Tcp::socket socket) {
  error_code error;
  const auto remote = socket.remote_endpoint(error);
  if (error) return;  // gone already
  const auto address = address_of(remote.address());
  const auto is_within = [&](const net::Prefix& network) { return network.contains(address); };
  if (std::ranges::none_of(settings.networks, is_within)) {
    return turn_away(Turned::kNetwork, address, {});
  }
  if (sessions.size() >= settings.limits.connections) {
    return turn_away(Turned::kConnections, address, {});
  }
  const auto others = of_address.find(client_of(address));
  if (others != of_address.end() && others->second >= settings.limits.connections_per_address) {
    return turn_away(Turned::kOfAddress, address, {});
  }
  socket.set_option(Tcp::no_delay{true}, error);
  start_session(std::move(socket), address, shared_from_this());
}

void HttpsState::accept() {
  acceptor.async_accept([self = shared_from_this()](error_code error, Tcp::socket socket) {
    if (error == asio::error::operation_aborted) return;
    if (!error) {
      self->admit(std::move(socket));
      return self->accept();
    }
    // Out of descriptors, say: not to be tried again in a hot loop.
    self->pause.expires_after(std::chrono::milliseconds{100});
    self->pause.async_wait([self](error_code stopped) {
      if (!stopped && self->acceptor.is_open()) self->accept();
    });
  });
}

HttpsServer::HttpsServer(asio::io_context& io, HttpsSettings settings, Handler handler, Tell tell)
    : state_{std::make_shared<HttpsState>(io, std::move(settings), std::move(handler),
                                          std::move(tell))} {}

HttpsServer::~HttpsServer() { close(); }

Result<void> HttpsServer::listen() {
  if (auto renewed = renew(); !renewed) return renewed;
  auto& acceptor = state_->acceptor;
  const Tcp::endpoint endpoint{to_asio(state_->settings.address), state_->settings.port};
  error_code error;
  acceptor.open(endpoint.protocol(), error);
  if (!error) acceptor.set_option(Tcp::acceptor::reuse_address{true}, error);
  if (!error && endpoint.address().is_v6()) {
    acceptor.set_option(asio::ip::v6_only{!endpoint.address().is_unspecified()}, error);
  }
  if (!error) acceptor.bind(endpoint, error);
  if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
  if (error) {
    error_code ignored;
    acceptor.close(ignored);
    const auto at = fmt::format("{} port {}", net::to_string(state_->settings.address),
                                state_->settings.port);
    return fail(fmt::format("{}: cannot be listened at: {}", at, error.message()),
                fmt::format("{}：无法监听：{}", at, error.message()));
  }
  state_->port = acceptor.local_endpoint(error).port();
  state_->accept();
  return {};
}

Result<void> HttpsServer::renew() {
  auto made = state_->make_tls();
  if (!made) return std::unexpected{made.error()};
  state_->tls = std::move(*made);
  return {};
}

void HttpsServer::close() {
  error_code ignored;
  state_->acceptor.close(ignored);
  state_->pause.cancel();
  state_->port = 0;
  for (auto* const session : state_->sessions) close_session(*session);
}

std::uint16_t HttpsServer::port() const noexcept { return state_->port; }

HttpsCounts HttpsServer::counts() const {
  HttpsCounts counts{state_->connections, state_->requests, state_->open, {}};
  for (std::size_t i = 0; i < kTurned; ++i) counts.turned[i] = state_->turned[i];
  return counts;
}

}  // namespace meiguan::web
