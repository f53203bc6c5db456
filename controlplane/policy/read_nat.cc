// Readers of [[publish]], [[egress]] and [[translate]].

#include <array>
#include <bit>
#include <utility>

#include "controlplane/policy/message.h"
#include "controlplane/policy/read_policy.h"
#include "dataplane/fastpath/port_blocks.h"

namespace meiguan::policy {
namespace {

constexpr std::int64_t kLeastBlock = fastpath::kLeastBlockPorts;
constexpr std::int64_t kMostBlock = fastpath::kMostBlockPorts;

// The prefix at `key`; nothing, reported, where it is missing or none.
std::optional<net::Prefix> read_prefix(TableView& table, std::string_view key, Place& place,
                                       Reporter& reporter) {
  const auto word = table.required_word(key);
  if (!word) return std::nullopt;
  place = word->place;
  auto prefix = parse_prefix(word->text);
  if (prefix) return *prefix;
  report(reporter, word->place, std::move(prefix.error()));
  return std::nullopt;
}

// `ports = "1024-65535"`
void read_port_range(TableView& table, Egress& egress, Reporter& reporter) {
  const auto word = table.word("ports");
  if (!word) return;
  const std::size_t dash = word->text.find('-');
  const auto first = parse_number(std::string_view{word->text}.substr(0, dash), 65'535);
  const auto last = dash == std::string::npos
                        ? std::nullopt
                        : parse_number(std::string_view{word->text}.substr(dash + 1), 65'535);
  if (first && last && *first >= 1 && *first <= *last) {
    egress.first_port = static_cast<std::uint16_t>(*first);
    egress.last_port = static_cast<std::uint16_t>(*last);
    return;
  }
  reporter.error(word->place,
                 say("`ports` is `{}`, FIRST-LAST within 1 to 65535 expected",
                     "`ports` 的值是 `{}`，应为 1 至 65535 之内的 起-止", printable(word->text)),
                 say("for example \"1024-65535\"", "例如 \"1024-65535\""));
}

void read_blocks(TableView& table, Egress& egress, Reporter& reporter) {
  const auto size = read_number(table, "block_ports", kLeastBlock, kMostBlock, reporter);
  if (size) egress.block_ports = static_cast<std::uint16_t>(*size);
  if (size && !std::has_single_bit(static_cast<std::uint64_t>(*size))) {
    reporter.error(table.find("block_ports")->place,
                   say("`block_ports` is {}, a power of two expected",
                       "`block_ports` 为 {}，应为 2 的幂", *size),
                   say("64, 128, 256 or 512", "64、128、256 或 512"));
  }
  const auto blocks = read_number(table, "blocks_per_address", 1, 65'535, reporter);
  if (blocks) egress.blocks_per_address = static_cast<std::uint16_t>(*blocks);
  const int ports = egress.last_port - egress.first_port + 1;
  if (egress.block_ports > ports) {
    reporter.error(table.key_place(size ? "block_ports" : "ports"),
                   say("a block has {} ports, the range {}-{} only {}",
                       "每块 {} 个端口，而范围 {}-{} 只有 {} 个", egress.block_ports,
                       egress.first_port, egress.last_port, ports));
  }
}

}  // namespace

void read_publish(TableView& table, TableContext& context) {
  Reporter& reporter = context.reporter;
  DraftPublish draft;
  draft.publish.node = context.node;
  draft.publish.place = table.place();
  draft.service = table.required_word("service");
  if (const auto address = table.required_word("public")) {
    draft.address_place = address->place;
    auto endpoint = parse_endpoint(address->text);
    if (!endpoint) {
      report(reporter, address->place, std::move(endpoint.error()));
    } else if (endpoint->prefix.length() != net::address_bits(endpoint->prefix.family())) {
      reporter.error(address->place,
                     say("`{}` is a prefix, a single public address expected",
                         "`{}` 是前缀，应为单个公网地址", printable(address->text)));
    } else {
      draft.publish.address = *endpoint;
      draft.has_address = true;
    }
  }
  context.draft.publishes.push_back(std::move(draft));
}

void read_egress(TableView& table, TableContext& context) {
  Reporter& reporter = context.reporter;
  DraftEgress draft;
  Egress& egress = draft.egress;
  egress.node = context.node;
  egress.place = table.place();
  const auto id = read_id(table, reporter);
  const auto name = table.word("name");
  egress.from = read_selectors(table.required_words("from", TableView::Empty::kRefused), reporter);
  check_no_services(egress.from, reporter);
  for (const Word& word : table.required_words("pool", TableView::Empty::kRefused)) {
    if (auto prefix = parse_prefix(word.text)) {
      egress.pool.push_back(*prefix);
      draft.pool_places.push_back(word.place);
    } else {
      report(reporter, word.place, std::move(prefix.error()));
    }
  }
  constexpr std::array<std::pair<std::string_view, Filtering>, 3> kFilterings{
      {{"address-and-port-dependent", Filtering::kAddressAndPortDependent},
       {"address-dependent", Filtering::kAddressDependent},
       {"endpoint-independent", Filtering::kEndpointIndependent}}};
  egress.filtering = choose(table.word("filtering"), "filtering", kFilterings, reporter)
                         .value_or(Filtering::kAddressAndPortDependent);
  read_port_range(table, egress, reporter);
  read_blocks(table, egress, reporter);
  if (!id) return;
  draft.id_place = id->place;
  egress.id = id->text;
  egress.name = name ? name->text : id->text;
  context.draft.egresses.push_back(std::move(draft));
}

void read_translate(TableView& table, TableContext& context) {
  Reporter& reporter = context.reporter;
  DraftTranslate draft;
  draft.translate.node = context.node;
  draft.translate.place = table.place();
  draft.zone = table.required_word("zone");
  const auto inside = read_prefix(table, "inside", draft.inside_place, reporter);
  const auto outside = read_prefix(table, "outside", draft.outside_place, reporter);
  draft.has_inside = inside.has_value();
  draft.has_outside = outside.has_value();
  if (inside) draft.translate.inside = *inside;
  if (outside) draft.translate.outside = *outside;
  if (inside && outside &&
      (inside->family() != outside->family() || inside->length() != outside->length())) {
    reporter.error(draft.outside_place,
                   say("`outside` is {}, `inside` is {}: one family and one length expected",
                       "`outside` 为 {}，`inside` 为 {}，地址族和长度应相同",
                       net::to_string(*outside), net::to_string(*inside)));
    draft.has_outside = false;
  }
  context.draft.translates.push_back(std::move(draft));
}

}  // namespace meiguan::policy
