#define BOOST_TEST_MODULE export
#include <boost/test/unit_test.hpp>
#include <string>

#include "controlplane/export/exports.h"
#include "controlplane/export/ipfix_decoder.h"
#include "controlplane/export/ipfix_encoder.h"

namespace meiguan::exporting {
namespace {

using fastpath::Event;
using fastpath::EventKind;
using fastpath::FlowEnd;

constexpr std::uint32_t kEnterprise = 4242;

std::shared_ptr<const Names> names() {
  auto made = std::make_shared<Names>();
  made->catalog.units = {{true, "czj-360121", "南昌县财政局", {}}, {true, "czt-360000", "", {}}};
  made->catalog.services = {{true, "budget", "", {}}};
  made->catalog.rules.resize(1);
  made->catalog.rules[0].full_name = "360000/budget-for-finance";
  made->catalog.ports = {{"lan", "extranet"}, {"lan.100", "vpn-hrss"}};
  made->ports = {{0, 0}, {100, 1}};
  made->spaces = {"", "vpn-hrss"};
  made->revision = "00000000deadbeef";
  return made;
}

Record flow(bool v6, std::uint8_t protocol, EventKind kind = EventKind::kFlowEnd) {
  Record record;
  Event& event = record.event;
  event.kind = kind;
  event.end = FlowEnd::kClosed;
  event.protocol = protocol;
  event.space = SpaceId{1};
  event.in_port = PortId{1};
  event.out_port = PortId{0};
  event.source_port = 4711;
  event.destination_port = protocol == 1 ? 0x0800 : 443;
  event.tcp_flags = 0x1b13;
  event.source = v6 ? *net::parse_address("2001:db8::1") : net::Address::v4(0x0a400105);
  event.destination = v6 ? *net::parse_address("2001:db8::2") : net::Address::v4(0x3bcd1001);
  event.rule = RuleId{0};
  event.unit = UnitId{0};
  event.to_unit = UnitId{1};
  event.service = ServiceId{0};
  record.more = {11, 1111, 7, 777};
  record.start_ms = 1'795'276'800'123;
  record.at_ms = 1'795'276'801'456;
  record.names = names();
  return record;
}

Record translated(Record record) {
  const bool v6 = record.event.source.family() == net::Family::kIpv6;
  record.event.translated_source = v6 ? *net::parse_address("2001:db8:f::1")
                                      : net::Address::v4(0xcb007128);
  record.event.translated_destination = record.event.destination;
  record.event.translated_source_port = 999;
  record.event.translated_destination_port = 8443;
  return record;
}

// What a collector makes of these pieces, in messages of at most `limit` bytes.
std::vector<DecodedRecord> through_messages(const std::vector<Piece>& pieces, std::size_t limit,
                                            IpfixDecoder& decoder) {
  std::vector<DecodedRecord> all;
  std::uint32_t sequence = 0;
  for (std::size_t at = 0; at < pieces.size();) {
    Message message{limit, 7};
    while (at < pieces.size() && message.add(pieces[at])) ++at;
    BOOST_REQUIRE(!message.empty());
    const auto records = message.data_records();
    const auto bytes = message.finish(99, sequence);
    BOOST_TEST(bytes.size() <= limit);
    auto decoded = decoder.decode(bytes);
    BOOST_REQUIRE(decoded.has_value());
    BOOST_TEST(decoded->sequence == sequence);
    BOOST_TEST(decoded->domain == 7U);
    BOOST_TEST(decoded->records.size() == records);
    BOOST_TEST(decoded->passed_over == 0U);
    sequence += records;
    for (auto& record : decoded->records) all.push_back(std::move(record));
  }
  return all;
}

std::vector<DecodedRecord> decoded(const Record& record) {
  IpfixDecoder decoder;
  through_messages(templates_of(kEnterprise), 548, decoder);
  return through_messages(data_of(record), 1472, decoder);
}

struct Want {
  std::uint16_t id;
  std::uint32_t enterprise;
  std::string bytes;
};

std::string number(std::uint64_t value, std::size_t width) {
  std::string bytes;
  for (std::size_t i = width; i-- > 0;) bytes += static_cast<char>(value >> (8 * i) & 0xff);
  return bytes;
}

void has(const char* name, const DecodedRecord& record, const Want& want) {
  const auto* const found = record.find(want.id, want.enterprise);
  BOOST_TEST_CONTEXT(name << " element " << want.id) {
    BOOST_REQUIRE(found != nullptr);
    BOOST_TEST(found->bytes == want.bytes);
  }
}

BOOST_AUTO_TEST_CASE(a_flow_is_read_back_field_by_field) {
  const struct {
    const char* name;
    Record record;
    std::size_t records;
    std::vector<Want> want;
    std::vector<std::uint16_t> absent;
  } kCases[] = {
      {"tcp of IPv4",
       flow(false, 6),
       1,
       {{152, 0, number(1'795'276'800'123, 8)},
        {153, 0, number(1'795'276'801'456, 8)},
        {8, 0, number(0x0a400105, 4)},
        {12, 0, number(0x3bcd1001, 4)},
        {7, 0, number(4711, 2)},
        {11, 0, number(443, 2)},
        {4, 0, number(6, 1)},
        {6, 0, number(0x1b, 1)},
        {10, 0, number(2, 4)},
        {14, 0, number(1, 4)},
        {58, 0, number(100, 2)},
        {59, 0, number(0, 2)},
        {2, 0, number(11, 8)},
        {1, 0, number(1111, 8)},
        {2, kReverseEnterprise, number(7, 8)},
        {1, kReverseEnterprise, number(777, 8)},
        {136, 0, number(3, 1)},
        {233, 0, number(2, 1)},
        {89, 0, number(64, 1)},
        {234, 0, number(1, 4)},
        {235, 0, number(0, 4)},
        {1001, kEnterprise, "czj-360121"},
        {1002, kEnterprise, "czt-360000"},
        {1003, kEnterprise, "budget"},
        {1004, kEnterprise, "360000/budget-for-finance"},
        {1005, kEnterprise, "allowed"},
        {1006, kEnterprise, "00000000deadbeef"},
        {1007, kEnterprise, number(0x13, 1)}},
       {27, 28, 32, 139, 225, 230}},
      {"udp of IPv6",
       flow(true, 17),
       1,
       {{27, 0, std::string("\x20\x01\x0d\xb8", 4) + std::string(11, '\0') + '\x01'},
        {11, 0, number(443, 2)}},
       {8, 12, 139}},
      {"icmp has no ports", flow(false, 1), 1, {{32, 0, number(0x0800, 2)}}, {7, 11, 139}},
      {"icmp of IPv6", flow(true, 58), 1, {{139, 0, number(443, 2)}}, {7, 11, 32}},
      {"a lasting flow",
       flow(false, 6, EventKind::kFlowPeriodic),
       1,
       {{136, 0, number(2, 1)}, {233, 0, number(5, 1)}},
       {}},
      {"a translated IPv6 flow has no session",
       translated(flow(true, 6)),
       1,
       {{281, 0, std::string("\x20\x01\x0d\xb8\x00\x0f", 6) + std::string(9, '\0') + '\x01'}},
       {225, 230}},
      {"the start of a translation",
       translated(flow(false, 6, EventKind::kFlowStart)),
       1,
       {{230, 0, number(4, 1)},
        {225, 0, number(0xcb007128, 4)},
        {227, 0, number(999, 2)},
        {323, 0, number(1'795'276'801'456, 8)}},
       {1, 2}},
      {"a start alone", flow(false, 6, EventKind::kFlowStart), 0, {}, {}},
      {"an attack", flow(false, 6, EventKind::kAttack), 0, {}, {}},
  };
  for (const auto& c : kCases) {
    const auto got = decoded(c.record);
    BOOST_TEST_CONTEXT(c.name) { BOOST_REQUIRE(got.size() == c.records); }
    for (const auto& want : c.want) has(c.name, got[0], want);
    for (const auto id : c.absent) {
      if (!got.empty()) BOOST_TEST((got[0].find(id) == nullptr), c.name << " has " << id);
    }
  }
  // The end of a translation and of its flow.
  const auto both = decoded(translated(flow(false, 6)));
  BOOST_REQUIRE(both.size() == 2U);
  has("session", both[0], {230, 0, number(5, 1)});
  has("flow", both[1], {228, 0, number(8443, 2)});
  has("flow", both[1], {2, 0, number(11, 8)});
  BOOST_TEST((both[1].find(230) == nullptr));
}

BOOST_AUTO_TEST_CASE(a_denial_is_no_traffic) {
  Record record = flow(false, 6, EventKind::kDenial);
  record.event.reason = fastpath::Reason::kDefaultDeny;
  record.more = {3, 180, 0, 0};
  const auto got = decoded(record);
  BOOST_REQUIRE(got.size() == 1U);
  has("denial", got[0], {133, 0, number(3, 8)});
  has("denial", got[0], {132, 0, number(180, 8)});
  has("denial", got[0], {233, 0, number(3, 1)});
  has("denial", got[0], {89, 0, number(130, 1)});
  has("denial", got[0], {1005, kEnterprise, "default-deny"});
  BOOST_TEST((got[0].find(1) == nullptr));
  BOOST_TEST((got[0].find(2) == nullptr));
}

BOOST_AUTO_TEST_CASE(a_port_block_is_told) {
  Record record = flow(false, 0, EventKind::kBlockTaken);
  record.event.destination = net::Address::v4(0xcb007128);
  record.event.source_port = 1024;
  record.event.destination_port = 1535;
  const auto got = decoded(record);
  BOOST_REQUIRE(got.size() == 1U);
  has("block", got[0], {230, 0, number(16, 1)});
  has("block", got[0], {225, 0, number(0xcb007128, 4)});
  has("block", got[0], {361, 0, number(1024, 2)});
  has("block", got[0], {362, 0, number(1535, 2)});
}

BOOST_AUTO_TEST_CASE(our_elements_interfaces_and_losses_are_described) {
  IpfixDecoder decoder;
  through_messages(templates_of(kEnterprise), 548, decoder);
  const auto made = names();
  auto pieces = options_of(kEnterprise, made.get());
  pieces.push_back(reliability_of({5, 50, 5000, 1, 2}));
  const auto got = through_messages(pieces, 548, decoder);
  BOOST_REQUIRE(got.size() == std::size(kOwnElements) + 2 + 2 + 1);
  has("type", got[0], {346, 0, number(kEnterprise, 4)});
  has("type", got[0], {303, 0, number(1001, 2)});
  has("type", got[0], {339, 0, number(13, 1)});
  has("type", got[0], {341, 0, "meiguanUnit"});
  has("interface", got[std::size(kOwnElements) + 1], {82, 0, "lan.100"});
  has("space", got[std::size(kOwnElements) + 3], {236, 0, "vpn-hrss"});
  has("losses", got.back(), {165, 0, number(5, 8)});
  for (const auto& record : got) BOOST_TEST(record.is_options);
}

BOOST_AUTO_TEST_CASE(long_names_are_cut_between_characters) {
  auto made = std::make_shared<Names>(*names());
  for (int i = 0; i < 100; ++i) made->catalog.units[0].id += "梅";
  auto record = flow(false, 6);
  record.names = made;
  const auto got = decoded(record);
  BOOST_REQUIRE(got.size() == 1U);
  const auto* const unit = got[0].find(1001, kEnterprise);
  BOOST_REQUIRE(unit != nullptr);
  BOOST_TEST(unit->bytes.size() == 10U + 3 * 81);
}

BOOST_AUTO_TEST_CASE(what_is_not_well_formed_is_refused) {
  IpfixDecoder decoder;
  Message message{1472, 1};
  BOOST_REQUIRE(message.add(templates_of(1)[0]));
  BOOST_REQUIRE(message.add(data_of(flow(false, 6))[0]));
  const std::string good{message.finish(1, 0)};
  BOOST_TEST(IpfixDecoder{}.decode(good).has_value());
  for (std::size_t n = 0; n < good.size(); ++n) {
    BOOST_TEST(!IpfixDecoder{}.decode(good.substr(0, n)).has_value(), "cut at " << n);
  }
  std::string version = good;
  version[1] = 9;
  BOOST_TEST(!decoder.decode(version).has_value());
  BOOST_TEST(decoder.templates() == 0U);
}

BOOST_AUTO_TEST_CASE(a_full_queue_drops_the_oldest_and_counts_it) {
  RecordQueue queue{3};
  for (int i = 0; i < 5; ++i) {
    Record record = flow(false, 6);
    record.at_ms = 100 + i;
    queue.push(record);
  }
  BOOST_TEST(queue.size() == 3U);
  const auto lost = queue.dropped();
  BOOST_TEST(lost.records == 2U);
  BOOST_TEST(lost.packets == 2U * 18);
  BOOST_TEST(lost.bytes == 2U * 1888);
  BOOST_TEST(lost.first_ms == 100);
  BOOST_TEST(lost.last_ms == 101);
  const auto taken = queue.take(10, std::chrono::steady_clock::now());
  BOOST_REQUIRE(taken.size() == 3U);
  BOOST_TEST(taken[0].at_ms == 102);
  BOOST_TEST(queue.size() == 0U);
}

}  // namespace
}  // namespace meiguan::exporting
