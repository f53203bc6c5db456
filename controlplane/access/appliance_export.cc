#include "controlplane/access/appliance_export.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <optional>
#include <string_view>

#include "controlplane/policy/message.h"
#include "controlplane/policy/suggest.h"

namespace meiguan::access {
namespace {

using exporting::IpfixSettings;
using exporting::Transport;
using policy::Reporter;
using policy::say;
using policy::TableView;
using policy::Word;

constexpr std::size_t kMostCollectors = 16;

// "192.0.2.9:4739", "[2001:db8::9]:4739", "collector.example:4739".
bool take_collector(std::string_view text, IpfixSettings& into) {
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos || colon == 0) return false;
  auto host = text.substr(0, colon);
  const auto port = text.substr(colon + 1);
  if (host.front() == '[') {
    if (host.size() < 4 || host.back() != ']') return false;
    host = host.substr(1, host.size() - 2);
    if (host.find(':') == std::string_view::npos) return false;
  } else if (host.find(':') != std::string_view::npos) {
    return false;
  }
  if (host.size() > 253 || host.find_first_of(" \t/[]@") != std::string_view::npos) return false;
  std::uint16_t number = 0;
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), number);
  if (error != std::errc{} || end != port.data() + port.size() || number == 0) return false;
  into.host = host;
  into.port = number;
  return true;
}

template <typename T>
void take_number(TableView& table, std::string_view key, std::int64_t least, std::int64_t most,
                 T& into, Reporter& reporter) {
  const auto value = table.integer(key);
  if (!value) return;
  if (value->value >= least && value->value <= most) {
    into = T(value->value);
    return;
  }
  reporter.error(value->place, say("`{}` is {}, {} to {} expected", "`{}` 为 {}，应为 {} 至 {}",
                                   key, value->value, least, most));
}

void take_transport(const Word& word, IpfixSettings& into, Reporter& reporter) {
  constexpr std::array<std::pair<std::string_view, Transport>, 3> kWords{
      {{"udp", Transport::kUdp}, {"tcp", Transport::kTcp}, {"tls", Transport::kTls}}};
  for (const auto& [name, transport] : kWords) {
    if (name != word.text) continue;
    into.transport = transport;
    return;
  }
  policy::Nearest nearest(word.text);
  for (const auto& [name, transport] : kWords) nearest.offer(name);
  reporter.error(word.place,
                 say("`transport` is `{}`, udp, tcp or tls expected",
                     "`transport` 为 `{}`，应为 udp、tcp 或 tls", policy::printable(word.text)),
                 nearest.hint());
}

}  // namespace

void read_ipfix(TableView& table, const std::filesystem::path& directory,
                exporting::ExportSettings& into, Reporter& reporter) {
  constexpr std::int64_t kMost32 = std::numeric_limits<std::uint32_t>::max();
  IpfixSettings one;
  const auto collector = table.required_word("collector");
  if (collector && !take_collector(collector->text, one)) {
    reporter.error(collector->place,
                   say("`collector` is `{}`, an address or a name with a port expected: "
                       "\"192.0.2.9:4739\", \"[2001:db8::9]:4739\"",
                       "`collector` 为 `{}`，应为带端口的地址或名称，如 \"192.0.2.9:4739\"、"
                       "\"[2001:db8::9]:4739\"",
                       policy::printable(collector->text)));
  }
  if (const auto transport = table.word("transport")) take_transport(*transport, one, reporter);
  take_number(table, "enterprise", 1, kMost32, one.enterprise, reporter);
  take_number(table, "domain", 0, kMost32, one.domain, reporter);
  std::int64_t seconds = one.template_every.count();
  take_number(table, "template_seconds", 5, 86'400, seconds, reporter);
  one.template_every = std::chrono::seconds{seconds};
  take_number(table, "template_messages", 1, 1'000'000, one.template_messages, reporter);
  take_number(table, "mtu", 576, 9216, one.mtu, reporter);
  take_number(table, "queue", 256, 4'194'304, one.queue, reporter);
  const auto file = [&](std::string_view key, std::filesystem::path& path) {
    const auto word = table.word(key);
    if (!word) return;
    path = directory / word->text;
    if (one.transport == Transport::kTls) return;
    reporter.error(word->place, say("`{}` is for transport = \"tls\" only",
                                    "`{}` 仅用于 transport = \"tls\"", key));
  };
  file("ca", one.ca);
  file("certificate", one.certificate);
  file("key", one.key);
  if (one.certificate.empty() != one.key.empty()) {
    reporter.error(table.place(), say("`certificate` and `key` belong together",
                                      "`certificate` 与 `key` 须同时设置"));
  }
  if (into.ipfix.size() == kMostCollectors) {
    reporter.error(table.place(),
                   say("more than {} [[ipfix]]", "[[ipfix]] 超过 {} 个", kMostCollectors));
    return;
  }
  into.ipfix.push_back(std::move(one));
}

void read_metrics(TableView& table, exporting::ExportSettings& into, Reporter& reporter) {
  exporting::MetricsSettings settings;
  if (const auto listen = table.required_word("listen")) {
    IpfixSettings where;
    const auto address = take_collector(listen->text, where) ? net::parse_address(where.host)
                                                             : std::nullopt;
    if (address) {
      settings.address = *address;
      settings.port = where.port;
    } else {
      reporter.error(listen->place,
                     say("`listen` is `{}`, an address with a port expected: \"127.0.0.1:9469\"",
                         "`listen` 为 `{}`，应为带端口的地址，如 \"127.0.0.1:9469\"",
                         policy::printable(listen->text)));
    }
  }
  const auto networks = table.words("networks");
  for (const Word& word : networks) {
    const auto slash = word.text.find('/');
    const auto address = net::parse_address(std::string_view{word.text}.substr(0, slash));
    std::uint8_t length = 255;
    if (slash != std::string::npos) {
      const char* const end = word.text.data() + word.text.size();
      const auto read = std::from_chars(word.text.data() + slash + 1, end, length);
      if (read.ec != std::errc{} || read.ptr != end) length = 255;
    }
    const auto prefix = address ? net::Prefix::make(*address, length) : std::nullopt;
    if (prefix) {
      settings.networks.push_back(*prefix);
      continue;
    }
    reporter.error(word.place,
                   say("`{}` is no prefix, ADDRESS/LENGTH without host bits expected",
                       "`{}` 不是前缀，应为不含主机位的 地址/长度", policy::printable(word.text)));
  }
  take_number(table, "most", 1, 100'000, settings.most, reporter);
  const auto loopback = *net::Prefix::make(net::Address::v4(0x7f000000), 8);
  const bool local = loopback.contains(settings.address) ||
                     settings.address == net::parse_address("::1");
  if (!local && networks.empty()) {
    reporter.error(table.place(),
                   say("`listen` is no address of loopback: `networks` says who may ask",
                       "`listen` 不是环回地址：须用 `networks` 指明谁可以访问"));
  }
  into.metrics = std::move(settings);
}

}  // namespace meiguan::access
