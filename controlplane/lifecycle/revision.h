#pragma once

// A revision: a policy that was put in force, with who did it, when and why. Its content is the
// policy's tree and the gateway file, by their SHA-256.

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "controlplane/policy/source.h"
#include "dataplane/base/result.h"

namespace meiguan::lifecycle {

// What is compiled: the policy's files, and the gateway file where there is one.
struct Content {
  policy::PolicyTree tree;
  std::optional<policy::TreeFile> gateway;
  std::filesystem::path gateway_read_from{};  // for messages; may be empty
};

// The canonical bytes of a content: a word of version, then each file by its path in byte order
// with the lengths of path and text in front, the gateway file last. Equal contents have equal
// bytes, wherever they were read from.
[[nodiscard]] std::string to_bytes(const Content& content);
// And back; checks everything. Errors: cut short, too large, not in order.
[[nodiscard]] Result<Content> content_from_bytes(std::string_view bytes);
// SHA-256 of to_bytes(): what a revision is known by, what is signed and approved.
[[nodiscard]] std::string digest_of(const Content& content);

// The time as two clocks tell it: the wall's, which may be set, and one that only goes forward
// while the machine is up (CLOCK_BOOTTIME).
struct Instant {
  std::int64_t wall{0};  // seconds since 1970-01-01T00:00Z
  std::int64_t boot_milliseconds{0};
};
using Clock = std::function<Instant()>;
[[nodiscard]] Instant system_instant();
// What tells this run of the machine from others; empty where the kernel does not say.
[[nodiscard]] std::string boot_id();

enum class Origin : std::uint8_t {
  kStart,     // the first policy, of controld's command line
  kApply,     // somebody applied it
  kReload,    // somebody had the files read again
  kRollback,  // somebody went back to an earlier one
  kReturn,    // it was not confirmed in time, or somebody aborted it: back to the one before
};
[[nodiscard]] std::string_view name_of(Origin origin) noexcept;

// Until when a revision must be confirmed. The clock that only goes forward decides while the
// machine is up; over a restart of the machine the wall's does, but never for longer than asked.
struct Deadline {
  std::int64_t seconds{0};  // as asked
  std::int64_t wall{0};
  std::int64_t boot_milliseconds{0};
  std::string boot_id;
};
// 0 where it has passed.
[[nodiscard]] std::int64_t milliseconds_left(const Deadline& deadline, const Instant& now,
                                             std::string_view this_boot) noexcept;

struct Revision {
  std::uint32_t number{0};  // from 1 on, only ever going up
  Origin origin{};
  std::uint32_t repeats{0};  // of kRollback and kReturn: the revision whose content it has again
  std::string author;        // Unix user; "meiguan-controld" where nobody asked
  std::uint32_t uid{0};
  std::int64_t time{0};  // seconds since 1970
  std::string ticket;
  std::string comment;
  std::string signature;  // what admitted it; empty: none was asked for
  std::string content;    // digest_of()
  std::string image;      // SHA-256 of the image
  std::string checksum;   // of the image, as `meiguan status` shows it
  std::string catalog;    // SHA-256 of the catalog's JSON
  std::string policy;     // where it was read from
  std::string gateway;
  std::optional<Deadline> deadline;  // it must be confirmed

  // Of the store, not of the revision's own file.
  bool confirmed{false};
  std::string confirmed_by;
};

// The revision's own file: JSON and its checksum on a line of its own; and back.
[[nodiscard]] std::string to_text(const Revision& revision);
[[nodiscard]] Result<Revision> revision_from_text(std::string_view text);

// What of it a revision's file has room for, cut between two nodes' signatures: a file has an end,
// the nodes of a policy have none. The audit log has every signature.
[[nodiscard]] std::string signature_that_fits(const std::string& signature);

// Letters, digits and punctuation of one line: what a ticket and a comment may hold.
[[nodiscard]] bool is_one_line(std::string_view text, std::size_t most);

}  // namespace meiguan::lifecycle
