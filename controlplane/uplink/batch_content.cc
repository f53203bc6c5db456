// The content of a record: varints and names.

#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "controlplane/policy/utf8.h"
#include "controlplane/store/varint.h"
#include "controlplane/uplink/batch_record.h"

namespace meiguan::uplink {
namespace {

using store::put_signed;
using store::put_varint;

constexpr std::int64_t kMinuteSeconds = 60;
constexpr std::int64_t kLatestMinute = std::int64_t{1} << 36;  // of seconds since 1970
constexpr std::size_t kRowNames = store::kKeyNames - 1;        // the node is the record's
constexpr std::size_t kRowSums = 6;
constexpr std::size_t kLeastRowBytes = kRowNames + kRowSums;

class Names {
 public:
  // Index + 1, or 0 of an empty one.
  std::uint64_t number(const std::string& name) {
    if (name.empty()) return 0;
    const auto [found, is_new] = numbers_.emplace(name, numbers_.size() + 1);
    if (is_new) order_.push_back(&found->first);
    return found->second;
  }
  void write(std::string& out) const {
    put_varint(out, order_.size());
    for (const auto* const name : order_) {
      put_varint(out, name->size());
      out += *name;
    }
  }

 private:
  std::map<std::string, std::uint64_t> numbers_;
  std::vector<const std::string*> order_;
};

// Reads from the front; whatever is wrong makes it fail for good.
class Input {
 public:
  explicit Input(std::string_view bytes) : in_{bytes} {}

  std::uint64_t number() { return in_.number(); }
  // Within +-kMostOfARow.
  std::int64_t sum() {
    const auto value = in_.signed_number();
    if (value > kMostOfARow || value < -kMostOfARow) in_.fail();
    return in_.failed() ? 0 : value;
  }
  std::size_t count(std::size_t most, std::size_t least_bytes) {
    const auto value = number();
    if (value > most || value > in_.left() / least_bytes) in_.fail();
    return in_.failed() ? 0 : static_cast<std::size_t>(value);
  }
  std::string_view text() {
    const auto size = count(kMaxNameBytes, 1);
    const auto text = in_.bytes(size);
    if (text.empty() || policy::find_invalid_utf8(text)) in_.fail();
    return text;
  }
  // A line for people, which may be empty.
  std::string line() {
    const auto size = count(kMaxNameBytes, 1);
    const auto text = in_.bytes(size);
    if (policy::find_invalid_utf8(text) || policy::has_control(text)) in_.fail();
    return std::string{text};
  }
  std::string_view rest() { return in_.bytes(in_.left()); }
  [[nodiscard]] bool failed() const { return in_.failed(); }
  [[nodiscard]] bool at_end() const { return in_.left() == 0; }
  void fail() { in_.fail(); }

