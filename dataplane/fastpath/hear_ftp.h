#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "dataplane/fastpath/helper_table.h"
#include "dataplane/fastpath/reason.h"

namespace meiguan::fastpath {

// What a segment of an FTP control connection says, and how its reader stands behind it.
struct Heard {
  Reason reason{Reason::kAllowed};  // kHelperInvalid: it must not go on
  ftp::Side side;
  bool asked{false};
  bool announces{false};
  ftp::Line line;     // that does
  std::size_t at{0};  // where it begins in the payload
  bool cut{false};    // it began in an earlier segment; `at` has no meaning
};

// Reads `payload` from its byte `from` on; those before are known. Nothing changes.
[[nodiscard]] Heard hear_ftp(const Control& control, unsigned direction, net::Family family,
                             std::span<const std::uint8_t> payload, std::size_t from) noexcept;

}  // namespace meiguan::fastpath
