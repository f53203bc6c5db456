#pragma once

// What replay prints of a packet: JSON, JSON lines, CSV, aligned text, or the golden text of
// --expect. Names are made ready once, by id, so that a line is a handful of copies.

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "controlplane/analysis/names.h"
#include "controlplane/analysis/replay.h"
#include "dataplane/fastpath/reason.h"
#include "dataplane/image/format.h"
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

enum class LineForm { kTable, kJson, kJsonl, kCsv };

// The names of everything that a line may name.
struct LineWords {
  // As JSON quoted and escaped, null for none; as CSV quoted where need be, empty for none; else
  // plain, `-` for none.
  LineWords(const policy::Catalog& catalog, const std::vector<analysis::ReplayInput>& inputs,
            LineForm form);
  Words files;
  Words ports;
  Words rules;
  Words units;
  Words services;
  std::array<std::string, fastpath::kReasonCodes> reasons;
  std::array<std::string, fastpath::kReasonCodes> verdicts;
};

// RFC 3339 by the wall clock of a policy, with as many digits as the capture has.
class TimeText {
 public:
  // `offsets` are borrowed.
  explicit TimeText(std::span<const image::UtcOffset> offsets) : offsets_{offsets} {}
  // Writes at `at`, which has room for 40 characters; returns the end.
  [[nodiscard]] char* write(char* at, std::uint64_t nanoseconds, std::uint8_t digits);

 private:
  std::span<const image::UtcOffset> offsets_;
  std::uint64_t second_{~std::uint64_t{0}};
  std::string whole_;  // 2026-10-01T08:30:00+08:00
};

class ReplayLines {
 public:
  // `offsets` are the policy's wall clock, borrowed as all else.
  ReplayLines(Out& out, LineForm form, std::span<const image::UtcOffset> offsets,
              const policy::Catalog& catalog, const policy::Catalog* baseline,
              const std::vector<analysis::ReplayInput>& inputs);

  // What stands before the first packet and behind the last; JSON is cut off without.
  void begin(bool headers, bool chinese);
  void write(const analysis::ReplayedPacket& packet);
  void end();

 private:
  void header(bool chinese);
  void write_csv(const analysis::ReplayedPacket& packet);
  void write_json(const analysis::ReplayedPacket& packet);
  void write_table(const analysis::ReplayedPacket& packet);

  Out& out_;
  LineForm form_;
  LineWords words_;
  std::vector<LineWords> baseline_;  // one or none
  TimeText time_;
  std::vector<char> line_;
  bool has_rows_{false};
  std::size_t ports_width_, files_width_, rules_width_, units_width_, services_width_;
};

// `FILE INDEX VERDICT REASON RULE-or-`
[[nodiscard]] std::string golden_line(const LineWords& words,
                                      const analysis::ReplayedPacket& packet);

// Whether the two policies say anything different of a packet that has a baseline.
[[nodiscard]] bool changed(const analysis::Names& names, const analysis::Names& baseline,
                           const analysis::ReplayedPacket& packet);

}  // namespace meiguan::cli
