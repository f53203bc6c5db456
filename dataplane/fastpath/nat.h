#pragma once

// What becomes of a flow's addresses (policy.md section 6): [[publish]] and [[translate]] change
// the destination before it is routed and judged, [[egress]] and [[translate]] the source behind
// that. So the rules see inside addresses only.
//
//   key -- inward() --> reply.source      where the destination really is
//       -- outward() -> reply.destination what the initiator looks like from there
//
// Where neither changes anything the flow has no Translation. Everything else is a function of the
// image; only the mappings of an IPv4 egress are state, and they are a worker's own.

#include <array>
#include <cstdint>

#include "dataplane/fastpath/event_log.h"
#include "dataplane/fastpath/flow_record.h"
#include "dataplane/fastpath/mapping_table.h"
#include "dataplane/fastpath/port_blocks.h"
#include "dataplane/fastpath/reason.h"
#include "dataplane/fastpath/translation.h"
#include "dataplane/image/reader.h"

namespace meiguan::fastpath {

// The two keys of a flow that is being opened, or judged again.
struct NatPlan {
  FlowKey key;
  FlowKey reply;  // begins as `key` turned round
  // That the source gets, or by which the packet came from outside.
  std::uint32_t mapping{Translation::kNone};
  // The destination is a public address, of this kind.
  bool to_public{false};
  image::NatKind kind{};

  [[nodiscard]] bool changes() const noexcept { return !equal(reply, turned(key)); }
};

struct NatOptions {
  std::uint32_t mappings{0};
  PortBlockOptions blocks;
};

class Nat {
 public:
  Nat(const NatOptions& options, const HashSeed& seed, EventLog& log);

  // A plan that changes nothing.
  [[nodiscard]] static NatPlan plan_for(const FlowKey& key) noexcept {
    return {key, turned(key), Translation::kNone, false, {}};
  }

  // Finds what stands behind a public address. `route` is the one to key.destination, of kind
  // kNat. `kept`, where there is one, is the reply key that the flow has: of several endpoints it
  // keeps its own. kAllowed, or why there is nothing: kNatUnsolicited, kNatUntranslatable.
  [[nodiscard]] Reason inward(const image::Image& image, const image::RouteRecord& route,
                              const FlowKey* kept, NatPlan& plan) const noexcept;

  // Changes the source as leaving by `out` asks, and puts `out`'s address space into the plan.
  // `egress` is the one that covers the source. Takes a mapping where one is needed.
  [[nodiscard]] Reason outward(const image::Image& image, std::uint16_t egress, PortId in,
                               PortId out, FlowTime now, Tick tick, NatPlan& plan) noexcept;

  // The part of `outward` that needs no state: what a [[translate]] and NPTv6 make of the source.
  static void translate_alone(const image::Image& image, std::uint16_t egress, PortId out,
                              NatPlan& plan) noexcept;

  // As `outward`, but for a flow that has its translation: whether the image in force would leave
  // it this source. Nothing is taken; a mapping whose pool is no longer in force is retired.
  [[nodiscard]] bool still_outward(const image::Image& image, std::uint16_t egress, PortId in,
                                   PortId out, const Translation* translation,
                                   NatPlan& plan) noexcept;

  // The mapping that a packet from outside to a pool address may use although no flow knows it
  // (RFC 4787 section 5; UDP alone), or Mapping::kNone. `translations` are those of the flows.
  [[nodiscard]] std::uint32_t admits(const image::Image& image, const image::NatPrefix& prefix,
                                     const FlowKey& packet,
                                     const TranslationTable& translations) const noexcept;

  // A mapping that somebody else than a flow needs stays until it is released.
  void hold(std::uint32_t mapping) noexcept { mappings_.use(mapping); }
  void release(std::uint32_t mapping, FlowTime now) noexcept { mappings_.unuse(mapping, now); }

  // A flow's translation begins or ends.
  void join(TranslationTable& translations, std::uint32_t number, std::uint32_t mapping) noexcept;
  void leave(TranslationTable& translations, std::uint32_t number, FlowTime now) noexcept;

  // Gives back what has not been used for kRest: a bounded share for each call.
  void expire(FlowTime now, Tick tick) noexcept;

  [[nodiscard]] const MappingTable& mappings() const noexcept { return mappings_; }
  [[nodiscard]] const PortBlocks& blocks() const noexcept { return blocks_; }

  static constexpr std::uint32_t kMostAddresses = 4096;  // of a pool that one packet looks at
  static constexpr FlowTime kRest = flow_seconds(120);   // RFC 6888 REQ-8

 private:
  // The addresses of an egress's pools that had nothing left, one after another from `first` on, so
  // that the next packets need not look there again until a block is returned.
  struct Exhausted {
    std::uint64_t returns{~std::uint64_t{0}};
    std::uint64_t image{0};
    std::uint64_t first{0};
    std::uint64_t addresses{0};
    std::uint16_t egress{image::kNoEgress};
  };

  [[nodiscard]] static bool needs_egress(const image::Image& image, PortId in, PortId out,
                                         const NatPlan& plan) noexcept;
  [[nodiscard]] Reason map_source(const image::Image& image, std::uint16_t egress, FlowTime now,
                                  Tick tick, NatPlan& plan) noexcept;
  [[nodiscard]] bool in_force(const image::Image& image, const image::EgressRecord& egress,
                              const Mapping& mapping) const noexcept;
  [[nodiscard]] Reason new_mapping(const image::Image& image, std::uint16_t egress, PortKind kind,
                                   FlowTime now, Tick tick, NatPlan& plan) noexcept;
  [[nodiscard]] std::uint32_t take_block(const image::Image& image, std::uint16_t egress,
                                         const BlockShape& shape, const NatPlan& plan, bool low,
                                         Tick tick) noexcept;

  EventLog& log_;
  MappingTable mappings_;
  PortBlocks blocks_;
  std::array<std::array<Exhausted, 16>, 2> exhausted_{};  // above port 1023, and below 1024
};

// What ports a protocol's packets have at a pool address; false where it has none to change.
[[nodiscard]] bool port_kind(const FlowKey& key, PortKind& kind) noexcept;

}  // namespace meiguan::fastpath
