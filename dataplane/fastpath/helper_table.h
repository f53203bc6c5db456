#pragma once

// What a worker keeps for the helpers of policy.md's services (`helper = "ftp"`, ...): the flows
// whose payload is read, and what they have negotiated. A control flow and the flows that it opens
// have a Translation, be it one that changes nothing, whose `helper` leads here: so flows without a
// helper are asked nothing.
//
//   control flow --Translation::helper--> Control --first--> Expected <-> Expected ...
//   data flow ---Translation::helper, with kOpened--------------^  control, next, previous
//
// An Expected waits for the first packet of a flow between the two ends of its control flow, and
// only for one to the very port that was negotiated; then it stands for that flow. It goes with its
// control flow, one of SIP with its call. All memory is taken at construction; of its last eighth
// no party has more than an equal part, so that none leaves the others without a helper.

#include <array>
#include <cstdint>
#include <vector>

#include "dataplane/fastpath/flow_record.h"
#include "dataplane/fastpath/ftp.h"
#include "dataplane/fastpath/sequence_shift.h"
#include "dataplane/fastpath/translation.h"
#include "dataplane/image/format.h"

namespace meiguan::fastpath {

// How long media of a call are waited for, and waited for again: a call may ring for longer than 3
// minutes (RFC 3261 section 16.6, Timer C), and its ends are ready from the offer on (RFC 3264
// section 5.1).
inline constexpr FlowTime kMediaWait = flow_seconds(240);

// A flow that was negotiated.
struct Expected {
  static constexpr std::uint32_t kNone = 0xffff'ffff;

  // As its first packet comes in, but for the source's port, which is anything.
  FlowKey key;
  std::uint32_t control{kNone};
  std::uint32_t flow{kNone};     // kNone: it waits
  std::uint32_t mapping{kNone};  // of the end that waits, held
  FlowTime until{0};             // while it waits
  std::uint32_t next{kNone};     // of the same control flow
  std::uint32_t previous{kNone};
  std::uint32_t next_in_bucket{kNone};
  std::uint32_t previous_in_bucket{kNone};  // kNone: it is the first
  std::uint16_t port{0};                    // of the end that waits, by its own count
  std::uint8_t from{0};                     // the side of the control flow that opens it
  bool live{false};
  bool agreed{false};         // of SIP: its call has been answered since
  bool wanted{false};         // and the newest description of that side has it
  std::uint32_t sequence{0};  // of SIP: of the newest request or answer to it that describes it
  std::uint64_t call{0};      // of SIP
  std::uint64_t lines{0};     // of its description that have it, as bits

  [[nodiscard]] bool waits() const noexcept { return live && flow == kNone; }
};

// A control flow.
struct Control {
  std::uint32_t flow{FlowRecord::kNoTranslation};
  image::Helper helper{image::Helper::kOff};  // kOff: it is not read any more
  bool asked{false};                          // the initiator waits for a 227 or 229
  std::array<ftp::Side, 2> sides{};           // of the initiator's bytes, of the responder's
  std::array<SequenceShift, 2> shifts{};      // of each side's numbers
  std::uint32_t first{Expected::kNone};
  std::uint32_t count{0};  // of those that wait and those that stand for a flow
  std::uint32_t party{0};  // that it is counted to
};

class HelperTable {
 public:
  static constexpr std::uint32_t kNone = Translation::kNone;
  static constexpr std::uint32_t kOpened = 0x8000'0000;  // Translation::helper is an Expected
  static constexpr std::uint32_t kMostOfOne = 16;        // expected flows of one control flow
  static constexpr std::uint32_t kMostOfCalls = 64;      // and of one of SIP, with all its calls

  // Room for `controls` control flows, and for four times as many that they open. Who opens control
  // flows is a party, with a number below `parties`.
  HelperTable(std::uint32_t controls, std::uint32_t parties, const HashSeed& seed);

