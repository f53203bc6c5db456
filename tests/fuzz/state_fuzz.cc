// What a disk may say of a running appliance's state, under hostile bytes: who is locked out, what
// was approved, which signed policy was taken, which revisions there are and which was confirmed.
// The first byte says which file the rest is; with its high bit set, the checksum that whoever
// damages it would put right stands behind it. What is damaged is told of, and opens nothing.

#include <fmt/format.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "controlplane/access/approvals.h"
#include "controlplane/access/lockout.h"
#include "controlplane/lifecycle/digest.h"
#include "controlplane/lifecycle/revision_store.h"
#include "controlplane/lifecycle/taken_remains.h"
#include "tests/fuzz/scratch.h"

namespace {

namespace fs = std::filesystem;
using namespace meiguan;
using fuzz::put;

constexpr std::int64_t kNow = 1'800'000'000;
constexpr lifecycle::Instant kInstant{kNow, 100'000};
constexpr uid_t kUser = 1000;

void check(bool holds) {
  if (!holds) std::abort();
}

void lockouts(const fs::path& file) {
  access::Lockout lockout{3, 10, file, "boot"};
  const bool damaged = !lockout.problem().english.empty();
  const auto left = lockout.seconds_left(kUser, kInstant);
  check(left >= 0 && (!damaged || left == 0));
  // Whatever it says, who is refused too often from here on is locked out, and for good.
  bool locked = false;
  for (int i = 0; i < 3; ++i) locked = lockout.refused(kUser, kInstant);
  check(locked && lockout.seconds_left(kUser, kInstant) > 0);
  const access::Lockout again{3, 10, file, "boot"};
  check(again.problem().english.empty() && again.seconds_left(kUser, kInstant) > 0);
}

void approvals(const fs::path& file) {
  const std::string content(64, 'a');
  access::Approvals approvals{file};
  const bool damaged = !approvals.problem().english.empty();
  const bool has = approvals.has(content, kUser, kNow);
  check(!damaged || !has);
  check(!has || approvals.use(content).has_value());
  check(!approvals.has(content, kUser, kNow));
  if (approvals.add(content, kUser, kNow)) {
    access::Approvals again{file};
    check(!again.has(content, kUser, kNow) && again.has(content, kUser + 1, kNow));
  }
}

void taken(const fs::path& directory) {
  auto store = lifecycle::TakenStore::open(directory);
  if (!store) return;
  // What it says is what it will say again, and nothing that it says is older comes in.
  const auto said = store->taken();
  const std::vector<lifecycle::SignedBundle> none;
  check(store->keep(none, said).has_value());
  const auto again = lifecycle::TakenStore::open(directory);
  check(again.has_value() && again->taken().size() == said.size());
  for (const auto& [node, last] : said) {
    const auto& other = again->taken().at(node);
    check(other.revision == last.revision && other.id == last.id);
    if (last.revision == 0) continue;
    lifecycle::SignedBundle older;
    older.manifest.node = node;
    older.manifest.revision = last.revision - 1;
    check(!lifecycle::check_newer(older, said).has_value());
  }
}

// A revision's own file, and its mark of being confirmed.
void revisions(const fs::path& directory) {
  auto store = lifecycle::RevisionStore::open(directory, [] { return kInstant; });
  check(store.has_value());
  const auto* const waiting = store->unconfirmed();
  check(store->list().size() + store->problems().size() == 1);
  if (waiting == nullptr) return;
  check(!waiting->confirmed && store->milliseconds_left(*waiting) > 0);
  const auto number = waiting->number;
  check(store->confirm(number, "li").has_value());
  const auto again = lifecycle::RevisionStore::open(directory, [] { return kInstant; });
  check(again.has_value() && again->unconfirmed() == nullptr);
  check(again->current() != nullptr && again->current()->number == number);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  constexpr std::uint8_t kPutRight = 0x80;
  std::string text{data + 1, data + size};
  if ((data[0] & kPutRight) != 0) text = lifecycle::with_digest(std::move(text));
  const auto directory = fuzz::scratch();
  switch (data[0] & 3U) {
    case 0:
      put(directory / "lockouts", text);
      lockouts(directory / "lockouts");
      break;
    case 1:
      put(directory / "approvals", text);
      approvals(directory / "approvals");
      break;
    case 2:
      if ((data[0] & kPutRight) != 0) {
        // Its checksum has no word before it.
        text = std::string{data + 1, data + size};
        text += crypto::hex(crypto::hash_of(crypto::HashKind::kSha256, text)) + "\n";
      }
      put(directory / "taken", text);
      taken(directory);
      static_cast<void>(lifecycle::remains_of(directory, text));
      break;
    default: {
      fs::create_directories(directory / "objects");
      const auto revision = lifecycle::revision_from_text(text);
      const bool has_name = revision && revision->number > 0 && revision->number < 100'000'000;
      put(directory / fmt::format("{:08}.revision", has_name ? revision->number : 1), text);
      revisions(directory);
    }
  }
  return 0;
}
