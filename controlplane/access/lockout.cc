#include "controlplane/access/lockout.h"

#include <fmt/format.h>

#include <sstream>
#include <utility>

#include "controlplane/lifecycle/digest.h"
#include "controlplane/lifecycle/files.h"

namespace meiguan::access {
namespace {

constexpr std::string_view kFirstLine = "meiguan-lockouts 2\n";
constexpr std::size_t kMostBytes = std::size_t{64} << 20;
constexpr unsigned kMode = 0640;

}  // namespace

Lockout::Lockout(std::uint32_t after, std::uint32_t minutes, std::filesystem::path file,
                 std::string boot_id)
    : after_{after},
      seconds_{std::int64_t{minutes} * 60},
      file_{std::move(file)},
      boot_id_{std::move(boot_id)} {
  std::error_code error;
  if (file_.empty() || !std::filesystem::exists(file_, error)) return;
  auto counts = read(file_);
  if (counts) {
    counts_ = std::move(*counts);
  } else {
    problem_ = counts.error().message;
  }
}

std::string Lockout::to_text(const Counts& counts) {
  std::string text{kFirstLine};
  for (const auto& [uid, count] : counts) {
    for (const auto& until : count.refusals) {
      text += fmt::format("{} {:d} {} {} {} {}\n", uid, count.locked, until.seconds, until.wall,
                          until.boot_milliseconds, until.boot_id.empty() ? "-" : until.boot_id);
    }
  }
  return lifecycle::with_digest(std::move(text));
}

Result<Lockout::Counts> Lockout::read(const std::filesystem::path& file) {
  const auto whole = lifecycle::read_file(file, kMostBytes);
  if (!whole) return std::unexpected{whole.error()};
  const auto damaged = [&] {
    return fail(file.string() + " is damaged: who was locked out is forgotten",
                file.string() + " 已损坏：此前的锁定已丢失");
  };
  const auto text = lifecycle::without_digest(*whole);
  if (!text || !text->starts_with(kFirstLine)) return damaged();
  std::istringstream lines{std::string{text->substr(kFirstLine.size())}};
  Counts counts;
  uid_t uid = 0;
  bool locked = false;
  for (lifecycle::Deadline until; lines >> uid >> locked >> until.seconds >> until.wall >>
                                  until.boot_milliseconds >> until.boot_id;) {
    auto& count = counts[uid];
    count.locked = locked;
    count.refusals.push_back(until);
  }
  if (to_text(counts) != *whole) return damaged();
  return counts;
}

bool Lockout::is_over(const lifecycle::Deadline& refusal, const lifecycle::Instant& now) const {
  return lifecycle::milliseconds_left(refusal, now, boot_id_) == 0;
}

std::int64_t Lockout::seconds_left(uid_t uid, const lifecycle::Instant& now) const {
  const std::lock_guard lock{mutex_};
  const auto found = counts_.find(uid);
  if (found == counts_.end() || !found->second.locked) return 0;
  return (lifecycle::milliseconds_left(found->second.refusals.back(), now, boot_id_) + 999) / 1000;
}

bool Lockout::refused(uid_t uid, const lifecycle::Instant& now) {
  const std::lock_guard lock{mutex_};
  if (counts_.size() >= kMostUsers && !counts_.contains(uid)) {
    std::erase_if(counts_,
                  [&](const auto& entry) { return is_over(entry.second.refusals.back(), now); });
  }
  auto& count = counts_[uid];
  if (count.locked) {
    if (!is_over(count.refusals.back(), now)) return true;
    count = {};
  }
  std::erase_if(count.refusals, [&](const auto& refusal) { return is_over(refusal, now); });
  count.refusals.push_back(
      {seconds_, now.wall + seconds_, now.boot_milliseconds + seconds_ * 1000, boot_id_});
  count.locked = count.refusals.size() >= after_;
  keep();
  return count.locked;
}

Text Lockout::problem() const {
  const std::lock_guard lock{mutex_};
  return problem_;
}

void Lockout::keep() {
  if (file_.empty()) return;
  const auto kept = lifecycle::write_atomically(file_, std::string_view{to_text(counts_)}, kMode);
  problem_ = kept ? Text{} : kept.error().message;
}

}  // namespace meiguan::access
