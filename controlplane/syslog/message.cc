#include "controlplane/syslog/message.h"

#include <fmt/format.h>

#include "controlplane/audit/record.h"
#include "controlplane/policy/utf8.h"

namespace meiguan::syslog {
namespace {

// RFC 5424 section 6: the longest fields of the header.
constexpr std::size_t kHostBytes = 255;
constexpr std::size_t kIdBytes = 32;
// For documentation (RFC 5612): we have no number of our own.
constexpr std::string_view kDataId = "meiguan@32473";
constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";

std::string header_field(std::string_view text, std::size_t most) {
  std::string field;
  for (const char c : text.substr(0, most)) field += c > ' ' && c <= '~' ? c : '?';
  return field.empty() ? "-" : field;
}

void add_without_controls(std::string& out, char c) {
  const auto byte = static_cast<unsigned char>(c);
  if (byte < 0x20) {
    out += fmt::format("\\u{:04x}", byte);
  } else {
    out += c;
  }
}

std::string parameter(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '"' || c == '\\' || c == ']') out += '\\';
    add_without_controls(out, c);
  }
  return out;
}

bool is_ascii(std::string_view text) {
  for (const char c : text) {
    if (static_cast<unsigned char>(c) >= 0x80) return false;
  }
  return true;
}

}  // namespace

std::string to_line(const Message& message, const Sender& sender) {
  const auto priority = static_cast<unsigned>(message.facility) * 8 +
                        static_cast<unsigned>(message.severity);
  auto line = fmt::format("<{}>1 {} {} meiguan {} {} ", priority,
                          audit::time_text(message.milliseconds),
                          header_field(sender.host, kHostBytes), sender.process,
                          header_field(message.id, kIdBytes));
  if (message.data.empty()) {
    line += '-';
  } else {
    line += fmt::format("[{}", kDataId);
    for (const auto& [name, value] : message.data) {
      line += fmt::format(" {}=\"{}\"", name, parameter(value));
    }
    line += ']';
  }
  line += ' ';
  if (!is_ascii(message.text) && !policy::find_invalid_utf8(message.text)) line += kByteOrderMark;
  for (const char c : message.text) add_without_controls(line, c);
  return line;
}

std::string counted(std::string_view line) { return fmt::format("{} {}", line.size(), line); }

}  // namespace meiguan::syslog
