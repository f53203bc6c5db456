#pragma once

#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include "controlplane/policy/diagnostic.h"
#include "controlplane/policy/model.h"
#include "controlplane/policy/source.h"

namespace meiguan::policy {

// Collects what is wrong in a set of files, and knows their text for the carets.
class Reporter {
 public:
  // More errors than this are counted only: a hostile file must not fill the memory.
  static constexpr std::size_t kMaxDiagnostics = 10'000;

  // `files` is borrowed; it may still grow while errors are reported.
  explicit Reporter(const std::vector<SourceFile>& files) : files_{files} {}

  // The underline covers the word, string or header that begins at `place`.
  void error(const Place& place, Text message, Text hint = {});

  // Whether kMaxDiagnostics are there; whoever would go on looking at great cost may stop.
  [[nodiscard]] bool is_full() const noexcept { return found_.size() >= kMaxDiagnostics; }
  [[nodiscard]] bool has_errors() const noexcept { return !found_.empty(); }

  // `text` could not be parsed: what it names may exist, so nobody shall call it unknown.
  void add_damage(std::string_view text);
  // A whole file could not be read: any name may exist.
  void add_unreadable_file() noexcept { unreadable_ = true; }
  // A table of this name could not be parsed; an empty name: one that is not known.
  void add_damaged_table(std::uint32_t file, std::string_view name) {
    damaged_tables_.emplace(file, name);
  }
  // Whether `file` may have a table of this name although none was seen.
  [[nodiscard]] bool may_have_table(std::uint32_t file, const std::string& name) const {
    return unreadable_ || damaged_tables_.contains({file, name}) ||
           damaged_tables_.contains({file, ""});
  }
  [[nodiscard]] bool may_exist(std::string_view name) const;

  // `rules.toml:12`, for hints that point at another place.
  [[nodiscard]] std::string where(const Place& place) const;

  // All errors, ordered by file (byte order), line, column; without repetitions.
  [[nodiscard]] Diagnostics take();

 private:
  struct Found {
    Place place;
    std::size_t number;  // in the order of reporting
    Text message;
    Text hint;
  };

  const std::vector<SourceFile>& files_;
  std::vector<Found> found_;
  std::size_t left_out_{0};
  bool unreadable_{false};
  std::unordered_set<std::string> damaged_words_;
  std::set<std::pair<std::uint32_t, std::string>> damaged_tables_;
};

}  // namespace meiguan::policy
