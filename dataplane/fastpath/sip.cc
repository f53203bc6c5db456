#include "dataplane/fastpath/sip.h"

#include <arpa/inet.h>

#include <algorithm>
#include <optional>
#include <utility>

namespace meiguan::fastpath::sip {
namespace {

constexpr std::string_view kVersion = "SIP/2.0";
constexpr auto kNowhere = std::string_view::npos;

char lower(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

// `name` is in lower case.
bool is(std::string_view text, std::string_view name) noexcept {
  return std::ranges::equal(text, name, {}, lower);
}
bool begins(std::string_view text, std::string_view name) noexcept {
  return text.size() >= name.size() && is(text.substr(0, name.size()), name);
}

bool is_blank(char c) noexcept { return c == ' ' || c == '\t'; }
std::string_view trimmed(std::string_view text) noexcept {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

// RFC 3261 section 25.1: nothing but text and tabs.
bool is_text(char c) noexcept {
  const auto byte = static_cast<unsigned char>(c);
  return c == '\t' || (byte >= 0x20 && byte != 0x7f);
}

std::uint64_t hash(std::string_view text) noexcept {
  std::uint64_t value = 0xcbf2'9ce4'8422'2325;  // FNV-1a: calls of two ends who know each other
  for (const char c : text) value = (value ^ static_cast<unsigned char>(c)) * 0x0100'0000'01b3;
  return value;
}

Method method_of(std::string_view name) noexcept {
  if (name == "INVITE") return Method::kInvite;
  if (name == "UPDATE") return Method::kUpdate;
  return name == "BYE" ? Method::kBye : Method::kOther;
}

struct Headers {
  std::string_view method;  // of the request's first line
  bool via{false};
  bool call{false};
  bool sequence{false};
  bool type{false};
  bool describes{false};
  bool encoded{false};
  std::optional<std::uint32_t> length;
};

class MessageReader {
 public:
  MessageReader(std::string_view text, net::Family family, Message& message) noexcept
      : text_{text}, family_{family}, message_{message} {}

  [[nodiscard]] bool read() noexcept {
    std::string_view rest = text_;
    std::string_view line;
    if (!take_line(rest, line) || !read_first(line)) return false;
    for (;;) {
      if (!take_line(rest, line)) return false;
      if (line.empty()) break;
      if (!read_header(line)) return false;
    }
    if (!headers_.via || !headers_.call || !headers_.sequence) return false;
    // RFC 3261 section 18.3 has what is too long cut; but then not everybody reads the same.
    if (headers_.length && *headers_.length != rest.size()) return false;
    message_.body = offset(rest);
    if (rest.empty() || !headers_.describes) return true;
    message_.describes = true;
    return !headers_.encoded && read_description(text_, family_, message_);
  }

 private:
  [[nodiscard]] std::uint16_t offset(std::string_view part) const noexcept {
    return static_cast<std::uint16_t>(part.data() - text_.data());
  }
  [[nodiscard]] Part part(std::string_view of) const noexcept {
    return {offset(of), static_cast<std::uint16_t>(offset(of) + of.size())};
  }

  [[nodiscard]] static bool take_line(std::string_view& rest, std::string_view& line) noexcept {
    const std::size_t end = rest.find("\r\n");
    if (end == kNowhere) return false;
    line = rest.substr(0, end);
    rest.remove_prefix(end + 2);
    return std::ranges::all_of(line, is_text);
  }

  // Section 7.1 and 7.2.
  [[nodiscard]] bool read_first(std::string_view line) noexcept {
    std::string_view rest = line;
    const std::string_view first = cut(rest, ' ');
    std::uint32_t status = 0;
    if (first == kVersion) {
      if (!read_digits(cut(rest, ' '), 699, status) || status < 100) return false;
      message_.status = static_cast<std::uint16_t>(status);
      return true;
    }
    const std::string_view target = cut(rest, ' ');
    headers_.method = first;
    return !first.empty() && !target.empty() && rest == kVersion && read_addresses(target);
  }

  [[nodiscard]] bool read_header(std::string_view line) noexcept {
    const std::size_t colon = line.find(':');
    if (colon == kNowhere || is_blank(line.front())) return false;  // folded, too
    const std::string_view name = trimmed(line.substr(0, colon));
    const std::string_view value = trimmed(line.substr(colon + 1));
    if (is(name, "via") || is(name, "v")) return read_vias(value);
    if (is(name, "contact") || is(name, "m") || is(name, "route") || is(name, "record-route")) {
      return read_addresses(value);
    }
    if (is(name, "call-id") || is(name, "i")) {
      message_.call = hash(value);
      return !value.empty() && !std::exchange(headers_.call, true);
    }
    if (is(name, "cseq")) return read_sequence(value);
    if (is(name, "content-length") || is(name, "l")) {
      std::uint32_t length = 0;
      if (headers_.length || !read_digits(value, kMostMessage, length)) return false;
      headers_.length = length;
      message_.length = part(value);
      return true;
    }
    if (is(name, "content-type") || is(name, "c")) {
      std::string_view rest = value;
      headers_.describes = is(trimmed(cut(rest, ';')), "application/sdp");
      return !std::exchange(headers_.type, true);
    }
    if (is(name, "content-encoding") || is(name, "e")) headers_.encoded = !is(value, "identity");
    return true;
  }

  // Section 8.1.1.5: a request has its own method there.
  [[nodiscard]] bool read_sequence(std::string_view value) noexcept {
    std::uint32_t number = 0;
    if (headers_.sequence || !read_digits(cut(value, ' '), 0x7fff'ffff, number)) return false;
    headers_.sequence = true;
    message_.sequence = number;
    const std::string_view method = trimmed(value);
    message_.method = method_of(method);
    return message_.status != 0 ? !method.empty() : method == headers_.method;
  }

  // Section 20.42: the newest may be behind commas of others.
  [[nodiscard]] bool read_vias(std::string_view value) noexcept {
    headers_.via = true;
    while (!value.empty()) {
      std::string_view one = trimmed(cut(value, ','));
      std::string_view by = cut(one, ';');
      if (!begins(by, "sip/2.0/")) return false;
      (void)cut(by, ' ');
      if (!add_end(trimmed(by))) return false;
      if (!read_seen(one)) return false;
    }
    return true;
  }

  // What the one who was asked saw of the sender (RFC 3581 section 4).
  [[nodiscard]] bool read_seen(std::string_view parameters) noexcept {
    End end;
    end.seen = true;
    bool received = false;
    while (!parameters.empty()) {
      const std::string_view one = trimmed(cut(parameters, ';'));
      std::uint32_t number = 0;
      if (begins(one, "received=")) {
        std::string_view host = one.substr(9);
        if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
        received = read_address(host, family_, end.address);
        if (received) end.host = part(host);
      } else if (begins(one, "rport=") && read_digits(one.substr(6), 0xffff, number)) {
        end.port = part(one.substr(6));
        end.number = static_cast<std::uint16_t>(number);
      }
    }
    return !received || add(end);
  }

  // The ends in all sip: addresses of a list; what stands in quotes is a name.
  [[nodiscard]] bool read_addresses(std::string_view value) noexcept {
    bool quoted = false;
    for (std::size_t i = 0; i < value.size(); ++i) {
      if (quoted && value[i] == '\\') {
        ++i;
        continue;
      }
      if (value[i] == '"') quoted = !quoted;
      if (quoted || !begins(value.substr(i), "sip:")) continue;
      std::string_view address = value.substr(i + 4);
      address = address.substr(0, address.find_first_of("<>, \t\""));
      // None begins inside another: so each byte is looked at once, however many there are.
      i += 3 + address.size();
      if (const std::size_t user = address.rfind('@'); user != kNowhere) {
        address.remove_prefix(user + 1);
      }
      address = address.substr(0, address.find_first_of(";?"));
      if (!add_end(address)) return false;
    }
    return true;
  }

  // host or host:port. Names are nobody's address.
  [[nodiscard]] bool add_end(std::string_view text) noexcept {
    End end;
    std::string_view host = text;
    std::string_view port;
    bool has_port = false;
    if (text.starts_with('[')) {
      const std::size_t close = text.find(']');
      if (close == kNowhere) return false;
      host = text.substr(1, close - 1);
      port = trimmed(text.substr(close + 1));
      has_port = port.starts_with(':');
      if (!has_port && !port.empty()) return false;
      if (has_port) port.remove_prefix(1);
    } else {
      port = text;
      host = trimmed(cut(port, ':'));
      has_port = host.data() + host.size() != text.data() + text.size() && text.contains(':');
    }
    if (has_port) {
      std::uint32_t number = 0;
      port = trimmed(port);
      if (!read_digits(port, 0xffff, number) || number == 0) return false;
      end.number = static_cast<std::uint16_t>(number);
      end.port = part(port);
    }
    if (!read_address(host, family_, end.address)) return true;
    end.host = part(host);
    return add(end);
  }
  [[nodiscard]] bool add(const End& end) noexcept {
    if (message_.ends_count == kMostEnds) return false;
    message_.ends[message_.ends_count++] = end;
    return true;
  }

  std::string_view text_;
  net::Family family_;
  Message& message_;
  Headers headers_;
};

}  // namespace

std::string_view cut(std::string_view& text, char c) noexcept {
  const std::size_t at = text.find(c);
  const std::string_view before = text.substr(0, at);
  text = at == kNowhere ? std::string_view{} : text.substr(at + 1);
  return before;
}

bool read_digits(std::string_view text, std::uint32_t most, std::uint32_t& value) noexcept {
  if (text.empty() || text.size() > 10) return false;
  std::uint64_t number = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return false;
    number = number * 10 + static_cast<std::uint64_t>(c - '0');
  }
  value = static_cast<std::uint32_t>(number);
  return number <= most;
}

bool read_address(std::string_view text, net::Family family, net::Address& address) noexcept {
  std::array<char, INET6_ADDRSTRLEN> zero_ended{};
  if (text.size() >= zero_ended.size() || text.contains('\0')) return false;
  text.copy(zero_ended.data(), text.size());
  if (family == net::Family::kIpv4) {
    std::array<std::uint8_t, 4> v4{};
    if (::inet_pton(AF_INET, zero_ended.data(), v4.data()) != 1) return false;
    address = net::Address::v4_wire(v4.data());
    return true;
  }
  std::array<std::uint8_t, 16> v6{};
  if (::inet_pton(AF_INET6, zero_ended.data(), v6.data()) != 1) return false;
  address = net::Address::v6_wire(v6.data());
  // An IPv4 address as IPv6 would be of the other family.
  return address.family() == net::Family::kIpv6;
}

Says read(std::string_view text, net::Family family, Message& message) noexcept {
  if (text.find_first_not_of("\r\n") == kNowhere) return Says::kNothing;
  if (text.size() > kMostMessage) return Says::kInvalid;
  return MessageReader{text, family, message}.read() ? Says::kMessage : Says::kInvalid;
}

}  // namespace meiguan::fastpath::sip
