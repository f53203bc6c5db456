#pragma once

// A record of the audit log as a line of its file:
//
//   {"n":7,"time":"2026-11-22T08:50:00.123Z","user":"wang","uid":1001,"role":"security",
//    "event":"apply","outcome":"done","detail":{...},"hash":"<64 digits>"}
//
// The hash is that of the 64 digits of the record before (64 zeros for the first of a chain) and of
// the line's own bytes up to `,"hash":"`. Files are named audit-00000001.log and so on; the first
// record of each (event `file`) names the format, the hash and the hash of the record before. The
// file `head` has the number and the hash of the last record, so that a log that was cut shows.

#include <boost/json/object.hpp>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "controlplane/crypto/digest.h"

namespace meiguan::audit {

inline constexpr std::string_view kFormat = "meiguan.audit/v1";
inline constexpr std::size_t kMaxLineBytes = 16384;
inline constexpr std::size_t kHashDigits = 64;
inline constexpr std::string_view kNoHash =
    "0000000000000000000000000000000000000000000000000000000000000000";
static_assert(kNoHash.size() == kHashDigits);

// What somebody did or tried. `outcome` is `begun`, `done`, `failed`, `refused` or `noted`.
struct Event {
  std::string user;
  std::uint32_t uid{0};
  std::string role;  // empty: none
  std::string event;
  std::string outcome;
  boost::json::object detail;
};

struct Line {
  std::uint64_t number{0};
  std::string_view body;  // of the line, up to `,"hash":"`
  std::string_view hash;  // 64 digits
};

// The line, without its line feed. A detail that would make it too long is replaced by its size.
[[nodiscard]] std::string line_of(const Event& event, std::uint64_t number, std::string_view time,
                                  crypto::HashKind kind, std::string_view hash_before);
// Nothing for what line_of cannot have written. The views are into `line`.
[[nodiscard]] std::optional<Line> split_line(std::string_view line);
[[nodiscard]] std::string hash_of_line(crypto::HashKind kind, std::string_view hash_before,
                                       std::string_view body);

// `2026-11-22T08:50:00.123Z`.
[[nodiscard]] std::string time_text(std::int64_t milliseconds);
[[nodiscard]] std::optional<std::int64_t> time_of(std::string_view text);

// What a signature in the log signs: the hash of the record before it, with its number.
[[nodiscard]] std::string signed_text(std::uint64_t number, std::string_view hash);

struct Head {
  std::uint64_t number{0};
  std::string hash;
};
inline constexpr std::string_view kHeadName = "head";
// One line of always the same length.
[[nodiscard]] std::string head_text(const Head& head);
[[nodiscard]] std::optional<Head> head_from_text(std::string_view text);

struct LogFile {
  std::uint64_t number{0};
  std::filesystem::path path;
};
[[nodiscard]] std::string file_name(std::uint64_t number);
// The log's files, in order; others in the directory are passed over.
[[nodiscard]] std::vector<LogFile> files_of(const std::filesystem::path& directory);

}  // namespace meiguan::audit
