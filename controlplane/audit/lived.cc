#include "controlplane/audit/lived.h"

#include <algorithm>
#include <boost/json.hpp>
#include <ctime>
#include <fstream>
#include <string>
#include <utility>

#include "controlplane/audit/record.h"

namespace meiguan::audit {
namespace {

namespace json = boost::json;

struct Told {
  std::int64_t lived_seconds{0};
  std::int64_t wall{0};  // milliseconds
};

// What a record says; nothing where it is none of the log's own. Those of users can have any text
// in their detail, but none is `noted`.
std::optional<Told> told_in(std::string_view line) {
  if (line.find(Lived::kKey) == line.npos) return std::nullopt;
  boost::system::error_code error;
  const auto value = json::parse(line, error);
  const auto* const record = error ? nullptr : value.if_object();
  if (record == nullptr) return std::nullopt;
  const auto text_at = [&](std::string_view key) {
    const auto* const found = record->if_contains(key);
    return found != nullptr && found->is_string() ? std::string_view{found->get_string()}
                                                  : std::string_view{};
  };
  const auto event = text_at("event");
  const auto* const detail = record->if_contains("detail");
  if (text_at("outcome") != "noted" || (event != "file" && event != "signature") ||
      detail == nullptr || !detail->is_object()) {
    return std::nullopt;
  }
  const auto* const lived = detail->get_object().if_contains(Lived::kKey);
  const auto time = time_of(text_at("time"));
  if (lived == nullptr || !lived->is_int64() || lived->get_int64() < 0 || !time) {
    return std::nullopt;
  }
  return Told{lived->get_int64(), *time};
}

}  // namespace

std::int64_t boot_milliseconds() {
  timespec now{};
  ::clock_gettime(CLOCK_BOOTTIME, &now);
  return std::int64_t{now.tv_sec} * 1000 + now.tv_nsec / 1'000'000;
}

Lived::Lived(Clock steady) : steady_{std::move(steady)}, began_{steady_()} {}

std::int64_t Lived::seconds() const { return before_seconds_ + (steady_() - began_) / 1000; }

void Lived::resume(std::string_view file, std::int64_t wall) {
  while (!file.empty()) {
    const auto end = file.find_last_not_of('\n');
    if (end == file.npos) return;
    file = file.substr(0, end + 1);
    const auto begin = file.rfind('\n');
    const auto line = file.substr(begin == file.npos ? 0 : begin + 1);
    if (const auto told = told_in(line)) {
      const auto between = (wall - told->wall) / 1000;
      before_seconds_ = told->lived_seconds +
                        std::clamp(between, std::int64_t{0}, kMostBetweenSeconds);
      return;
    }
    file.remove_suffix(line.size());
  }
}

std::optional<std::int64_t> Lived::at_start_of(const std::filesystem::path& path) {
  std::ifstream file{path, std::ios::binary};
  std::string line(kMaxLineBytes, '\0');
  file.read(line.data(), static_cast<std::streamsize>(line.size()));
  line.resize(static_cast<std::size_t>(file.gcount()));
  line.resize(std::min(line.size(), line.find('\n')));
  const auto told = told_in(line);
  return told ? std::optional{told->lived_seconds} : std::nullopt;
}

}  // namespace meiguan::audit
