#pragma once

// Messages as RFC 5424 has them.

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace meiguan::syslog {

enum class Facility : std::uint8_t { kSecurity = 4, kAudit = 13 };
enum class Severity : std::uint8_t { kAlert = 1, kError = 3, kWarning = 4, kNotice = 5 };

struct Sender {
  std::string host;  // as others know it
  std::uint32_t process{0};
};

struct Message {
  Facility facility{Facility::kAudit};
  Severity severity{Severity::kNotice};
  std::int64_t milliseconds{0};                                // since 1970
  std::string id;                                              // MSGID: what kind of event
  std::vector<std::pair<std::string_view, std::string>> data;  // names are SD-NAMEs
  std::string text;
};

// One message on one line, whatever is in its fields: header fields keep what is printable ASCII,
// parameters are escaped (section 6.3.3), control characters of the text become \uXXXX, as in JSON.
// A text that is not all ASCII has the byte-order mark before it (section 6.4) where it is UTF-8.
[[nodiscard]] std::string to_line(const Message& message, const Sender& sender);

// Octet counting, for a stream: RFC 5425 section 4.3.
[[nodiscard]] std::string counted(std::string_view line);

}  // namespace meiguan::syslog
