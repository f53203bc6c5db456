// The description of a session in a message of SIP: sip.h.

#include <algorithm>
#include <optional>

#include "dataplane/fastpath/sip.h"

namespace meiguan::fastpath::sip {
namespace {

constexpr std::array<std::string_view, 6> kOverUdp{"RTP/AVP",          "RTP/SAVP",
                                                   "RTP/AVPF",         "RTP/SAVPF",
                                                   "UDP/TLS/RTP/SAVP", "UDP/TLS/RTP/SAVPF"};

class DescriptionReader {
 public:
  DescriptionReader(std::string_view text, net::Family family, Message& message) noexcept
      : text_{text}, family_{family}, message_{message} {}

  [[nodiscard]] bool read() noexcept {
    std::string_view rest = text_.substr(message_.body);
    bool first = true;
    while (!rest.empty()) {
      const std::uint16_t begin = offset(rest);
      std::string_view line = cut(rest, '\n');  // RFC 4566 section 5 asks to take LF alone, too
      const bool ended = line.size() + begin < text_.size();
      if (ended && line.ends_with('\r')) line.remove_suffix(1);
      if (!std::ranges::all_of(line, is_text) || line.size() < 2 || line[1] != '=') return false;
      if (first && line != "v=0") return false;
      first = false;
      if (line[0] == 'm') close(begin);
      if (!read_line(line[0], line.substr(2))) return false;
    }
    close(static_cast<std::uint16_t>(text_.size()));
    return !first && !broken_;
  }

 private:
  [[nodiscard]] static bool is_text(char c) noexcept {
    const auto byte = static_cast<unsigned char>(c);
    return c == '\t' || (byte >= 0x20 && byte != 0x7f);
  }
  [[nodiscard]] std::uint16_t offset(std::string_view part) const noexcept {
    return static_cast<std::uint16_t>(part.data() - text_.data());
  }
  [[nodiscard]] Part part(std::string_view of) const noexcept {
    return {offset(of), static_cast<std::uint16_t>(offset(of) + of.size())};
  }

  [[nodiscard]] bool read_line(char kind, std::string_view value) noexcept {
    switch (kind) {
      case 'o': return read_origin(value);
      case 'c': return read_connection(value);
      case 'm': return read_media(value);
      case 'a': return !value.starts_with("rtcp:") || read_rtcp(value.substr(5));
      default: return true;
    }
  }

  // "IN IP4 10.64.37.9" from the network's kind on.
  [[nodiscard]] Where read_host(std::string_view text, net::Address& address) noexcept {
    const std::string_view network = cut(text, ' ');
    const std::string_view kind = cut(text, ' ');
    const std::string_view ours = family_ == net::Family::kIpv4 ? "IP4" : "IP6";
    if (network != "IN" || kind != ours || !read_address(text, family_, address)) {
      return Where::kForeign;
    }
    const auto bytes = address.bytes();
    const std::size_t skipped = family_ == net::Family::kIpv4 ? 12 : 0;
    if (std::all_of(bytes.begin() + skipped, bytes.end(), [](auto b) { return b == 0; })) {
      return Where::kNowhere;
    }
    if (message_.hosts_count == message_.hosts.size()) return Where::kForeign;
    message_.hosts[message_.hosts_count++] = {part(text), address};
    return Where::kHere;
  }

  // Who made the session: user, id, version, then an address that nobody sends to.
  [[nodiscard]] bool read_origin(std::string_view value) noexcept {
    for (int i = 0; i < 3; ++i) (void)cut(value, ' ');
    net::Address ignored;
    (void)read_host(value, ignored);
    return true;
  }

  // Of the session, or of the media that it stands under; once.
  [[nodiscard]] bool read_connection(std::string_view value) noexcept {
    if (in_other_) return true;
    Where& where = current_ ? current_->where : where_;
    if (where != Where::kUnsaid) return false;
    where = read_host(value, current_ ? current_->address : address_);
    return true;
  }

  // "audio 49170 RTP/AVP 0". Port 0: it is not wanted (RFC 3264 section 6).
  [[nodiscard]] bool read_media(std::string_view value) noexcept {
    const std::string_view kind = cut(value, ' ');
    std::string_view ports = cut(value, ' ');
    const std::string_view over = cut(value, ' ');
    in_other_ = true;
    if (lines_ == kMostLines) return false;
    const std::uint64_t line = std::uint64_t{1} << lines_++;
    if (kind != "audio" && kind != "video") return true;
    if (std::ranges::find(kOverUdp, over) == kOverUdp.end()) return true;
    const std::string_view port = cut(ports, '/');
    std::uint32_t number = 0;
    std::uint32_t many = 1;
    if (!read_digits(port, 0xffff, number)) return false;
    if (!ports.empty() && (!read_digits(ports, 0xffff, many) || many != 1)) return false;
    if (number == 0) return true;
    in_other_ = false;
    current_.emplace();
    current_->port = static_cast<std::uint16_t>(number);
    current_->rtcp = static_cast<std::uint16_t>(number == 0xffff ? 0 : number + 1);
    current_->port_at = part(port);
    current_->line = line;
    return true;
  }

  // "53020" or "53020 IN IP4 126.16.64.4" (RFC 3605 section 2.1).
  [[nodiscard]] bool read_rtcp(std::string_view value) noexcept {
    if (!current_) return true;
    const std::string_view port = cut(value, ' ');
    std::uint32_t number = 0;
    if (!current_->rtcp_at.empty() || !read_digits(port, 0xffff, number) || number == 0)
      return false;
    current_->rtcp = static_cast<std::uint16_t>(number);
    current_->rtcp_at = part(port);
    if (!value.empty()) current_->rtcp_where = read_host(value, current_->rtcp_address);
    return true;
  }

  // The lines of a media end at `at`.
  void close(std::uint16_t at) noexcept {
    if (!current_) return;
    current_->end = at;
    if (current_->where == Where::kUnsaid) {
      current_->where = where_;
      current_->address = address_;
    }
    if (current_->where == Where::kUnsaid || message_.media_count == kMostMedia) {
      broken_ = true;
    } else {
      message_.media[message_.media_count++] = *current_;
    }
    current_.reset();
  }

  std::string_view text_;
  net::Family family_;
  Message& message_;
  Where where_{Where::kUnsaid};
  net::Address address_;
  std::optional<Media> current_;
  unsigned lines_{0};
  bool in_other_{false};
  bool broken_{false};
};

}  // namespace

bool read_description(std::string_view text, net::Family family, Message& message) noexcept {
  return DescriptionReader{text, family, message}.read();
}

}  // namespace meiguan::fastpath::sip
