#include "dataplane/net/address.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>

namespace meiguan::net {
namespace {

// Prefix lengths count from the address proper; IPv4 begins 96 bits into the 16 bytes.
constexpr unsigned offset_bits(Family family) noexcept { return family == Family::kIpv4 ? 96 : 0; }

// The bits of byte `index` that belong to the network part when `bits` leading bits do.
constexpr std::uint8_t network_mask(std::size_t index, unsigned bits) noexcept {
  const auto first = static_cast<unsigned>(index) * 8;
  if (bits >= first + 8) return 0xff;
  if (bits <= first) return 0;
  return static_cast<std::uint8_t>(0xff00U >> (bits - first));
}

Address masked(const Address& address, unsigned bits) noexcept {
  std::array<std::uint8_t, 16> bytes = address.bytes();
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    bytes[i] = static_cast<std::uint8_t>(bytes[i] & network_mask(i, bits));
  }
  return Address::v6(bytes);
}

// A run of groups that RFC 5952 section 4.2 writes as "::".
struct ZeroRun {
  std::size_t first{8};
  std::size_t length{0};
};

// The longest run of two or more zero groups, the first one among equals.
ZeroRun longest_zero_run(const std::array<std::uint16_t, 8>& groups) {
  ZeroRun best;
  for (std::size_t i = 0; i < groups.size();) {
    std::size_t end = i;
    while (end < groups.size() && groups[end] == 0) ++end;
    if (end - i >= 2 && end - i > best.length) best = {i, end - i};
    i = std::max(end, i + 1);
  }
  return best;
}

void append_number(std::string& text, unsigned value, int base) {
  std::array<char, 8> digits{};
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value, base).ptr;
  text.append(digits.data(), end);
}

std::string v4_text(const std::uint8_t* wire) {
  std::string text;
  for (std::size_t i = 0; i < 4; ++i) {
    if (i > 0) text += '.';
    append_number(text, wire[i], 10);
  }
  return text;
}

std::string v6_text(const std::array<std::uint8_t, 16>& bytes) {
  std::array<std::uint16_t, 8> groups{};
  for (std::size_t i = 0; i < groups.size(); ++i) {
    groups[i] = static_cast<std::uint16_t>(bytes[2 * i] << 8 | bytes[2 * i + 1]);
  }
  const ZeroRun zeros = longest_zero_run(groups);
  std::string text;
  for (std::size_t i = 0; i < groups.size();) {
    if (i == zeros.first) {
      text += "::";
      i += zeros.length;
      continue;
    }
    if (!text.empty() && text.back() != ':') text += ':';
    append_number(text, groups[i], 16);
    ++i;
  }
  return text;
}

std::optional<std::uint8_t> hex_digit(char c) {
  if (c >= '0' && c <= '9') return static_cast<std::uint8_t>(c - '0');
  if (c >= 'a' && c <= 'f') return static_cast<std::uint8_t>(c - 'a' + 10);
  if (c >= 'A' && c <= 'F') return static_cast<std::uint8_t>(c - 'A' + 10);
  return std::nullopt;
}

}  // namespace

std::optional<Prefix> Prefix::make(Address address, std::uint8_t length) noexcept {
  if (length > address_bits(address.family())) return std::nullopt;
  const Prefix prefix = around(address, length);
  if (prefix.address_ != address) return std::nullopt;
  return prefix;
}

Prefix Prefix::around(Address address, std::uint8_t length) noexcept {
  const Family family = address.family();
  Prefix prefix;
  prefix.length_ = std::min(length, address_bits(family));
  prefix.address_ = masked(address, offset_bits(family) + prefix.length_);
  return prefix;
}

bool Prefix::contains(const Address& address) const noexcept {
  // ::/0 holds no IPv4 address although the mapped form lies inside it.
  const Family own = family();
  return address.family() == own && masked(address, offset_bits(own) + length_) == address_;
}

bool Prefix::contains(const Prefix& other) const noexcept {
  return other.length_ >= length_ && contains(other.address_);
}

bool Prefix::overlaps(const Prefix& other) const noexcept {
  return contains(other) || other.contains(*this);
}

Address Prefix::last() const noexcept {
  const unsigned bits = offset_bits(family()) + length_;
  std::array<std::uint8_t, 16> bytes = address_.bytes();
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    bytes[i] = static_cast<std::uint8_t>(bytes[i] | (0xff & ~network_mask(i, bits)));
  }
  return Address::v6(bytes);
}

std::optional<Address> parse_address(std::string_view text) {
  std::array<char, INET6_ADDRSTRLEN> terminated{};
  if (text.size() >= terminated.size() || text.find('\0') != text.npos) return std::nullopt;
  std::copy(text.begin(), text.end(), terminated.begin());
  std::array<std::uint8_t, 16> wire{};
  if (text.find(':') == text.npos) {
    if (::inet_pton(AF_INET, terminated.data(), wire.data()) != 1) return std::nullopt;
    return Address::v4_wire(wire.data());
  }
  if (::inet_pton(AF_INET6, terminated.data(), wire.data()) != 1) return std::nullopt;
  const Address address = Address::v6(wire);
  // The mapped form is how IPv4 is held here; as text it is no address of either family.
  if (address.family() != Family::kIpv6) return std::nullopt;
  return address;
}

std::optional<MacAddress> parse_mac(std::string_view text) {
  MacAddress mac{};
  if (text.size() != 17) return std::nullopt;
  for (std::size_t i = 0; i < mac.size(); ++i) {
    const auto high = hex_digit(text[3 * i]);
    const auto low = hex_digit(text[3 * i + 1]);
    if (!high || !low || (i < 5 && text[3 * i + 2] != ':')) return std::nullopt;
    mac[i] = static_cast<std::uint8_t>(*high << 4 | *low);
  }
  return mac;
}

std::string to_string(const Address& address) {
  return address.family() == Family::kIpv4 ? v4_text(address.wire()) : v6_text(address.bytes());
}

std::string to_string(const Prefix& prefix) {
  std::string text = to_string(prefix.address()) + "/";
  append_number(text, prefix.length(), 10);
  return text;
}

std::string to_string(const MacAddress& mac) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (const std::uint8_t byte : mac) {
    if (!text.empty()) text += ':';
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

}  // namespace meiguan::net
