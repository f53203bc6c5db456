#include "controlplane/access/approvals.h"

#include <fmt/format.h>

#include <algorithm>
#include <sstream>
#include <utility>

#include "controlplane/lifecycle/digest.h"
#include "controlplane/lifecycle/files.h"

namespace meiguan::access {
namespace {

constexpr std::string_view kFirstLine = "meiguan-approvals 1\n";
constexpr std::size_t kMostBytes = std::size_t{16} << 20;
constexpr unsigned kMode = 0640;

}  // namespace

Approvals::Approvals(std::filesystem::path file) : file_{std::move(file)} {
  std::error_code error;
  if (file_.empty() || !std::filesystem::exists(file_, error)) return;
  auto approvals = read(file_);
  if (approvals) {
    approvals_ = std::move(*approvals);
  } else {
    problem_ = approvals.error().message;
  }
}

std::string Approvals::to_text(const std::vector<Approval>& approvals) {
  std::string text{kFirstLine};
  for (const auto& one : approvals) {
    text += fmt::format("{} {} {}\n", one.uid, one.content, one.until);
  }
  return lifecycle::with_digest(std::move(text));
}

Result<std::vector<Approvals::Approval>> Approvals::read(const std::filesystem::path& file) {
  const auto whole = lifecycle::read_file(file, kMostBytes);
  if (!whole) return std::unexpected{whole.error()};
  const auto damaged = [&] {
    return fail(file.string() + " is damaged: what was approved must be approved again",
                file.string() + " 已损坏：此前的批准须重新作出");
  };
  const auto text = lifecycle::without_digest(*whole);
  if (!text || !text->starts_with(kFirstLine)) return damaged();
  std::istringstream lines{std::string{text->substr(kFirstLine.size())}};
  std::vector<Approval> approvals;
  for (Approval one; lines >> one.uid >> one.content >> one.until;) approvals.push_back(one);
  if (to_text(approvals) != *whole) return damaged();
  return approvals;
}

Result<void> Approvals::keep() const {
  if (file_.empty()) return {};
  std::error_code error;
  std::filesystem::create_directories(file_.parent_path(), error);
  return lifecycle::write_atomically(file_, std::string_view{to_text(approvals_)}, kMode);
}

// A clock that is set back makes no approval last longer than it was meant to.
void Approvals::forget_old(std::int64_t now) {
  std::erase_if(approvals_, [&](const Approval& one) {
    return one.until <= now || one.until - now > kSeconds;
  });
}

Result<void> Approvals::add(const std::string& content, uid_t uid, std::int64_t now) {
  if (!lifecycle::is_sha256_hex(content)) {
    return fail("approve takes the 64 digits that a refused change names",
                "approve 后为被拒变更给出的 64 位摘要");
  }
  forget_old(now);
  std::erase_if(approvals_,
                [&](const Approval& one) { return one.uid == uid && one.content == content; });
  if (std::ranges::count(approvals_, uid, &Approval::uid) >= kMostOfOne) {
    return fail("too many approvals of yours wait to be used", "您待用的批准过多");
  }
  approvals_.push_back({uid, content, now + kSeconds});
  auto kept = keep();
  if (!kept) approvals_.pop_back();
  return kept;
}

bool Approvals::has(const std::string& content, uid_t uid, std::int64_t now) {
  forget_old(now);
  return std::ranges::any_of(approvals_, [&](const Approval& one) {
    return one.content == content && one.uid != uid;
  });
}

Result<void> Approvals::use(const std::string& content) {
  if (std::erase_if(approvals_, [&](const Approval& one) { return one.content == content; }) == 0) {
    return {};
  }
  return keep();
}

}  // namespace meiguan::access
