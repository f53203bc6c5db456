#pragma once

// Telling made-up sources of SYNs from real ones without keeping anything (RFC 4987 section 3.6),
// for a destination that has too many connections half open.
//
//   client                     gateway                               server
//     SYN ---------------------> asked of the rules; over the limit
//     <-- SYN,ACK, ack = cookie  nothing is kept
//     RST, seq = cookie -------> the source is real, and known as such for a while
//     SYN (sent again) ---------------------------------------------->
//     <--------------------------------------------------------- SYN,ACK
//
// The cookie stands where the client's own number should be acknowledged, and is never that: by RFC
// 9293 section 3.10.7.3 the client answers such a segment with a reset that repeats it, stays in
// SYN-SENT, and sends its SYN again. So who can see what is sent to the source address proves it,
// and the connection is the server's own from its first segment: its options and numbers need no
// translation, and a server may speak first. The price is that one SYN is sent again, only while
// the destination is flooded and once for each source. A cookie that is accepted in place of the
// server would cost the options of all connections, and two more sequence shifts for each of their
// packets.
//
// The cookie is a SipHash of addresses, ports and address space under a key that is replaced by its
// own hash; the one before still counts.

#include <cstdint>
#include <span>

#include "dataplane/fastpath/flow_key.h"
#include "dataplane/fastpath/packet_info.h"
#include "dataplane/fastpath/pipeline.h"
#include "dataplane/fastpath/rate.h"
#include "dataplane/fastpath/sip_hash.h"
#include "dataplane/fastpath/two_rows.h"

namespace meiguan::fastpath {

class SynCookies {
 public:
  static constexpr Tick kKeyLife = 32'000;       // a cookie counts for one to two of these
  static constexpr Tick kVerifiedFor = 120'000;  // from the reset on
  static constexpr std::uint32_t kAnswersPerSecond = 200'000;  // of all workers together

  SynCookies(std::uint32_t flow_capacity, std::uint64_t secret, std::uint32_t workers);

  // Whether this source has shown lately that it is real.
  [[nodiscard]] bool is_verified(const FlowKey& key, Tick now) const noexcept;

  // The acknowledgment number that a SYN is answered with.
  [[nodiscard]] std::uint32_t cookie(const PacketInfo& syn, Tick now) noexcept;
  // Whether one more answer may be sent now; takes it.
  [[nodiscard]] bool may_answer(Tick now) noexcept;
  // Whether a reset repeats a cookie; its source is verified from now on.
  [[nodiscard]] bool verify(const PacketInfo& reset, Tick now) noexcept;
  // Whether a cookie that was given out could still come back.
  [[nodiscard]] bool in_use(Tick now) const noexcept {
    return answered_ && now - last_answer_ < 2 * kKeyLife;
  }

 private:
  [[nodiscard]] static std::uint32_t cookie_of(const SipKey& key, const FlowKey& flow) noexcept;
  void pass_time(Tick now) noexcept;

  SipKey key_;
  SipKey key_before_;
  Tick key_until_{0};
  FlowRate rate_;
  RateTime next_answer_{0};
  Tick last_answer_{0};
  bool answered_{false};
  TwoRows<Tick> verified_until_;
};

// Makes the frame of a SYN the answer to it, to be sent by the port that it came in by: `cookie`
// acknowledged, no window, no options. The frame shrinks.
void answer_syn(Frame& frame, const PacketInfo& info, std::uint32_t cookie) noexcept;

}  // namespace meiguan::fastpath
