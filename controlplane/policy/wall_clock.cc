#include "controlplane/policy/wall_clock.h"

#include <algorithm>
#include <fstream>
#include <limits>
#include <string>

namespace meiguan::policy {
namespace {

constexpr std::int64_t kEarliest = std::numeric_limits<std::int64_t>::min();
constexpr std::int32_t kShanghai = 8 * 3600;
constexpr std::size_t kMostBytes = std::size_t{1} << 20;  // the largest real one has four thousand

WallClock fixed(std::int32_t seconds) { return {{{kEarliest, seconds, 0}}, std::nullopt}; }

// Letters, digits and "_+-" between slashes: no way leads out of the database.
bool is_name(std::string_view name) {
  if (name.empty() || name.size() > 64 || name.front() == '/' || name.back() == '/') return false;
  // These two stand for whatever the machine is set to.
  if (name == "localtime" || name == "posixrules") return false;
  return name.find("//") == name.npos && std::ranges::all_of(name, [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '_' || c == '+' || c == '-' || c == '/';
         });
}

}  // namespace

Result<WallClock> wall_clock_of(std::string_view timezone, const std::filesystem::path& database) {
  if (timezone == "Asia/Shanghai") return fixed(kShanghai);
  if (timezone == "UTC") return fixed(0);
  if (!is_name(timezone)) {
    return fail("a name such as Asia/Shanghai expected", "应为 Asia/Shanghai 之类的名称");
  }
  std::error_code error;
  if (!std::filesystem::is_directory(database, error)) {
    return fail("this machine has no tz database, only Asia/Shanghai and UTC are known without",
                "本机没有 tz 数据库，此时仅支持 Asia/Shanghai 和 UTC");
  }
  const std::filesystem::path path = database / timezone;
  if (!std::filesystem::is_regular_file(path, error)) {
    return fail("a name such as Asia/Shanghai expected, of a zone in this machine's tz database",
                "应为 Asia/Shanghai 之类的名称，且本机 tz 数据库中有该时区");
  }
  std::ifstream file(path, std::ios::binary);
  std::string bytes(kMostBytes + 1, '\0');
  file.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  bytes.resize(static_cast<std::size_t>(std::max<std::streamsize>(file.gcount(), 0)));
  if (bytes.empty() || file.bad()) {
    return fail("its file in the tz database cannot be read", "无法读取 tz 数据库中的该文件");
  }
  if (bytes.size() > kMostBytes) {
    return fail("its file in the tz database is too large", "tz 数据库中的该文件过大");
  }
  return read_tz_file(bytes);
}

std::int64_t instant_of(std::span<const image::UtcOffset> offsets, std::int64_t local) {
  for (std::size_t i = 0; i < offsets.size(); ++i) {
    const std::int64_t instant = local - offsets[i].seconds;
    const bool last = i + 1 == offsets.size();
    if (last || instant < offsets[i + 1].at) return std::max(instant, offsets[i].at);
  }
  return local;
}

}  // namespace meiguan::policy
