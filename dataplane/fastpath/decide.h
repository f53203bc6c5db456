#pragma once

// The one function that decides access, for workers, explain, replay and the prover alike
// (policy.md: admission, isolation, rules). Everything here is a pure function of the image and the
// moment.

#include <cstdint>
#include <span>

#include "dataplane/base/strong_id.h"
#include "dataplane/fastpath/decision.h"
#include "dataplane/image/reader.h"
#include "dataplane/net/address.h"

namespace meiguan::fastpath {

// Who sends: the objects that an address belongs to in one address space.
struct Subject {
  image::Atom atom{};
  ZoneId
      in_zone;  // of the port it came in by; without a gateway, the zone its object has or is given
  UnitId unit;  // none for an address of no unit
  // The egress that covers it, of the address's own family; image::kNoEgress for none.
  std::uint16_t egress{image::kNoEgress};
};

// Where it goes: the objects at an address, protocol and port.
struct Target {
  UnitId unit;
  ServiceId service;        // the most specific one
  std::uint32_t number{0};  // index into the image's targets
  // The zone of the out-port; none asks by the objects alone (no gateway).
  ZoneId out_zone;
  // Without a gateway: the zone of a destination of no object; otherwise none.
  ZoneId assumed_zone;
  bool has_translate{false};  // a [[translate]] covers the address
  // The packet was sent to a public address, of a [[publish]] or of a [[translate]], and `number`
  // is what stands behind it. Where there is no gateway it is taken to be so wherever it can be.
  bool translated{false};
};

// `value` of a port map's key: the destination port, or the type of ICMP and ICMPv6, else 0.
struct Protocol {
  std::uint8_t number{0};
  std::uint16_t value{0};
};

struct Access {
  Decision decision;
  image::Isolation isolation;  // both answers of the table combined
  // Rules that the search came past, each where its condition holds.
  std::span<const image::AuditRecord> audits;
};

[[nodiscard]] Subject find_subject(const image::Image& image, SpaceId space,
                                   const net::Address& source, ZoneId in_zone) noexcept;

[[nodiscard]] Target find_target(const image::Image& image, SpaceId space,
                                 const net::Address& destination, Protocol protocol,
                                 ZoneId out_zone) noexcept;

// Whether the sender may send at all: kAllowed, kUnitUnknown, kTerminalUnknown or kTerminalMac.
// `mac` is the frame's source MAC where the source is on-link at the port, else null: then a
// terminal's MAC is not asked.
[[nodiscard]] Reason admit(const image::Image& image, const Subject& subject, SpaceId space,
                           const net::Address& source, const net::MacAddress* mac) noexcept;

// The isolation table, asked with the zones of the ports and with those of the objects. Where an
// [[egress]] or a [[translate]] must cover an end and does not, or where a packet from the internet
// came straight to an address that has a [[publish]], the answer drops.
[[nodiscard]] image::Isolation isolate(const image::Image& image, const Subject& subject,
                                       const Target& target) noexcept;

// Row and column of the matrix. The zones of both ends must be known, be it as assumed.
struct ClassPair {
  std::uint32_t source;
  std::uint32_t target;
};
[[nodiscard]] ClassPair classes_of(const image::Image& image, const Subject& subject,
                                   const Target& target) noexcept;

// The cell of the matrix that says what the rules do. Isolation must not drop.
[[nodiscard]] image::Cell cell_of(const image::Image& image, const Subject& subject,
                                  const Target& target) noexcept;

// Isolation, then the rules: the first packet of a flow from `subject` to `target`.
[[nodiscard]] Access decide(const image::Image& image, const image::Moment& moment,
                            const Subject& subject, const Target& target) noexcept;

// What an outcome means where isolation says `isolation`: the last part of decide(), for who walks
// over classes instead of packets.
[[nodiscard]] Access decide(const image::Image& image, image::Isolation isolation,
                            const image::OutcomeRecord& outcome) noexcept;

// Whether isolation drops, whatever the rules say; then `reason` is why.
[[nodiscard]] bool drops(image::Isolation isolation, Reason& reason) noexcept;

}  // namespace meiguan::fastpath
