#pragma once

#include <array>
#include <bit>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

namespace meiguan::net {

enum class Family : std::uint8_t { kIpv4 = 4, kIpv6 = 6 };

[[nodiscard]] constexpr std::uint8_t address_bits(Family family) noexcept {
  return family == Family::kIpv4 ? 32 : 128;
}

using MacAddress = std::array<std::uint8_t, 6>;

// An IPv4 or IPv6 address. IPv4 is held as ::ffff:a.b.c.d (RFC 4291 section 2.5.5.2), so that both
// families share one key and one code path; such an address on an IPv6 wire is malformed
// (it is outside 2000::/3), hence the two never meet.
class Address {
 public:
  constexpr Address() noexcept = default;

  [[nodiscard]] static constexpr Address v4(std::uint32_t host_order) noexcept {
    Address a;
    a.bytes_[10] = a.bytes_[11] = 0xff;
    for (std::size_t i = 0; i < 4; ++i) {
      a.bytes_[12 + i] = static_cast<std::uint8_t>(host_order >> (24 - 8 * i));
    }
    return a;
  }
  // `wire` points at 4 bytes in network order.
  [[nodiscard]] static Address v4_wire(const std::uint8_t* wire) noexcept {
    // Put together in registers: a load of 8 bytes stalls behind a store of 4 of them.
    std::uint32_t raw;
    std::memcpy(&raw, wire, 4);
    const std::uint64_t low = std::endian::native == std::endian::little
                                  ? std::uint64_t{raw} << 32 | 0xffff'0000
                                  : 0xffff'0000'0000 | raw;
    Address a;
    a.bytes_ = std::bit_cast<std::array<std::uint8_t, 16>>(std::array<std::uint64_t, 2>{0, low});
    return a;
  }
  // `wire` points at 16 bytes in network order.
  [[nodiscard]] static Address v6_wire(const std::uint8_t* wire) noexcept {
    Address a;
    std::memcpy(a.bytes_.data(), wire, 16);
    return a;
  }
  [[nodiscard]] static constexpr Address v6(const std::array<std::uint8_t, 16>& bytes) noexcept {
    Address a;
    a.bytes_ = bytes;
    return a;
  }

  [[nodiscard]] constexpr Family family() const noexcept {
    // ::ffff:0:0/96 by words, whatever their byte order: this is asked of every first packet.
    constexpr auto kMapped = std::bit_cast<std::uint32_t>(
        std::array<std::uint8_t, 4>{0, 0, 0xff, 0xff});
    const auto words = std::bit_cast<std::array<std::uint32_t, 4>>(bytes_);
    return (words[0] | words[1] | (words[2] ^ kMapped)) == 0 ? Family::kIpv4 : Family::kIpv6;
  }
  // The value of an IPv4 address in host order.
  [[nodiscard]] constexpr std::uint32_t v4_value() const noexcept {
    return std::uint32_t{bytes_[12]} << 24 | std::uint32_t{bytes_[13]} << 16 |
           std::uint32_t{bytes_[14]} << 8 | std::uint32_t{bytes_[15]};
  }
  // All 16 bytes; IPv4 in its mapped form.
  [[nodiscard]] constexpr const std::array<std::uint8_t, 16>& bytes() const noexcept {
    return bytes_;
  }
  // The bytes of the address proper: 4 for IPv4, 16 for IPv6, in network order.
  [[nodiscard]] const std::uint8_t* wire() const noexcept {
    return bytes_.data() + (family() == Family::kIpv4 ? 12 : 0);
  }

  constexpr auto operator<=>(const Address&) const noexcept = default;
  // Two words; the default would call memcmp, and this stands in the path of every packet.
  constexpr bool operator==(const Address& other) const noexcept {
    using Words = std::array<std::uint64_t, 2>;
    const auto a = std::bit_cast<Words>(bytes_);
    const auto b = std::bit_cast<Words>(other.bytes_);
    return ((a[0] ^ b[0]) | (a[1] ^ b[1])) == 0;
  }

 private:
  alignas(8) std::array<std::uint8_t, 16> bytes_{};
};
static_assert(sizeof(Address) == 16);

// An address block. Invariant: the host bits of `address` are zero and `length` is at most
// address_bits(family); made by `make` or `parse_prefix` only.
class Prefix {
 public:
  constexpr Prefix() noexcept = default;
  // Nothing when `length` is too long or host bits are set.
  [[nodiscard]] static std::optional<Prefix> make(Address address, std::uint8_t length) noexcept;
  // The block of that length which holds `address`; `length` is clamped to the family's bits.
  [[nodiscard]] static Prefix around(Address address, std::uint8_t length) noexcept;

  [[nodiscard]] constexpr const Address& address() const noexcept { return address_; }
  [[nodiscard]] constexpr std::uint8_t length() const noexcept { return length_; }
  [[nodiscard]] constexpr Family family() const noexcept { return address_.family(); }
  [[nodiscard]] bool contains(const Address& address) const noexcept;
  [[nodiscard]] bool contains(const Prefix& other) const noexcept;
  [[nodiscard]] bool overlaps(const Prefix& other) const noexcept;
  // The highest address of the block (of IPv4: the directed broadcast address).
  [[nodiscard]] Address last() const noexcept;

  auto operator<=>(const Prefix&) const noexcept = default;

 private:
  Address address_{Address::v4(0)};
  std::uint8_t length_{0};
};

// Text forms: dotted quad, RFC 5952 for IPv6; nothing when the text is not exactly an address.
[[nodiscard]] std::optional<Address> parse_address(std::string_view text);
[[nodiscard]] std::optional<MacAddress> parse_mac(std::string_view text);  // aa:bb:cc:dd:ee:ff
[[nodiscard]] std::string to_string(const Address& address);
[[nodiscard]] std::string to_string(const Prefix& prefix);
[[nodiscard]] std::string to_string(const MacAddress& mac);

}  // namespace meiguan::net
