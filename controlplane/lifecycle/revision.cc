#include "controlplane/lifecycle/revision.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <ctime>
#include <fstream>
#include <utility>

#include "controlplane/lifecycle/digest.h"
#include "controlplane/policy/utf8.h"

namespace meiguan::lifecycle {
namespace {

namespace json = boost::json;

constexpr std::string_view kSchema = "meiguan.revision/v1";
constexpr std::size_t kMaxRevisionBytes = 64 * 1024;
constexpr std::int64_t kMostSeconds = std::int64_t{1} << 40;

constexpr std::array<std::pair<Origin, std::string_view>, 5> kOrigins{{
    {Origin::kStart, "start"},
    {Origin::kApply, "apply"},
    {Origin::kReload, "reload"},
    {Origin::kRollback, "rollback"},
    {Origin::kReturn, "return"},
}};

std::int64_t milliseconds_of(clockid_t clock) {
  timespec time{};
  ::clock_gettime(clock, &time);
  return std::int64_t{time.tv_sec} * 1000 + time.tv_nsec / 1'000'000;
}

std::unexpected<Error> damaged(const char* english, const char* chinese) {
  return fail(std::string{"the revision's file is damaged: "} + english,
              std::string{"版本文件已损坏："} + chinese);
}

// Reads members of one object; remembers whether all were there.
class Members {
 public:
  explicit Members(const json::object& object) : object_{object} {}
  std::string text(std::string_view key) {
    const auto* const value = object_.if_contains(key);
    if (value != nullptr && value->is_string()) return std::string{value->get_string()};
    whole_ = false;
    return {};
  }
  template <typename T>
  T number(std::string_view key) {
    const auto* const value = object_.if_contains(key);
    boost::system::error_code error;
    if (value != nullptr && value->is_number()) {
      const auto number = value->to_number<T>(error);
      if (!error) return number;
    }
    whole_ = false;
    return {};
  }
  [[nodiscard]] bool whole() const { return whole_; }

 private:
  const json::object& object_;
  bool whole_{true};
};

}  // namespace

Instant system_instant() {
  return {milliseconds_of(CLOCK_REALTIME) / 1000, milliseconds_of(CLOCK_BOOTTIME)};
}

std::string boot_id() {
  std::string text;
  std::ifstream{"/proc/sys/kernel/random/boot_id"} >> text;
  return text;
}

std::string_view name_of(Origin origin) noexcept {
  const auto* const found = std::ranges::find(kOrigins, origin,
                                              &decltype(kOrigins)::value_type::first);
  return found != kOrigins.end() ? found->second : std::string_view{};
}

std::int64_t milliseconds_left(const Deadline& deadline, const Instant& now,
                               std::string_view this_boot) noexcept {
  const bool same_boot = !this_boot.empty() && deadline.boot_id == this_boot;
  // What lies on a disk may be any number: only those near to now are reckoned with.
  const auto seconds = std::clamp<std::int64_t>(deadline.seconds, 0, kMostSeconds);
  const auto left = [](std::int64_t until, std::int64_t from, std::int64_t most) {
    return std::clamp(until, from, from + most) - from;
  };
  return same_boot ? left(deadline.boot_milliseconds, now.boot_milliseconds, seconds * 1000)
                   : left(deadline.wall, now.wall, seconds) * 1000;
}

std::string to_text(const Revision& revision) {
  json::object object{{"schema", kSchema},
                      {"revision", revision.number},
                      {"origin", name_of(revision.origin)},
                      {"repeats", revision.repeats},
                      {"author", revision.author},
                      {"uid", revision.uid},
                      {"time", revision.time},
                      {"ticket", revision.ticket},
                      {"comment", revision.comment},
                      {"signature", revision.signature},
                      {"content", revision.content},
                      {"image", revision.image},
                      {"checksum", revision.checksum},
                      {"catalog", revision.catalog},
                      {"policy", revision.policy},
                      {"gateway", revision.gateway}};
  if (revision.deadline) {
    object.emplace("confirm",
                   json::object{{"seconds", revision.deadline->seconds},
                                {"wall", revision.deadline->wall},
                                {"boot_milliseconds", revision.deadline->boot_milliseconds},
                                {"boot_id", revision.deadline->boot_id}});
  }
  return with_digest(json::serialize(object) + "\n");
}

Result<Revision> revision_from_text(std::string_view text) {
  const auto line = text.size() <= kMaxRevisionBytes ? without_digest(text) : std::nullopt;
  if (!line) {
    return damaged("it is not a line and the checksum of it", "应为一行内容及与其相符的校验值");
  }
  boost::system::error_code error;
  const auto value = json::parse(*line, error);
  if (error || !value.is_object()) return damaged("it is not JSON", "不是 JSON");
  Members members{value.get_object()};
  Revision revision;
  const auto schema = members.text("schema");
  revision.number = members.number<std::uint32_t>("revision");
  const auto origin = members.text("origin");
  revision.repeats = members.number<std::uint32_t>("repeats");
  revision.author = members.text("author");
  revision.uid = members.number<std::uint32_t>("uid");
  revision.time = members.number<std::int64_t>("time");
  revision.ticket = members.text("ticket");
  revision.comment = members.text("comment");
  revision.signature = members.text("signature");
  revision.content = members.text("content");
  revision.image = members.text("image");
  revision.checksum = members.text("checksum");
  revision.catalog = members.text("catalog");
  revision.policy = members.text("policy");
  revision.gateway = members.text("gateway");
  const auto* const known = std::ranges::find(kOrigins, origin,
                                              &decltype(kOrigins)::value_type::second);
  if (!members.whole() || schema != kSchema || known == kOrigins.end() || revision.number == 0 ||
      !is_sha256_hex(revision.content) || !is_sha256_hex(revision.image) ||
      !is_sha256_hex(revision.catalog)) {
    return damaged("a member is missing or no good", "缺少成员或成员有误");
  }
  revision.origin = known->first;
  if (const auto* const confirm = value.get_object().if_contains("confirm")) {
    if (!confirm->is_object()) return damaged("`confirm` is no object", "confirm 不是对象");
    Members limits{confirm->get_object()};
    revision.deadline = Deadline{limits.number<std::int64_t>("seconds"),
                                 limits.number<std::int64_t>("wall"),
                                 limits.number<std::int64_t>("boot_milliseconds"),
                                 limits.text("boot_id")};
    if (!limits.whole()) return damaged("`confirm` lacks a member", "confirm 缺少成员");
  }
  return revision;
}

std::string signature_that_fits(const std::string& signature) {
  constexpr std::size_t kMost = 32'000;
  const auto end = signature.size() <= kMost ? std::string::npos : signature.rfind("; ", kMost);
  return end == std::string::npos ? signature.substr(0, kMost) : signature.substr(0, end) + "; ...";
}

bool is_one_line(std::string_view text, std::size_t most) {
  return text.size() <= most && !policy::find_invalid_utf8(text) && !policy::has_control(text);
}

}  // namespace meiguan::lifecycle
