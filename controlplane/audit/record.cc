#include "controlplane/audit/record.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <charconv>
#include <chrono>

namespace meiguan::audit {
namespace {

constexpr std::string_view kBeforeHash = ",\"hash\":\"";
constexpr std::string_view kAfterHash = "\"}";
constexpr std::string_view kFirst = "{\"n\":";
constexpr std::size_t kNumberDigits = 20;

bool is_hash(std::string_view text) {
  return text.size() == kHashDigits && std::ranges::all_of(text, [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

// A decimal number as a whole, without a sign or zeros in front.
std::optional<std::uint64_t> number_of(std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  if (text.size() > 1 && text.front() == '0') return std::nullopt;
  return number;
}

std::string body_of(const Event& event, const boost::json::object& detail, std::uint64_t number,
                    std::string_view time) {
  const boost::json::object object{
      {"n", number},        {"time", time},         {"user", event.user},       {"uid", event.uid},
      {"role", event.role}, {"event", event.event}, {"outcome", event.outcome}, {"detail", detail}};
  auto text = boost::json::serialize(object);
  text.pop_back();  // the hash is its last member
  return text;
}

}  // namespace

std::string line_of(const Event& event, std::uint64_t number, std::string_view time,
                    crypto::HashKind kind, std::string_view hash_before) {
  auto body = body_of(event, event.detail, number, time);
  if (body.size() + 128 > kMaxLineBytes) {
    auto cut = event;
    for (auto* const text : {&cut.user, &cut.role, &cut.event, &cut.outcome}) {
      if (text->size() > 64) text->resize(64);
    }
    body = body_of(cut, {{"left_out_bytes", body.size()}}, number, time);
  }
  const auto hash = hash_of_line(kind, hash_before, body);
  return fmt::format("{}{}{}{}", body, kBeforeHash, hash, kAfterHash);
}

std::optional<Line> split_line(std::string_view line) {
  const std::size_t tail = kBeforeHash.size() + kHashDigits + kAfterHash.size();
  if (line.size() > kMaxLineBytes || line.size() <= tail || !line.starts_with(kFirst)) {
    return std::nullopt;
  }
  Line split;
  split.body = line.substr(0, line.size() - tail);
  const auto end = line.substr(split.body.size());
  split.hash = end.substr(kBeforeHash.size(), kHashDigits);
  if (!end.starts_with(kBeforeHash) || !end.ends_with(kAfterHash) || !is_hash(split.hash)) {
    return std::nullopt;
  }
  const auto comma = split.body.find(',', kFirst.size());
  if (comma == split.body.npos) return std::nullopt;
  const auto number = number_of(split.body.substr(kFirst.size(), comma - kFirst.size()));
  if (!number) return std::nullopt;
  split.number = *number;
  return split;
}

std::string hash_of_line(crypto::HashKind kind, std::string_view hash_before,
                         std::string_view body) {
  crypto::Hasher hasher{kind};
  hasher.add(hash_before);
  hasher.add(body);
  return crypto::hex(hasher.finish());
}

std::string time_text(std::int64_t milliseconds) {
  using namespace std::chrono;
  const sys_time<std::chrono::milliseconds> at{std::chrono::milliseconds{milliseconds}};
  const auto day = floor<days>(at);
  const year_month_day date{day};
  const hh_mm_ss time{at - day};
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                     time.hours().count(), time.minutes().count(), time.seconds().count(),
                     time.subseconds().count());
}

std::optional<std::int64_t> time_of(std::string_view text) {
  constexpr std::string_view kForm = "dddd-dd-ddTdd:dd:dd.dddZ";
  if (text.size() != kForm.size()) return std::nullopt;
  for (std::size_t i = 0; i < kForm.size(); ++i) {
    if (kForm[i] == 'd' ? text[i] < '0' || text[i] > '9' : text[i] != kForm[i]) return std::nullopt;
  }
  const auto at = [&](std::size_t from, std::size_t digits) {
    int value = 0;
    for (std::size_t i = from; i < from + digits; ++i) value = value * 10 + (text[i] - '0');
    return value;
  };
  using namespace std::chrono;
  const year_month_day date{year{at(0, 4)}, month{static_cast<unsigned>(at(5, 2))},
                            day{static_cast<unsigned>(at(8, 2))}};
  if (!date.ok() || at(11, 2) > 23 || at(14, 2) > 59 || at(17, 2) > 60) return std::nullopt;
  const auto seconds = sys_days{date}.time_since_epoch().count() * 86'400LL + at(11, 2) * 3600 +
                       at(14, 2) * 60 + at(17, 2);
  return seconds * 1000 + at(20, 3);
}

std::string signed_text(std::uint64_t number, std::string_view hash) {
  return fmt::format("{}\n{}\n{}\n", kFormat, number, hash);
}

std::string head_text(const Head& head) {
  return fmt::format("{:020} {}\n", head.number, head.hash);
}

std::optional<Head> head_from_text(std::string_view text) {
  if (text.size() != kNumberDigits + 1 + kHashDigits + 1 || text[kNumberDigits] != ' ' ||
      text.back() != '\n') {
    return std::nullopt;
  }
  const auto hash = text.substr(kNumberDigits + 1, kHashDigits);
  auto digits = text.substr(0, kNumberDigits);
  digits.remove_prefix(std::min(digits.find_first_not_of('0'), kNumberDigits - 1));
  const auto number = number_of(digits);
  if (!number || !is_hash(hash)) return std::nullopt;
  return Head{*number, std::string{hash}};
}

std::string file_name(std::uint64_t number) { return fmt::format("audit-{:08}.log", number); }

std::vector<LogFile> files_of(const std::filesystem::path& directory) {
  std::vector<LogFile> files;
  std::error_code error;
  for (std::filesystem::directory_iterator it{directory, error};
       !error && it != std::filesystem::directory_iterator{}; it.increment(error)) {
    const auto name = it->path().filename().string();
    if (!name.starts_with("audit-") || !name.ends_with(".log")) continue;
    auto digits = std::string_view{name}.substr(6, name.size() - 10);
    const auto zeros = digits.find_first_not_of('0');
    if (zeros == digits.npos) continue;
    const auto number = number_of(digits.substr(zeros));
    if (number && file_name(*number) == name) files.push_back({*number, it->path()});
  }
  std::ranges::sort(files, {}, &LogFile::number);
  return files;
}

}  // namespace meiguan::audit
