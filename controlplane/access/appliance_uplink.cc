#include "controlplane/access/appliance_uplink.h"

#include "controlplane/policy/message.h"
#include "controlplane/policy/syntax.h"

namespace meiguan::access {
namespace {

using policy::Reporter;
using policy::say;
using policy::TableView;

std::filesystem::path beside(const std::optional<policy::Word>& word,
                             const std::filesystem::path& directory) {
  return word ? directory / word->text : std::filesystem::path{};
}

web::TlsFiles read_tls(TableView& table, const std::filesystem::path& directory) {
  return {beside(table.required_word("certificate"), directory),
          beside(table.required_word("key"), directory),
          beside(table.required_word("authority"), directory),
          beside(table.word("revoked"), directory)};
}

std::uint64_t read_count(TableView& table, std::string_view key, std::int64_t least,
                         std::int64_t most, Reporter& reporter) {
  const auto value = table.integer(key);
  if (!value) return 0;
  if (value->value < least || value->value > most) {
    reporter.error(value->place, say("`{}` is {}, {} to {} expected", "`{}` 为 {}，应为 {} 至 {}",
                                     key, value->value, least, most));
    return 0;
  }
  return static_cast<std::uint64_t>(value->value);
}

}  // namespace

std::optional<Uplink> read_uplink(TableView& table, const std::filesystem::path& directory,
                                  Reporter& reporter) {
  Uplink uplink;
  const auto parent = table.required_word("parent");
  uplink.tls = read_tls(table, directory);
  uplink.bytes_per_second = 125 * read_count(table, "rate_kbit", 8, 10'000'000, reporter);
  if (const auto mib = read_count(table, "spool_megabytes", 1, 1 << 20, reporter); mib > 0) {
    uplink.spool_bytes = mib << 20;
  }
  uplink.flow_records = table.boolean("flow_records").value_or(false);
  if (!parent) return std::nullopt;
  const auto server = web::parse_server(parent->text, kTreePort);
  if (!server) {
    reporter.error(parent->place, server.error().message);
    return std::nullopt;
  }
  uplink.parent = *server;
  return uplink;
}

std::optional<Children> read_children(TableView& table, const std::filesystem::path& directory,
                                      Reporter& reporter) {
  Children children;
  const auto listen = table.required_word("listen");
  children.tls = read_tls(table, directory);
  if (const auto mib = read_count(table, "flow_records_megabytes", 1, 1 << 20, reporter); mib > 0) {
    children.flow_record_bytes = mib << 20;
  }
  for (const auto& word : table.required_words("networks", TableView::Empty::kRefused)) {
    if (const auto prefix = policy::parse_prefix(word.text)) {
      children.networks.push_back(*prefix);
    } else {
      reporter.error(word.place, prefix.error().message, prefix.error().hint);
    }
  }
  if (!listen) return std::nullopt;
  const auto at = web::parse_host_port(listen->text, kTreePort);
  const auto address = at ? net::parse_address(at->host) : std::nullopt;
  if (!address) {
    reporter.error(listen->place,
                   say("`listen` is an address with a port: \"192.0.2.1:8444\", \"[::]:8444\"",
                       "`listen` 为地址加端口：\"192.0.2.1:8444\"、\"[::]:8444\""));
    return std::nullopt;
  }
  children.address = *address;
  children.port = at->port;
  return children;
}

}  // namespace meiguan::access
