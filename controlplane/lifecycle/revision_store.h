#pragma once

// The revisions of an appliance on disk: `revisions/` of the state directory. Every file is written
// whole, synced, and never changed afterwards:
//   00000012.revision    who, when, why; digests of the rest; its own checksum
//   00000012.confirmed   there, where it had to be confirmed and was
//   objects/SHA256       contents, images and catalogs, compressed (zstd), by what they are
// In force is the newest revision that is whole and whose time to be confirmed is not over: there
// is no other file that could disagree. Not for several threads at once.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "controlplane/lifecycle/revision.h"
#include "dataplane/base/result.h"

namespace meiguan::lifecycle {

// Bytes as the store keeps them: compressed, under the name of their SHA-256. To pack takes
// longest of all and needs no store, so whoever waits for something else has it done meanwhile.
struct Packed {
  std::string digest;
  std::string frame;
};
[[nodiscard]] Packed pack(std::string_view bytes);
[[nodiscard]] Packed pack(const Content& content);  // its digest is digest_of(content)

class RevisionStore {
 public:
  static constexpr std::size_t kLeastKept = 2;
  static constexpr std::size_t kKept = 100;

  // `keep`: how many revisions are kept, at least kLeastKept. Reads what is there; what is damaged
  // is a problem and not an error. Errors: the directory cannot be made or read.
  [[nodiscard]] static Result<RevisionStore> open(std::filesystem::path directory, Clock clock,
                                                  std::size_t keep = kKept);

  // The newest first; damaged ones are not among them.
  [[nodiscard]] const std::vector<Revision>& list() const noexcept { return revisions_; }
  [[nodiscard]] const Revision* find(std::uint32_t number) const noexcept;
  // The one that is to be in force, and then those to try in its place, the newest first.
  [[nodiscard]] std::vector<const Revision*> candidates() const;
  // The first of these; null where there is none.
  [[nodiscard]] const Revision* current() const;
  // What a revision that is not confirmed returns to: the candidate before it.
  [[nodiscard]] const Revision* before(std::uint32_t number) const;
  // The newest one, if it must be confirmed, was not, and its time is not over.
  [[nodiscard]] const Revision* unconfirmed() const;
  [[nodiscard]] std::int64_t milliseconds_left(const Revision& revision) const;

  struct Parts {
    const Packed& content;
    std::span<const std::byte> image;
    std::string_view catalog;
  };
  // Writes a new revision with the next number; digests and deadline are filled in here,
  // `confirm_seconds` of 0 asks for no confirmation. Then removes what is beyond `keep`. Errors:
  // nothing was added.
  [[nodiscard]] Result<Revision> add(Revision revision, const Parts& parts,
                                     std::int64_t confirm_seconds);
  // Errors: it is not the unconfirmed one, its time is over, it cannot be written.
  [[nodiscard]] Result<void> confirm(std::uint32_t number, const std::string& by);
  // Takes away a revision that the data plane refused: it never was in force.
  void withdraw(std::uint32_t number);

  [[nodiscard]] Result<Content> content(const Revision& revision) const;
  [[nodiscard]] Result<std::string> catalog(const Revision& revision) const;
  [[nodiscard]] Result<std::string> image(const Revision& revision) const;

  // What was found damaged when it was opened, or read since.
  [[nodiscard]] const std::vector<Text>& problems() const noexcept { return problems_; }
  // Once, however often it is found.
  void add_problem(Text problem);

 private:
  RevisionStore(std::filesystem::path directory, Clock clock, std::size_t keep)
      : directory_{std::move(directory)}, clock_{std::move(clock)}, keep_{keep} {}

  void read_all();
  void read_one(const std::filesystem::path& file, std::uint32_t number);
  [[nodiscard]] bool may_be_in_force(const Revision& revision) const;
  [[nodiscard]] Result<void> put_object(const Packed& object) const;
  [[nodiscard]] Result<std::string> get_object(const std::string& digest) const;
  void remove_old();
  [[nodiscard]] std::filesystem::path file_of(std::uint32_t number, const char* ending) const;

  std::filesystem::path directory_;
  Clock clock_;
  std::size_t keep_;
  std::string boot_id_{boot_id()};
  std::uint32_t highest_{0};  // number ever seen, damaged ones among them
  std::vector<Revision> revisions_;
  std::vector<Text> problems_;
};

}  // namespace meiguan::lifecycle
