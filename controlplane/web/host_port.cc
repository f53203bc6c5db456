#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "controlplane/web/https_client.h"
#include "dataplane/net/address.h"

namespace meiguan::web {
namespace {

constexpr std::size_t kMaxNameBytes = 253;  // RFC 1035 section 2.3.4

bool is_host_name(std::string_view text) {
  return !text.empty() && text.size() <= kMaxNameBytes && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.';
  });
}

std::unexpected<Error> bad(std::string_view text) {
  // The text may be anything: it is not repeated where it is not short and plain.
  const bool plain = text.size() <= 300 &&
                     std::ranges::all_of(text, [](char c) { return c >= ' ' && c <= '~'; });
  const auto shown = plain ? text : std::string_view{"?"};
  return fail(fmt::format("`{}`: host:port expected, an IPv6 address in brackets", shown),
              fmt::format("`{}`：应为 主机:端口，IPv6 地址加方括号", shown));
}

}  // namespace

Result<Server> parse_host_port(std::string_view text, std::uint16_t default_port) {
  const auto whole = text;
  Server server;
  server.port = default_port;
  if (text.starts_with('[')) {
    const auto end = text.find(']');
    if (end == text.npos) return bad(whole);
    server.host = text.substr(1, end - 1);
    const auto address = net::parse_address(server.host);
    if (!address || server.host.find(':') == std::string::npos) return bad(whole);
    text.remove_prefix(end + 1);
  } else {
    const auto end = std::min(text.find(':'), text.size());
    server.host = text.substr(0, end);
    if (!is_host_name(server.host)) return bad(whole);
    text.remove_prefix(end);
  }
  if (!text.empty()) {
    if (text.front() != ':') return bad(whole);
    text.remove_prefix(1);
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), server.port);
    if (error != std::errc{} || end != text.data() + text.size()) return bad(whole);
  }
  if (server.port == 0) return bad(whole);
  return server;
}

Result<Server> parse_server(std::string_view url, std::uint16_t default_port) {
  constexpr std::string_view kScheme = "https://";
  if (!url.starts_with(kScheme)) {
    return fail("a server is written https://host:port", "服务器应写作 https://主机:端口");
  }
  url.remove_prefix(kScheme.size());
  if (url.ends_with('/')) url.remove_suffix(1);
  return parse_host_port(url, default_port);
}

}  // namespace meiguan::web
