#include "controlplane/lifecycle/revision_store.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <future>
#include <set>
#include <system_error>
#include <utility>

#include "controlplane/lifecycle/compress.h"
#include "controlplane/lifecycle/digest.h"
#include "controlplane/lifecycle/files.h"

namespace meiguan::lifecycle {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxRevisionBytes = 64 * 1024;
constexpr std::size_t kMaxObjectBytes = std::size_t{2} << 30;
constexpr std::size_t kDigits = 8;

// "00000012.revision" as 12; nothing for another name.
std::optional<std::uint32_t> number_of(const std::string& name, std::string_view ending) {
  if (name.size() != kDigits + ending.size() || !name.ends_with(ending)) return std::nullopt;
  std::uint32_t number = 0;
  const auto* const end = name.data() + kDigits;
  const auto [at, error] = std::from_chars(name.data(), end, number);
  if (error != std::errc{} || at != end || number == 0) return std::nullopt;
  return number;
}

}  // namespace

Packed pack(std::string_view bytes) { return {sha256_hex(bytes), compressed(bytes)}; }

Packed pack(const Content& content) { return pack(std::string_view{to_bytes(content)}); }

Result<RevisionStore> RevisionStore::open(fs::path directory, Clock clock, std::size_t keep) {
  std::error_code error;
  fs::create_directories(directory / "objects", error);
  if (error) {
    return fail(fmt::format("cannot make {}: {}", directory.string(), error.message()),
                fmt::format("无法创建 {}：{}", directory.string(), error.message()));
  }
  RevisionStore store{std::move(directory), std::move(clock), std::max(keep, kLeastKept)};
  store.read_all();
  return store;
}

fs::path RevisionStore::file_of(std::uint32_t number, const char* ending) const {
  return directory_ / fmt::format("{:08}{}", number, ending);
}

void RevisionStore::read_all() {
  std::error_code error;
  for (fs::directory_iterator at{directory_, error}; !error && at != fs::directory_iterator{};
       at.increment(error)) {
    const auto name = at->path().filename().string();
    std::error_code ignored;
    // What a power cut left of a file that was never whole.
    if (name.starts_with('.')) fs::remove(at->path(), ignored);
    if (const auto number = number_of(name, ".revision")) read_one(at->path(), *number);
  }
  std::ranges::sort(revisions_, std::ranges::greater{}, &Revision::number);
  for (auto& revision : revisions_) {
    const auto mark = read_file(file_of(revision.number, ".confirmed"), kMaxRevisionBytes);
    if (!mark) continue;
    revision.confirmed = true;
    revision.confirmed_by = mark->substr(0, mark->find('\n'));
  }
}

void RevisionStore::read_one(const fs::path& file, std::uint32_t number) {
  highest_ = std::max(highest_, number);
  const auto text = read_file(file, kMaxRevisionBytes);
  auto revision = text ? revision_from_text(*text)
                       : Result<Revision>{std::unexpected{text.error()}};
  if (revision && revision->number != number) {
    revision = fail("its name has another number", "文件名中的编号不符");
  }
  if (revision) {
    revisions_.push_back(std::move(*revision));
    return;
  }
  const auto& why = revision.error().message;
  problems_.push_back({fmt::format("revision {}: {}", number, why.english),
                       fmt::format("版本 {}：{}", number, why.chinese)});
}

const Revision* RevisionStore::find(std::uint32_t number) const noexcept {
  const auto found = std::ranges::find(revisions_, number, &Revision::number);
  return found != revisions_.end() ? &*found : nullptr;
}

std::int64_t RevisionStore::milliseconds_left(const Revision& revision) const {
  if (!revision.deadline || revision.confirmed) return 0;
  return lifecycle::milliseconds_left(*revision.deadline, clock_(), boot_id_);
}

bool RevisionStore::may_be_in_force(const Revision& revision) const {
  return !revision.deadline || revision.confirmed || milliseconds_left(revision) > 0;
}

std::vector<const Revision*> RevisionStore::candidates() const {
  std::vector<const Revision*> found;
  for (const auto& revision : revisions_) {
    if (may_be_in_force(revision)) found.push_back(&revision);
  }
  return found;
}

const Revision* RevisionStore::current() const {
  const auto found = candidates();
  return found.empty() ? nullptr : found.front();
}

const Revision* RevisionStore::before(std::uint32_t number) const {
  for (const auto& revision : revisions_) {
    const bool lasting = !revision.deadline || revision.confirmed;
    if (revision.number < number && lasting) return &revision;
  }
  return nullptr;
}

void RevisionStore::add_problem(Text problem) {
  if (std::ranges::find(problems_, problem.english, &Text::english) != problems_.end()) return;
  problems_.push_back(std::move(problem));
}

const Revision* RevisionStore::unconfirmed() const {
  if (revisions_.empty()) return nullptr;
  const auto& newest = revisions_.front();
  return milliseconds_left(newest) > 0 ? &newest : nullptr;
}

