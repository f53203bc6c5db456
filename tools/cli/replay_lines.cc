#include "tools/cli/replay_lines.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <cstring>
#include <initializer_list>

#include "controlplane/policy/instant_text.h"
#include "controlplane/policy/message.h"
#include "tools/cli/table.h"
#include "tools/cli/width.h"

namespace meiguan::cli {
namespace {

using analysis::ReplayedPacket;
using fastpath::Fate;
using fastpath::Verdict;

constexpr std::size_t kNumberChars = 20;
constexpr std::size_t kTimeChars = 40;
constexpr std::size_t kFixedChars = 256;  // the keys of a JSON line, twice over for a baseline

std::string word(const std::string& text, LineForm form) {
  switch (form) {
    case LineForm::kJson:
    case LineForm::kJsonl: return boost::json::serialize(boost::json::value(text));
    case LineForm::kCsv: return csv_field(text);
    case LineForm::kTable: break;
  }
  return policy::one_line(text);
}

std::string none(LineForm form) {
  switch (form) {
    case LineForm::kJson:
    case LineForm::kJsonl: return "null";
    case LineForm::kCsv: return "";
    case LineForm::kTable: break;
  }
  return "-";
}

char* copy(char* at, std::string_view text) {
  std::memcpy(at, text.data(), text.size());
  return at + text.size();
}

char* number(char* at, std::uint64_t value) {
  const fmt::format_int digits{value};
  return copy(at, {digits.data(), digits.size()});
}

PortId out_port(const Fate& fate) {
  return fastpath::verdict_of(fate.reason) == Verdict::kForward ? fate.out : PortId{};
}

std::size_t code_of(const Fate& fate) {
  return static_cast<std::size_t>(fate.reason) % fastpath::kReasonCodes;
}

}  // namespace

std::size_t Words::longest() const noexcept {
  std::size_t longest = none_.size();
  for (const auto& word : words_) longest = std::max(longest, word.size());
  return longest;
}

LineWords::LineWords(const policy::Catalog& catalog,
                     const std::vector<analysis::ReplayInput>& inputs, LineForm form)
    : files{none(form)},
      ports{none(form)},
      rules{none(form)},
      units{none(form)},
      services{none(form)} {
  for (const auto& input : inputs) files.add(word(input.name, form));
  for (const auto& port : catalog.ports) ports.add(word(port.name, form));
  for (const auto& rule : catalog.rules) rules.add(word(rule.full_name, form));
  for (const auto& unit : catalog.units) units.add(word(unit.id, form));
  for (const auto& service : catalog.services) services.add(word(service.id, form));
  for (std::size_t code = 0; code < fastpath::kReasonCodes; ++code) {
    const auto reason = static_cast<fastpath::Reason>(code);
    const auto* const info = fastpath::find_reason(reason);
    reasons[code] = word(info != nullptr ? std::string{info->name} : fmt::format("reason-{}", code),
                         form);
    verdicts[code] = word(std::string{fastpath::name_of(fastpath::verdict_of(reason))}, form);
  }
}

char* TimeText::write(char* at, std::uint64_t nanoseconds, std::uint8_t digits) {
  constexpr std::uint64_t kSecond = 1'000'000'000;
  const std::uint64_t second = nanoseconds / kSecond;
  if (second != second_) {
    second_ = second;
    whole_ = policy::instant_text(offsets_, static_cast<std::int64_t>(second));
  }
  const std::string_view whole{whole_};
  const auto seconds_end = whole.size() - std::string_view{"+08:00"}.size();
  at = copy(at, whole.substr(0, seconds_end));
  if (digits > 0) {
    *at++ = '.';
    auto rest = static_cast<std::uint32_t>(nanoseconds % kSecond);
    for (std::uint8_t i = digits; i < 9; ++i) rest /= 10;
    for (std::uint8_t i = digits; i > 0; --i) {
      at[i - 1] = static_cast<char>('0' + rest % 10);
      rest /= 10;
    }
    at += digits;
  }
  return copy(at, whole.substr(seconds_end));
}

ReplayLines::ReplayLines(Out& out, LineForm form, std::span<const image::UtcOffset> offsets,
                         const policy::Catalog& catalog, const policy::Catalog* baseline,
                         const std::vector<analysis::ReplayInput>& inputs)
    : out_{out},
      form_{form},
      words_{catalog, inputs, form},
      time_{offsets},
      ports_width_{words_.ports.longest()},
      files_width_{words_.files.longest()},
      rules_width_{words_.rules.longest()},
      units_width_{words_.units.longest()},
      services_width_{words_.services.longest()} {
  if (baseline != nullptr) baseline_.emplace_back(*baseline, inputs, form);
  std::size_t reason = 0;
  for (const auto& text : words_.reasons) reason = std::max(reason, text.size());
  std::size_t room = 2 * kFixedChars + kNumberChars + kTimeChars + files_width_;
  for (const LineWords* words : {&words_, baseline_.empty() ? &words_ : &baseline_.front()}) {
    room += 2 * words->ports.longest() + words->rules.longest() + 2 * words->units.longest() +
            words->services.longest() + reason + 16;
  }
  line_.resize(room);
}

void ReplayLines::begin(bool headers, bool chinese) {
  constexpr std::string_view kColumns =
      "file,index,time,in,verdict,reason,rule,unit,to_unit,service,out";
  constexpr std::string_view kBaseline =
      ",baseline_verdict,baseline_reason,baseline_rule,baseline_unit,baseline_to_unit,"
      "baseline_service,baseline_out";
  switch (form_) {
    case LineForm::kJson: out_.write(R"({"schema":"meiguan.replay/v1","rows":[)"); break;
    case LineForm::kJsonl: break;
    case LineForm::kCsv:
      if (headers)
        out_.line(std::string{kColumns} + std::string{baseline_.empty() ? "" : kBaseline});
      break;
    case LineForm::kTable:
      if (headers) header(chinese);
      break;
  }
}

void ReplayLines::end() {
  if (form_ == LineForm::kJson) out_.line("]}");
}

void ReplayLines::write(const ReplayedPacket& packet) {
  switch (form_) {
    case LineForm::kJson:
      if (has_rows_) out_.write(",");
      write_json(packet);
      break;
    case LineForm::kJsonl: write_json(packet); break;
    case LineForm::kCsv: write_csv(packet); break;
    case LineForm::kTable: write_table(packet); break;
  }
  has_rows_ = true;
}

void ReplayLines::write_csv(const ReplayedPacket& packet) {
  std::array<char, kTimeChars> time{};
  const char* const end = time_.write(time.data(), packet.time, packet.time_digits);
  const auto said = [](const LineWords& words, const Fate& fate) {
    return fmt::format("{},{},{},{},{},{},{}", words.verdicts[code_of(fate)],
                       words.reasons[code_of(fate)], words.rules[fate.rule], words.units[fate.unit],
                       words.units[fate.to_unit], words.services[fate.service],
                       words.ports[out_port(fate)]);
  };
  std::string line =
      fmt::format("{},{},{},{},{}",
                  words_.files[StrongId<struct FileTag>{static_cast<std::uint32_t>(packet.input)}],
                  packet.index,
                  std::string_view{time.data(), static_cast<std::size_t>(end - time.data())},
                  words_.ports[packet.in], said(words_, packet.fate));
  if (!baseline_.empty()) {
    line += ',';
    if (packet.baseline != nullptr) line += said(baseline_.front(), *packet.baseline);
  }
  out_.line(line);
}

void ReplayLines::write_json(const ReplayedPacket& packet) {
  const Fate& fate = packet.fate;
  const std::size_t code = code_of(fate);
  char* at = line_.data();
  at = copy(at, R"({"file":)");
  at = copy(at, words_.files[StrongId<struct FileTag>{static_cast<std::uint32_t>(packet.input)}]);
  at = copy(at, R"(,"index":)");
  at = number(at, packet.index);
  at = copy(at, R"(,"time":")");
  at = time_.write(at, packet.time, packet.time_digits);
  at = copy(at, R"(","in":)");
  at = copy(at, words_.ports[packet.in]);
  at = copy(at, R"(,"verdict":)");
  at = copy(at, words_.verdicts[code]);
  at = copy(at, R"(,"reason":)");
  at = copy(at, words_.reasons[code]);
  at = copy(at, R"(,"rule":)");
  at = copy(at, words_.rules[fate.rule]);
  at = copy(at, R"(,"unit":)");
  at = copy(at, words_.units[fate.unit]);
  at = copy(at, R"(,"to_unit":)");
  at = copy(at, words_.units[fate.to_unit]);
  at = copy(at, R"(,"service":)");
  at = copy(at, words_.services[fate.service]);
  at = copy(at, R"(,"out":)");
  at = copy(at, words_.ports[out_port(fate)]);
  if (packet.baseline != nullptr && !baseline_.empty()) {
    const Fate& was = *packet.baseline;
    at = copy(at, R"(,"baseline":{"verdict":)");
    at = copy(at, words_.verdicts[code_of(was)]);
    at = copy(at, R"(,"reason":)");
    at = copy(at, words_.reasons[code_of(was)]);
    at = copy(at, R"(,"rule":)");
    at = copy(at, baseline_.front().rules[was.rule]);
    at = copy(at, R"(,"unit":)");
    at = copy(at, baseline_.front().units[was.unit]);
    at = copy(at, R"(,"to_unit":)");
    at = copy(at, baseline_.front().units[was.to_unit]);
    at = copy(at, R"(,"service":)");
    at = copy(at, baseline_.front().services[was.service]);
    at = copy(at, R"(,"out":)");
    at = copy(at, baseline_.front().ports[out_port(was)]);
    *at++ = '}';
  }
  at = copy(at, "}\n");
  out_.write({line_.data(), static_cast<std::size_t>(at - line_.data())});
}

void ReplayLines::header(bool chinese) {
  const auto cell = [&](const char* english, const char* translated, std::size_t width) {
    return pad(chinese ? translated : english, width, false) + "  ";
  };
  std::string line = cell("FILE", "文件", files_width_) + pad(chinese ? "序号" : "INDEX", 8, true) +
                     "  " + cell("TIME", "时间", 35) + cell("IN", "入端口", ports_width_) +
                     cell("VERDICT", "判定", 7) + cell("REASON", "原因", 24) +
                     cell("OUT", "出端口", ports_width_) + cell("RULE", "规则", rules_width_) +
                     cell("UNIT", "源单位", units_width_) +
                     cell("TO_UNIT", "目的单位", units_width_) + (chinese ? "服务" : "SERVICE");
  if (!baseline_.empty()) line += chinese ? "  （原策略）" : "  (BASELINE)";
  out_.line(line);
}

void ReplayLines::write_table(const ReplayedPacket& packet) {
  const Fate& fate = packet.fate;
  const std::size_t code = code_of(fate);
  std::array<char, kTimeChars> time{};
  const char* const end = time_.write(time.data(), packet.time, packet.time_digits);
  std::string line = fmt::format(
      "{:<{}}  {:>8}  {:<35}  {:<{}}  {:<7}  {:<24}  {:<{}}  {:<{}}  {:<{}}  {:<{}}  {:<{}}",
      words_.files[StrongId<struct FileTag>{static_cast<std::uint32_t>(packet.input)}],
      files_width_, packet.index,
      std::string_view{time.data(), static_cast<std::size_t>(end - time.data())},
      words_.ports[packet.in], ports_width_, words_.verdicts[code], words_.reasons[code],
      words_.ports[out_port(fate)], ports_width_, words_.rules[fate.rule], rules_width_,
      words_.units[fate.unit], units_width_, words_.units[fate.to_unit], units_width_,
      words_.services[fate.service], services_width_);
  if (packet.baseline != nullptr && !baseline_.empty()) {
    const Fate& was = *packet.baseline;
    line += fmt::format("  ({} {} {})", words_.verdicts[code_of(was)], words_.reasons[code_of(was)],
                        baseline_.front().rules[was.rule]);
  }
  line.erase(line.find_last_not_of(' ') + 1);
  out_.line(line);
}

std::string golden_line(const LineWords& words, const ReplayedPacket& packet) {
  const std::size_t code = code_of(packet.fate);
  return fmt::format(
      "{} {} {} {} {}",
      words.files[StrongId<struct FileTag>{static_cast<std::uint32_t>(packet.input)}], packet.index,
      words.verdicts[code], words.reasons[code], words.rules[packet.fate.rule]);
}

bool changed(const analysis::Names& names, const analysis::Names& baseline,
             const ReplayedPacket& packet) {
  const Fate& now = packet.fate;
  const Fate& was = *packet.baseline;
  // Ids are those of one image: names are what two policies have in common.
  return now.reason != was.reason || out_port(now) != out_port(was) ||
         names.rule_name(now.rule) != baseline.rule_name(was.rule) ||
         names.unit_id(now.unit) != baseline.unit_id(was.unit) ||
         names.unit_id(now.to_unit) != baseline.unit_id(was.to_unit) ||
         names.service_id(now.service) != baseline.service_id(was.service);
}

}  // namespace meiguan::cli