 private:
  store::VarintReader in_;
};

std::vector<std::string> read_names(Input& input) {
  std::vector<std::string> names(1);
  const auto count = input.count(kMaxRawBytes, 2);
  for (std::size_t i = 0; i < count && !input.failed(); ++i) names.emplace_back(input.text());
  return names;
}

const std::string& read_name(Input& input, const std::vector<std::string>& names) {
  const auto index = input.number();
  if (index < names.size()) return names[static_cast<std::size_t>(index)];
  input.fail();
  return names[0];
}

void read_row(Input& input, const std::vector<std::string>& names, store::Row& row) {
  for (std::size_t i = 1; i < store::kKeyNames; ++i) row.key.names[i] = read_name(input, names);
  auto& s = row.sums;
  for (auto* const part :
       {&s.packets, &s.bytes, &s.started, &s.ended, &s.peak_packets, &s.peak_bytes}) {
    *part = input.sum();
  }
}

void put_text(std::string& out, std::string_view text) {
  put_varint(out, text.size());
  out += text;
}

std::string content_of_alarms(const store::Batch& batch) {
  std::string out;
  put_signed(out, batch.told);
  put_varint(out, batch.alarms.size());
  for (const auto& alarm : batch.alarms) {
    for (const auto* const text : {&alarm.name, &alarm.kind, &alarm.about}) put_text(out, *text);
    put_signed(out, alarm.since);
    put_signed(out, alarm.packets);
  }
  return out;
}

std::string content_of_flows(const store::Batch& batch) {
  std::string out;
  put_varint(out, batch.flows.count);
  put_signed(out, batch.flows.first_ms);
  put_signed(out, batch.flows.last_ms);
  return out + batch.flows.text;
}

// Lines are text without anything that a terminal obeys, and as many as there are said to be.
bool are_lines(std::string_view text, std::uint64_t count) {
  if (text.size() > kMaxFlowBytes || !text.ends_with('\n')) return false;
  std::uint64_t lines = 0;
  for (; !text.empty(); ++lines) {
    const auto line = text.substr(0, text.find('\n'));
    if (line.empty() || line.size() > kMaxFlowLineBytes || policy::find_invalid_utf8(line) ||
        policy::has_control(line)) {
      return false;
    }
    text.remove_prefix(line.size() + 1);
  }
  return lines == count;
}

void read_flows(Input& input, store::Batch& batch) {
  auto& flows = batch.flows;
  flows.count = static_cast<std::uint32_t>(input.count(kMaxFlowBytes, 2));
  flows.first_ms = input.sum();
  flows.last_ms = input.sum();
  constexpr std::int64_t kMs = 1'000;
  if (flows.first_ms < 0 || flows.last_ms < flows.first_ms || flows.last_ms > kLatestMinute * kMs) {
    input.fail();
  }
  const auto ended = flows.last_ms / kMs;
  batch.minute = ended - ended % kMinuteSeconds;
  flows.text = input.rest();
  if (!are_lines(flows.text, flows.count)) input.fail();
}

void read_alarms(Input& input, store::Batch& batch) {
  constexpr std::size_t kLeastAlarmBytes = 6;
  batch.told = input.sum();
  if (batch.told < 0 || batch.told > kLatestMinute) input.fail();
  batch.minute = batch.told - batch.told % kMinuteSeconds;
  batch.alarms.resize(input.count(kMaxAlarms, kLeastAlarmBytes));
  for (auto& alarm : batch.alarms) {
    if (input.failed()) break;
    alarm.name = input.line();
    alarm.kind = input.line();
    alarm.about = input.line();
    alarm.since = input.sum();
    alarm.packets = input.sum();
    if (alarm.name.empty() || alarm.since < 0 || alarm.since > batch.told || alarm.packets < 0) {
      input.fail();
    }
  }
}

}  // namespace

std::string content_of(const store::Batch& batch) {
  if (batch.stream == store::Stream::kAlarms) return content_of_alarms(batch);
  if (batch.stream == store::Stream::kFlows) return content_of_flows(batch);
  Names names;
  std::string rows;
  put_varint(rows, batch.rows.size());
  for (const auto& row : batch.rows) {
    for (std::size_t i = 1; i < store::kKeyNames; ++i)
      put_varint(rows, names.number(row.key.names[i]));
    const auto& s = row.sums;
    for (const auto part : {s.packets, s.bytes, s.started, s.ended, s.peak_packets, s.peak_bytes}) {
      put_signed(rows, part);
    }
  }
  put_varint(rows, batch.hits.size());
  for (const auto& hit : batch.hits) {
    put_varint(rows, names.number(hit.rule));
    put_signed(rows, hit.hits);
    put_signed(rows, hit.audited);
  }
  if (batch.rules != 0) {
    put_varint(rows, batch.rules);
    put_varint(rows, batch.list ? 1 : 0);
    if (batch.list) {
      put_varint(rows, batch.list->size());
      for (const auto& rule : *batch.list) put_varint(rows, names.number(rule));
    }
  }
  std::string out;
  put_signed(out, batch.minute);
  for (const auto part : {batch.watch.watched_ms, batch.watch.events_lost, batch.watch.folded}) {
    put_signed(out, part);
  }
  names.write(out);
  return out + rows;
}

namespace {

// In order and each once, so that a fold of it counts each once.
void read_list(Input& input, const std::vector<std::string>& names, store::Batch& batch) {
  batch.rules = input.number();
  const auto follows = input.number();
  if (batch.rules == 0 || batch.rules >= std::uint64_t{1} << 62U || follows > 1) input.fail();
  if (input.failed() || follows == 0) return;
  store::RuleList rules(input.count(kMaxRows, 1));
  const std::string* before = &names[0];  // the empty one
  for (auto& rule : rules) {
    if (input.failed()) return;
    rule = read_name(input, names);
    if (rule <= *before || policy::has_control(rule)) input.fail();
    before = &rule;
  }
  batch.list = std::make_shared<const store::RuleList>(std::move(rules));
}

void read_rows(Input& input, store::Batch& batch) {
  batch.minute = input.sum();
  if (batch.minute < 0 || batch.minute > kLatestMinute || batch.minute % kMinuteSeconds != 0) {
    input.fail();
  }
  auto& watch = batch.watch;
  for (auto* const part : {&watch.watched_ms, &watch.events_lost, &watch.folded}) {
    *part = input.sum();
    if (*part < 0) input.fail();
  }
  const auto names = read_names(input);
  const auto rows = input.count(kMaxRows, kLeastRowBytes);
  batch.rows.resize(rows);
  for (auto& row : batch.rows) {
    if (input.failed()) break;
    row.key[store::Dimension::kNode] = batch.node;
    read_row(input, names, row);
  }
  const auto hits = input.count(kMaxRows, 3);
  batch.hits.resize(hits);
  for (auto& hit : batch.hits) {
    if (input.failed()) break;
    hit.rule = read_name(input, names);
    hit.hits = input.sum();
    hit.audited = input.sum();
    if (hit.rule.empty() || hit.hits < 0 || hit.audited < 0) input.fail();
  }
  if (!input.at_end()) read_list(input, names, batch);
}

}  // namespace

Result<void> read_content(std::string_view content, const std::string& node, store::Batch& batch) {
  Input input{content};
  batch.node = node;
  if (batch.stream == store::Stream::kAlarms) {
    read_alarms(input, batch);
  } else if (batch.stream == store::Stream::kFlows) {
    read_flows(input, batch);
  } else {
    read_rows(input, batch);
  }
  if (!input.failed() && input.at_end()) return {};
  return fail("the content of a batch is not what it should be", "批次内容不符合格式");
}

}  // namespace meiguan::uplink