Result<void> RevisionStore::put_object(const Packed& object) const {
  // One that is there and whole is kept; a damaged one is put right.
  if (get_object(object.digest)) return {};
  return write_atomically(directory_ / "objects" / object.digest, object.frame, 0640);
}

Result<std::string> RevisionStore::get_object(const std::string& digest) const {
  const auto packed = read_file(directory_ / "objects" / digest, kMaxObjectBytes);
  if (!packed) return std::unexpected{packed.error()};
  auto bytes = decompressed(*packed, kMaxObjectBytes);
  if (!bytes) return std::unexpected{bytes.error()};
  if (sha256_hex(*bytes) != digest) {
    return fail(fmt::format("object {} is damaged: it is not what its name says", digest),
                fmt::format("对象 {} 已损坏：内容与名称不符", digest));
  }
  return std::move(*bytes);
}

Result<Revision> RevisionStore::add(Revision revision, const Parts& parts,
                                    std::int64_t confirm_seconds) {
  const auto now = clock_();
  revision.number = highest_ + 1;
  revision.time = now.wall;
  revision.deadline.reset();
  if (confirm_seconds > 0) {
    revision.deadline = Deadline{confirm_seconds, now.wall + confirm_seconds,
                                 now.boot_milliseconds + confirm_seconds * 1000, boot_id_};
  }
  const std::string_view image{// reinterpret_cast: bytes as characters.
                               reinterpret_cast<const char*>(parts.image.data()),
                               parts.image.size()};
  const auto put = [this](std::string_view bytes) -> Result<std::string> {
    auto object = pack(bytes);
    if (const auto kept = put_object(object); !kept) return std::unexpected{kept.error()};
    return std::move(object.digest);
  };
  // Somebody waits: side by side.
  auto packing = std::async(std::launch::async, [&] { return put(image); });
  const auto content = put_object(parts.content);
  const auto catalog = put(parts.catalog);
  const auto kept_image = packing.get();
  if (!content) return std::unexpected{content.error()};
  for (const auto* const kept : {&kept_image, &catalog}) {
    if (!*kept) return std::unexpected{kept->error()};
  }
  revision.content = parts.content.digest;
  revision.image = *kept_image;
  revision.catalog = *catalog;
  const auto written = write_atomically(file_of(revision.number, ".revision"), to_text(revision),
                                        0640);
  if (!written) return std::unexpected{written.error()};
  highest_ = revision.number;
  revisions_.insert(revisions_.begin(), revision);
  remove_old();
  return revision;
}

Result<void> RevisionStore::confirm(std::uint32_t number, const std::string& by) {
  const auto* const waiting = unconfirmed();
  if (waiting == nullptr || waiting->number != number) {
    return fail("no revision waits to be confirmed", "没有待确认的版本");
  }
  auto written = write_atomically(file_of(number, ".confirmed"), by + "\n", 0640);
  if (!written) return written;
  revisions_.front().confirmed = true;
  revisions_.front().confirmed_by = by;
  return {};
}

void RevisionStore::withdraw(std::uint32_t number) {
  std::error_code ignored;
  fs::remove(file_of(number, ".revision"), ignored);
  // Or a power cut would bring it back, and the next start would put it in force.
  sync_directory(directory_);
  std::erase_if(revisions_, [&](const Revision& revision) { return revision.number == number; });
}

Result<Content> RevisionStore::content(const Revision& revision) const {
  const auto bytes = get_object(revision.content);
  if (!bytes) return std::unexpected{bytes.error()};
  return content_from_bytes(*bytes);
}

Result<std::string> RevisionStore::catalog(const Revision& revision) const {
  return get_object(revision.catalog);
}

Result<std::string> RevisionStore::image(const Revision& revision) const {
  return get_object(revision.image);
}

void RevisionStore::remove_old() {
  if (revisions_.size() <= keep_) return;
  // Never the one that is in force nor its predecessor, also where the newest is not confirmed.
  std::set<std::uint32_t> stay;
  for (std::size_t i = 0; i < keep_; ++i) stay.insert(revisions_[i].number);
  if (const auto* const now = current()) {
    const auto* const lasting = before(now->number + 1);
    const auto* const old = lasting != nullptr ? before(lasting->number) : nullptr;
    for (const auto* const one : {now, lasting, old}) {
      if (one != nullptr) stay.insert(one->number);
    }
  }
  std::error_code ignored;
  std::erase_if(revisions_, [&](const Revision& revision) {
    if (stay.contains(revision.number)) return false;
    fs::remove(file_of(revision.number, ".revision"), ignored);
    fs::remove(file_of(revision.number, ".confirmed"), ignored);
    return true;
  });
  std::set<std::string> used;
  for (const auto& revision : revisions_) {
    used.insert({revision.content, revision.image, revision.catalog});
  }
  std::vector<fs::path> unused;
  for (fs::directory_iterator at{directory_ / "objects", ignored};
       !ignored && at != fs::directory_iterator{}; at.increment(ignored)) {
    if (!used.contains(at->path().filename().string())) unused.push_back(at->path());
  }
  for (const auto& path : unused) fs::remove(path, ignored);
}

}  // namespace meiguan::lifecycle
