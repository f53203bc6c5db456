#pragma once

// Records, templates and messages of IPFIX (RFC 7011) as bytes. Pure functions.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "controlplane/export/ipfix_elements.h"
#include "controlplane/export/record.h"

namespace meiguan::exporting {

// One piece of a set: a template of set 2 or 3, or a data record of the set of its template.
struct Piece {
  std::uint16_t set{0};
  std::string bytes;
  [[nodiscard]] bool is_data() const noexcept { return set >= kFirstDataSet; }
};

// What could not be sent (RFC 7011 section 4.3). Times in milliseconds since 1970, 0 where nothing
// was lost.
struct NotSent {
  std::uint64_t records{0};
  std::uint64_t packets{0};
  std::uint64_t bytes{0};
  std::int64_t first_ms{0};
  std::int64_t last_ms{0};
};

// The data records of an event: none, one, or two where a translation began or ended with it.
[[nodiscard]] std::vector<Piece> data_of(const Record& record);

// All templates, options templates among them.
[[nodiscard]] std::vector<Piece> templates_of(std::uint32_t enterprise);
// Types of our own elements (RFC 5610), names of interfaces and address spaces. `names` may be
// null.
[[nodiscard]] std::vector<Piece> options_of(std::uint32_t enterprise, const Names* names);
[[nodiscard]] Piece reliability_of(const NotSent& lost);

// Puts pieces into one message.
class Message {
 public:
  // `limit`: of the whole message, at most 65,535.
  Message(std::size_t limit, std::uint32_t domain);

  // False: it does not fit any more, and nothing was added.
  [[nodiscard]] bool add(const Piece& piece);
  [[nodiscard]] bool empty() const noexcept { return bytes_.size() == kMessageHeaderBytes; }
  [[nodiscard]] std::uint32_t data_records() const noexcept { return data_records_; }
  // With its header; `sequence`: of data records sent before, `seconds` since 1970.
  [[nodiscard]] std::string_view finish(std::uint32_t seconds, std::uint32_t sequence);

 private:
  std::string bytes_;
  std::size_t limit_;
  std::uint32_t domain_;
  std::uint16_t set_{0};   // that is open
  std::size_t set_at_{0};  // where it begins
  std::uint32_t data_records_{0};
};

}  // namespace meiguan::exporting
