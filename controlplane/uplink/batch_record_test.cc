#define BOOST_TEST_MODULE uplink
#include "controlplane/uplink/batch_record.h"

#include <boost/test/unit_test.hpp>
#include <memory>
#include <utility>

#include "controlplane/lifecycle/compress.h"
#include "controlplane/uplink/test_batches.h"

namespace meiguan::uplink {
namespace {

bool same(const store::Batch& a, const store::Batch& b) {
  return a.source() == b.source() && a.epoch == b.epoch && a.sequence == b.sequence &&
         a.lost == b.lost && a.minute == b.minute && a.watch == b.watch && a.told == b.told &&
         a.alarms == b.alarms && a.flows == b.flows && a.rules == b.rules && !a.list == !b.list &&
         (!a.list || *a.list == *b.list) &&
         std::ranges::equal(a.rows, b.rows,
                            [](const store::Row& x, const store::Row& y) {
                              return x.key == y.key && x.sums == y.sums;
                            }) &&
         std::ranges::equal(a.hits, b.hits, [](const store::RuleHits& x, const store::RuleHits& y) {
           return x.rule == y.rule && x.hits == y.hits && x.audited == y.audited;
         });
}

BOOST_AUTO_TEST_CASE(what_was_packed_is_read_as_it_was) {
  std::vector<store::Batch> batches{sample_batch("360121", 1, 10), sample_batch("360121", 2, -3)};
  batches[0].hits = {{"360000/预算", 3, 0}, {"360000/b", 0, 1}};
  batches[0].rows[0].key[store::Dimension::kService] = "预算管理一体化";
  batches[1].stream = store::Stream::kDenied;
  batches[1].lost = 1;
  batches[1].rows.clear();
  batches.push_back(sample_batch("360121", 3, 1));
  batches.back().rules = 77;
  batches.push_back(sample_batch("360121", 4, 1));
  batches.back().rules = 78;
  batches.back().list = std::make_shared<store::RuleList>(
      store::RuleList{"360000/a", "360000/预算"});
  batches.push_back(sample_batch("360121", 5, 1));
  batches.back().rules = 79;
  batches.back().list = std::make_shared<store::RuleList>();
  auto full = sample_alarm("", 0);
  full.name = "flow-table-full";
  batches.push_back(alarm_batch("360121", 1, {sample_alarm("10.0.0.1 南昌", 5), full}));
  batches.push_back(alarm_batch("360121", 2, {}));
  batches.push_back(flow_batch("360121", 1, 3));
  std::string bytes;
  for (const auto& batch : batches) bytes += packed(batch);
  std::string_view rest = bytes;
  for (const auto& batch : batches) {
    const auto record = take_record(rest);
    BOOST_REQUIRE(record.has_value());
    BOOST_TEST(record->source() == batch.source());
    const auto read = unpack_batch(*record);
    BOOST_REQUIRE(read.has_value());
    BOOST_TEST(same(*read, batch));
  }
  BOOST_TEST(rest.empty());
}

BOOST_AUTO_TEST_CASE(no_changed_byte_and_no_part_is_taken) {
  const auto good = packed(sample_batch("360121", 1, 10));
  for (std::size_t i = 0; i < good.size(); ++i) {
    std::string bad = good;
    bad[i] = static_cast<char>(bad[i] ^ 0x10);
    std::string_view rest = bad;
    BOOST_TEST(!take_record(rest).has_value(), i);
    std::string_view part = std::string_view{good}.substr(0, i);
    BOOST_TEST(!take_record(part).has_value(), i);
  }
}

BOOST_AUTO_TEST_CASE(what_was_lost_is_declared_later) {
  const auto bytes = packed(sample_batch("360121", 9, 10));
  std::string_view rest = bytes;
  const auto record = take_record(rest);
  BOOST_REQUIRE(record.has_value());
  const auto changed = with_lost(*record, 4);
  rest = changed;
  const auto again = take_record(rest);
  BOOST_REQUIRE(again.has_value());
  BOOST_TEST(again->header.lost == 4U);
  BOOST_TEST(unpack_batch(*again).has_value());
  const auto impossible = with_lost(*record, 9);  // all before it, and itself
  rest = impossible;
  BOOST_TEST(!take_record(rest).has_value());
}

void list(store::Batch& batch, store::RuleList rules) {
  batch.rules = 7;
  batch.list = std::make_shared<store::RuleList>(std::move(rules));
}

BOOST_AUTO_TEST_CASE(content_that_cannot_be_is_refused) {
  const auto batch = sample_batch("360121", 1, 10);
  store::Batch read;
  const auto good = content_of(batch);
  BOOST_TEST(read_content(good, "360121", read).has_value());
  for (std::size_t i = 0; i < good.size(); ++i) {
    store::Batch part;
    BOOST_TEST(!read_content(std::string_view{good}.substr(0, i), "360121", part).has_value(), i);
  }
  struct Case {
    const char* name;
    void (*change)(store::Batch&);
  };
  const Case kCases[] = {
      {"a minute that is none", [](store::Batch& b) { b.minute += 1; }},
      {"a minute before 1970", [](store::Batch& b) { b.minute = -60; }},
      {"a sum that no line can carry",
       [](store::Batch& b) { b.rows[0].sums.bytes = kMostOfARow + 1; }},
      {"a name that is no text", [](store::Batch& b) { b.rows[0].key.names[1] = "\xff"; }},
      {"a name that is too long",
       [](store::Batch& b) { b.rows[0].key.names[1] = std::string(kMaxNameBytes + 1, 'a'); }},
      {"watched for less than nothing", [](store::Batch& b) { b.watch.watched_ms = -1; }},
      {"fewer hits than none",
       [](store::Batch& b) {
         b.hits = {{"360000/a", -1, 0}};
       }},
      {"hits of no rule",
       [](store::Batch& b) {
         b.hits = {{"", 1, 0}};
       }},
      {"rules out of order",
       [](store::Batch& b) {
         list(b, {"b", "a"});
       }},
      {"a rule twice",
       [](store::Batch& b) {
         list(b, {"a", "a"});
       }},
      {"a rule without a name",
       [](store::Batch& b) {
         list(b, {"", "a"});
       }},
      {"a rule of two lines", [](store::Batch& b) { list(b, {"a\nb"}); }},
      {"a number that no database has",
       [](store::Batch& b) {
         list(b, {"a"});
         b.rules = std::uint64_t{1} << 62U;
       }},
  };
  for (const auto& test : kCases) {
    auto bad = batch;
    test.change(bad);
    store::Batch into;
    BOOST_TEST(!read_content(content_of(bad), "360121", into).has_value(), test.name);
  }
  store::Batch into;
  BOOST_TEST(!read_content(good + "x", "360121", into).has_value());
}

BOOST_AUTO_TEST_CASE(alarms_that_cannot_be_are_refused) {
  const auto batch = alarm_batch("360121", 1, {sample_alarm("10.0.0.1", 5)});
  const auto read = [](std::string_view content) {
    store::Batch into;
    into.stream = store::Stream::kAlarms;
    return read_content(content, "360121", into).has_value();
  };
  const auto good = content_of(batch);
  BOOST_TEST(read(good));
  for (std::size_t i = 0; i < good.size(); ++i) BOOST_TEST(!read(good.substr(0, i)), i);
  struct Case {
    const char* name;
    void (*change)(store::Batch&);
  };
  const Case kCases[] = {
      {"told before 1970", [](store::Batch& b) { b.told = b.alarms[0].since = -1; }},
      {"of a time to come", [](store::Batch& b) { b.alarms[0].since = b.told + 1; }},
      {"without a name", [](store::Batch& b) { b.alarms[0].name.clear(); }},
      {"with a terminal's control", [](store::Batch& b) { b.alarms[0].about = "\x1b[2J"; }},
      {"no text", [](store::Batch& b) { b.alarms[0].kind = "\xff"; }},
      {"too long",
       [](store::Batch& b) { b.alarms[0].about = std::string(kMaxNameBytes + 1, 'a'); }},
      {"fewer packets than none", [](store::Batch& b) { b.alarms[0].packets = -1; }},
      {"too many", [](store::Batch& b) { b.alarms.assign(kMaxAlarms + 1, b.alarms[0]); }},
  };
  for (const auto& test : kCases) {
    auto bad = batch;
    test.change(bad);
    BOOST_TEST(!read(content_of(bad)), test.name);
  }
  BOOST_TEST(!read(good + "x"));
}

BOOST_AUTO_TEST_CASE(flow_records_that_cannot_be_are_refused) {
  const auto batch = flow_batch("360121", 1, 2);
  const auto read = [](std::string_view content) {
    store::Batch into;
    into.stream = store::Stream::kFlows;
    return read_content(content, "360121", into).has_value();
  };
  const auto good = content_of(batch);
  BOOST_TEST(read(good));
  for (std::size_t i = 0; i < good.size(); ++i) BOOST_TEST(!read(good.substr(0, i)), i);
  struct Case {
    const char* name;
    void (*change)(store::FlowLines&);
  };
  const Case kCases[] = {
      {"more than there are", [](store::FlowLines& f) { ++f.count; }},
      {"fewer than there are", [](store::FlowLines& f) { --f.count; }},
      {"none", [](store::FlowLines& f) { f = {}; }},
      {"ended before they began", [](store::FlowLines& f) { f.last_ms = f.first_ms - 1; }},
      {"ended before 1970", [](store::FlowLines& f) { f.first_ms = -1; }},
      {"an empty line",
       [](store::FlowLines& f) {
         f.text += '\n';
         ++f.count;
       }},
      {"no end", [](store::FlowLines& f) { f.text.pop_back(); }},
      {"a terminal's control", [](store::FlowLines& f) { f.text[1] = '\x1b'; }},
      {"no text", [](store::FlowLines& f) { f.text[1] = '\xff'; }},
      {"a long line",
       [](store::FlowLines& f) {
         f = {};
         f.add(std::string(kMaxFlowLineBytes + 1, 'x'), 1);
       }},
  };
  for (const auto& test : kCases) {
    auto bad = batch;
    test.change(bad.flows);
    BOOST_TEST(!read(content_of(bad)), test.name);
  }
}

// A frame that says little and holds much is not unpacked beyond what the header says.
BOOST_AUTO_TEST_CASE(a_frame_that_holds_more_than_it_says_is_refused) {
  const auto bytes = packed(sample_batch("360121", 1, 10));
  std::string_view rest = bytes;
  auto record = take_record(rest);
  BOOST_REQUIRE(record.has_value());
  const auto bomb = lifecycle::compressed(std::string(std::size_t{64} << 20, 'x'));
  record->packed = bomb;
  BOOST_TEST(!unpack_batch(*record).has_value());
}

}  // namespace
}  // namespace meiguan::uplink
