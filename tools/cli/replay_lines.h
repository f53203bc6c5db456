#pragma once

// What replay prints of a packet: JSON lines, aligned text, or the golden text of --expect. Names
// are made ready once, by id, so that a line is a handful of copies.

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "controlplane/analysis/names.h"
#include "controlplane/analysis/replay.h"
#include "dataplane/fastpath/reason.h"
#include "tools/cli/out.h"

namespace meiguan::cli {

// Text by id, and one for the ids that there are no names for.
class Words {
 public:
  explicit Words(std::string none) : none_{std::move(none)} {}
  void add(std::string word) { words_.push_back(std::move(word)); }
  template <typename Id>
  [[nodiscard]] std::string_view operator[](Id id) const noexcept {
    return id.index() < words_.size() ? std::string_view{words_[id.index()]}
                                      : std::string_view{none_};
  }
  [[nodiscard]] std::size_t longest() const noexcept;

 private:
  std::vector<std::string> words_;
  std::string none_;
};

// The names of everything that a line may name.
struct LineWords {
  // `json`: quoted and escaped, null for none; else plain, `-` for none.
  LineWords(const policy::Catalog& catalog, const std::vector<analysis::ReplayInput>& inputs,
            bool json);
  Words files;
  Words ports;
  Words rules;
  Words units;
  Words services;
  std::array<std::string, fastpath::kReasonCodes> reasons;
  std::array<std::string, fastpath::kReasonCodes> verdicts;
};

// RFC 3339 in UTC with as many digits as the capture has.
class TimeText {
 public:
  // Writes at `at`, which has room for 32 characters; returns the end.
  [[nodiscard]] char* write(char* at, std::uint64_t nanoseconds, std::uint8_t digits);

 private:
  std::uint64_t second_{~std::uint64_t{0}};
  std::array<char, 20> prefix_{};
};

enum class LineForm { kJsonl, kTable };

class ReplayLines {
 public:
  ReplayLines(Out& out, LineForm form, const policy::Catalog& catalog,
              const policy::Catalog* baseline, const std::vector<analysis::ReplayInput>& inputs);

  void header(bool chinese);
  void write(const analysis::ReplayedPacket& packet);

 private:
  void write_json(const analysis::ReplayedPacket& packet);
  void write_table(const analysis::ReplayedPacket& packet);

  Out& out_;
  LineForm form_;
  LineWords words_;
  std::vector<LineWords> baseline_;  // one or none
  TimeText time_;
  std::vector<char> line_;
  std::size_t ports_width_, files_width_, rules_width_, units_width_, services_width_;
};

// `FILE INDEX VERDICT REASON RULE-or-`
[[nodiscard]] std::string golden_line(const LineWords& words,
                                      const analysis::ReplayedPacket& packet);

// Whether the two policies say anything different of a packet that has a baseline.
[[nodiscard]] bool changed(const analysis::Names& names, const analysis::Names& baseline,
                           const analysis::ReplayedPacket& packet);

}  // namespace meiguan::cli
