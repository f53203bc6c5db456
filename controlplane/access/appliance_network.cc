// [api], [[person]] and [[syslog]]: who may come in over the network, and who is told.

#include <algorithm>

#include "controlplane/access/appliance_read.h"
#include "controlplane/policy/message.h"
#include "controlplane/policy/syntax.h"
#include "controlplane/web/https_client.h"

namespace meiguan::access {
namespace {

using policy::Reporter;
using policy::say;
using policy::TableView;
using policy::Word;

std::filesystem::path file_of(const std::optional<Word>& word, const Reading& reading) {
  return word ? reading.directory / word->text : std::filesystem::path{};
}

void read_networks(TableView& table, Api& api, Reporter& reporter) {
  for (const Word& word : table.required_words("networks", TableView::Empty::kRefused)) {
    const auto prefix = policy::parse_prefix(word.text);
    if (prefix) {
      api.networks.push_back(*prefix);
    } else {
      reporter.error(word.place, prefix.error().message, prefix.error().hint);
    }
  }
}

// Both or neither.
bool are_a_pair(const std::optional<Word>& certificate, const std::optional<Word>& key,
                const TableView& table, Reporter& reporter) {
  if (certificate.has_value() == key.has_value()) return true;
  reporter.error(table.place(),
                 say("`certificate` and `key` go together", "`certificate` 与 `key` 须同时给出"));
  return false;
}

}  // namespace

void read_api(TableView& table, Reading& reading, Reporter& reporter) {
  Api api;
  const auto listen = table.required_word("listen");
  api.tls = {file_of(table.required_word("certificate"), reading),
             file_of(table.required_word("key"), reading),
             file_of(table.required_word("authority"), reading),
             file_of(table.word("revoked"), reading)};
  read_networks(table, api, reporter);
  if (!listen) return;
  const auto at = web::parse_host_port(listen->text, kApiPort);
  const auto address = at ? net::parse_address(at->host) : std::nullopt;
  if (!address) {
    reporter.error(listen->place,
                   say("`listen` is an address with a port: \"192.0.2.1:8443\", \"[::]:8443\"",
                       "`listen` 为地址加端口：\"192.0.2.1:8443\"、\"[::]:8443\""));
    return;
  }
  api.address = *address;
  api.port = at->port;
  reading.appliance.api = std::move(api);
}

void read_person(TableView& table, Reading& reading, Reporter& reporter) {
  const auto certificate = table.required_word("certificate");
  const auto user = table.required_word("user");
  if (!certificate || !user) return;
  const auto uid = user_of(user->text);
  if (!uid) {
    reporter.error(user->place, say("this system knows no user `{}`", "本机没有用户 `{}`",
                                    policy::printable(user->text)));
    return;
  }
  auto& persons = reading.appliance.persons;
  if (certificate->text.empty() ||
      std::ranges::find(persons, certificate->text, &Person::certificate) != persons.end()) {
    reporter.error(certificate->place, say("a certificate's name is not empty and stands once",
                                           "证书名称不能为空，且不得重复"));
    return;
  }
  persons.push_back({certificate->text, *uid});
}

void read_syslog(TableView& table, Reading& reading, Reporter& reporter) {
  syslog::Settings settings;
  const auto name = table.required_word("server");
  const auto certificate = table.word("certificate");
  const auto key = table.word("key");
  const auto authority = table.word("authority");
  const auto revoked = table.word("revoked");
  settings.tls = {file_of(certificate, reading), file_of(key, reading), file_of(authority, reading),
                  file_of(revoked, reading)};
  settings.events_per_second = static_cast<std::uint32_t>(
      read_number(table, "events_per_second", 0, 10'000, settings.events_per_second, reporter));
  if (!name || !are_a_pair(certificate, key, table, reporter)) return;
  constexpr std::string_view kTls = "tls://";
  constexpr std::string_view kUdp = "udp://";
  const std::string_view text{name->text};
  settings.name = name->text;
  settings.is_tls = text.starts_with(kTls);
  const bool is_udp = text.starts_with(kUdp);
  const auto server = web::parse_host_port(text.substr(std::min(kTls.size(), text.size())),
                                           settings.is_tls ? syslog::kTlsPort : syslog::kUdpPort);
  if ((!settings.is_tls && !is_udp) || !server) {
    reporter.error(name->place,
                   say("a syslog server is \"tls://host:port\" or \"udp://host:port\"",
                       "syslog 服务器写作 \"tls://主机:端口\" 或 \"udp://主机:端口\""));
    return;
  }
  if (settings.is_tls != authority.has_value()) {
    reporter.error(name->place, say("tls:// needs an `authority`, udp:// takes none",
                                    "tls:// 需要 `authority`，udp:// 不用"));
    return;
  }
  settings.server = *server;
  auto& servers = reading.appliance.syslog;
  if (std::ranges::find(servers, settings.name, &syslog::Settings::name) != servers.end() ||
      servers.size() >= syslog::kMostServers) {
    reporter.error(name->place, say("each syslog server stands once, {} at most",
                                    "syslog 服务器不得重复，最多 {} 个", syslog::kMostServers));
    return;
  }
  servers.push_back(std::move(settings));
}

}  // namespace meiguan::access