  [[nodiscard]] static bool is_opened(std::uint32_t helper) noexcept {
    return helper != kNone && (helper & kOpened) != 0;
  }

  // A new one of that party, as born; kNone where there is no room, or the party has its share.
  [[nodiscard]] std::uint32_t take_control(std::uint32_t party) noexcept;
  // That expects nothing any more.
  void give_back_control(std::uint32_t number) noexcept;
  [[nodiscard]] Control& control(std::uint32_t number) noexcept { return controls_[number]; }

  // One more for its control flow; kNone where there is no room, or it or its party has as many as
  // it may.
  [[nodiscard]] std::uint32_t expect(const Expected& wanted) noexcept;
  void forget(std::uint32_t number) noexcept;
  // It stands for a flow from now on; it waits for another.
  void open(std::uint32_t number, std::uint32_t flow) noexcept;
  void wait_again(std::uint32_t number, FlowTime until) noexcept;
  [[nodiscard]] Expected& expected(std::uint32_t number) noexcept { return expected_[number]; }

  // The one that waits for this first packet, or kNone.
  [[nodiscard]] std::uint32_t find(const FlowKey& packet, FlowTime now) const noexcept;

  // How many wait.
  [[nodiscard]] std::uint32_t waiting() const noexcept { return waiting_; }
  [[nodiscard]] std::uint32_t controls() const noexcept { return live_controls_; }
  // Those that stand for flows, too.
  [[nodiscard]] std::uint32_t live() const noexcept { return live_; }

  // Goes on by a few and calls `late(number)` for those that have waited in vain; it forgets them.
  template <typename Late>
  void expire(FlowTime now, Late&& late) noexcept {
    constexpr std::uint32_t kMostAtOnce = 16;
    if (waiting_ == 0) return;
    for (std::uint32_t i = 0; i < kMostAtOnce; ++i) {
      hand_ = hand_ + 1 < expected_.size() ? hand_ + 1 : 0;
      if (expected_[hand_].waits() && is_late(expected_[hand_], now)) late(hand_);
    }
  }

 private:
  // What a party has of both tables.
  struct Party {
    std::uint32_t controls{0};
    std::uint32_t expected{0};
  };

  // An equal part of the table, with one for a party that may still come; by a product and not a
  // quotient.
  [[nodiscard]] bool beyond_share(std::uint32_t held, std::uint32_t live,
                                  std::size_t capacity) const noexcept {
    return live >= capacity - capacity / 8 && held * (live_parties_ + std::uint64_t{1}) >= capacity;
  }
  // Of one end, not yet forgotten: a packet looks at no more of them.
  static constexpr std::uint32_t kMostLate = 64;

  [[nodiscard]] static bool is_late(const Expected& expected, FlowTime now) noexcept {
    return static_cast<std::int32_t>(now - expected.until) > 0;
  }
  [[nodiscard]] std::uint32_t& bucket(const FlowKey& key) noexcept { return buckets_[slot(key)]; }
  [[nodiscard]] std::uint32_t slot(FlowKey key) const noexcept {
    key.source_port = 0;
    return static_cast<std::uint32_t>(flow_hash(key, seed_) >> 32) & mask_;
  }
  void put_in(std::uint32_t number) noexcept;
  void take_out(std::uint32_t number) noexcept;

  HashSeed seed_;
  std::vector<Control> controls_;
  std::vector<Expected> expected_;
  std::vector<std::uint32_t> buckets_;  // of those that wait
  std::vector<std::uint32_t> free_controls_;
  std::vector<std::uint32_t> free_expected_;
  std::vector<Party> parties_;
  std::uint32_t mask_;
  std::uint32_t live_controls_{0};
  std::uint32_t live_parties_{0};  // with control flows
  std::uint32_t live_{0};
  std::uint32_t waiting_{0};
  std::uint32_t hand_{0};
};

}  // namespace meiguan::fastpath
