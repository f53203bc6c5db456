#include "dataplane/fastpath/ftp.h"

#include <arpa/inet.h>

#include <charconv>
#include <optional>

namespace meiguan::fastpath::ftp {
namespace {

bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

// Whether the line begins with a verb of this name, in whatever case (RFC 959 section 5.3), and
// nothing but an argument follows; `rest` is where that begins.
bool has_verb(std::string_view line, std::string_view verb, std::size_t& rest) noexcept {
  if (line.size() < verb.size()) return false;
  for (std::size_t i = 0; i < verb.size(); ++i) {
    const char upper = line[i] >= 'a' && line[i] <= 'z' ? static_cast<char>(line[i] - 'a' + 'A')
                                                        : line[i];
    if (upper != verb[i]) return false;
  }
  rest = verb.size();
  if (rest == line.size()) return true;
  if (line[rest] != ' ') return false;
  while (rest < line.size() && line[rest] == ' ') ++rest;
  return true;
}

// A number of digits only, at `at` and behind; `at` is behind it then.
std::optional<std::uint32_t> read_number(std::string_view text, std::size_t& at,
                                         std::uint32_t most) noexcept {
  std::uint32_t value = 0;
  const std::size_t begin = at;
  for (; at < text.size() && is_digit(text[at]); ++at) {
    value = value * 10 + static_cast<std::uint32_t>(text[at] - '0');
    if (value > most) return std::nullopt;
  }
  return at == begin ? std::nullopt : std::optional{value};
}

Line of(Says says) noexcept {
  Line line;
  line.says = says;
  return line;
}
Line invalid() noexcept { return of(Says::kInvalid); }

// h1,h2,h3,h4,p1,p2 from `at` on; what stands behind it is the caller's.
Line read_commas(std::string_view line, std::size_t at) noexcept {
  const std::size_t first = at;
  std::array<std::uint32_t, 6> numbers{};
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    if (i != 0) {
      if (at == line.size() || line[at] != ',') return invalid();
      ++at;
    }
    const auto number = read_number(line, at, 255);
    if (!number) return invalid();
    numbers[i] = *number;
  }
  Line out = of(Says::kAnnounces);
  out.address = net::Address::v4(numbers[0] << 24 | numbers[1] << 16 | numbers[2] << 8 |
                                 numbers[3]);
  out.port = static_cast<std::uint16_t>(numbers[4] << 8 | numbers[5]);
  out.first = static_cast<std::uint8_t>(first);
  out.last = static_cast<std::uint8_t>(at);
  return out;
}

std::optional<net::Address> read_address(std::string_view text, net::Family family) noexcept {
  std::array<char, INET6_ADDRSTRLEN> zero_ended{};
  if (text.size() >= zero_ended.size() || text.contains('\0')) return std::nullopt;
  text.copy(zero_ended.data(), text.size());
  if (family == net::Family::kIpv4) {
    std::array<std::uint8_t, 4> v4{};
    if (::inet_pton(AF_INET, zero_ended.data(), v4.data()) != 1) return std::nullopt;
    return net::Address::v4_wire(v4.data());
  }
  std::array<std::uint8_t, 16> v6{};
  if (::inet_pton(AF_INET6, zero_ended.data(), v6.data()) != 1) return std::nullopt;
  const net::Address address = net::Address::v6(v6);
  // One that reads as an IPv4 address is no end of an IPv6 connection.
  return address.family() == net::Family::kIpv6 ? std::optional{address} : std::nullopt;
}

// <d>family<d>address<d>port<d> from `at` on; family and address may be asked to be empty.
Line read_bars(std::string_view line, std::size_t at, net::Family family, bool port_only) noexcept {
  if (at == line.size()) return invalid();
  Line out = of(Says::kAnnounces);
  out.form = port_only ? Form::kBarsPortOnly : Form::kBars;
  out.bar = line[at];
  out.first = static_cast<std::uint8_t>(at);
  if (out.bar < '!' || out.bar > '~' || is_digit(out.bar)) return invalid();
  std::array<std::string_view, 3> fields;
  for (std::string_view& field : fields) {
    const std::size_t begin = ++at;
    at = line.find(out.bar, begin);
    if (at == std::string_view::npos) return invalid();
    field = line.substr(begin, at - begin);
  }
  out.last = static_cast<std::uint8_t>(at + 1);
  std::size_t end = 0;
  const auto port = read_number(fields[2], end, 65'535);
  if (!port || end != fields[2].size()) return invalid();
  out.port = static_cast<std::uint16_t>(*port);
  if (port_only) return fields[0].empty() && fields[1].empty() ? out : invalid();
  if (fields[0] != (family == net::Family::kIpv4 ? "1" : "2")) return invalid();
  const auto address = read_address(fields[1], family);
  if (!address) return invalid();
  out.address = *address;
  return out;
}

}  // namespace

Line read_command(std::string_view line, net::Family family) noexcept {
  std::size_t rest = 0;
  if (has_verb(line, "PASV", rest) || has_verb(line, "EPSV", rest)) return of(Says::kAsks);
  Line out;
  if (has_verb(line, "PORT", rest)) {
    // The family of IPv6 has no such command (RFC 2428 section 1).
    out = family == net::Family::kIpv4 ? read_commas(line, rest) : invalid();
  } else if (has_verb(line, "EPRT", rest)) {
    out = read_bars(line, rest, family, false);
  } else {
    return {};
  }
  if (out.says == Says::kAnnounces && out.last != line.size()) return invalid();
  return out;
}

Line read_reply(std::string_view line, net::Family family) noexcept {
  if (line.size() < 4 || !is_digit(line[0]) || !is_digit(line[1]) || !is_digit(line[2]) ||
      line[3] != ' ') {
    return {};  // of several lines, or the text of one
  }
  const std::string_view code = line.substr(0, 3);
  if (code == "227") {
    // RFC 1123 section 4.1.2.6: there may be no parentheses; the first digit counts.
    std::size_t at = 4;
    while (at < line.size() && !is_digit(line[at])) ++at;
    return family == net::Family::kIpv4 ? read_commas(line, at) : invalid();
  }
  if (code == "229") {
    const std::size_t open = line.find('(');
    if (open == std::string_view::npos) return invalid();
    const Line out = read_bars(line, open + 1, family, true);
    return out.says != Says::kAnnounces || (out.last < line.size() && line[out.last] == ')')
               ? out
               : invalid();
  }
  return of(line[0] == '1' ? Says::kNothing : Says::kAnswers);
}

std::size_t write_end(const Line& like, const net::Address& address, std::uint16_t port,
                      EndText& text) noexcept {
  char* at = text.data();
  char* const end = text.data() + text.size();
  const auto put = [&](unsigned value) { at = std::to_chars(at, end, value).ptr; };
  if (like.form == Form::kCommas) {
    const std::uint32_t value = address.v4_value();
    for (const unsigned shift : {24U, 16U, 8U, 0U}) {
      put(value >> shift & 0xff);
      *at++ = ',';
    }
    put(port >> 8U);
    *at++ = ',';
    put(port & 0xffU);
    return static_cast<std::size_t>(at - text.data());
  }
  *at++ = like.bar;
  if (like.form == Form::kBars) {
    const bool v4 = address.family() == net::Family::kIpv4;
    *at++ = v4 ? '1' : '2';
    *at++ = like.bar;
    std::array<char, INET6_ADDRSTRLEN> written{};
    const std::array<std::uint8_t, 16> bytes = address.bytes();
    (void)::inet_ntop(v4 ? AF_INET : AF_INET6, bytes.data() + (v4 ? 12 : 0), written.data(),
                      written.size());
    const std::string_view view{written.data()};
    at += view.copy(at, view.size());
  } else {
    *at++ = like.bar;
  }
  *at++ = like.bar;
  put(port);
  *at++ = like.bar;
  return static_cast<std::size_t>(at - text.data());
}

}  // namespace meiguan::fastpath::ftp
