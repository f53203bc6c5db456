#pragma once

// A flow whose packets the gateway changes has two keys. Its record holds the initiator's packets
// as they come in, a Translation the responder's:
//
//   initiator                        gateway                        responder
//     key  ------------------------->  |  ------ `reply` turned round ----->
//     <------------ `key` turned round |  <------------------------- reply
//
// So a packet of the initiator leaves with the addresses and ports of `reply` turned round, one of
// the responder with those of `key` turned round, and both are found by what they carry when they
// come in.

#include <cstdint>

#include "dataplane/base/huge_memory.h"
#include "dataplane/fastpath/flow_key.h"

namespace meiguan::fastpath {

struct alignas(64) Translation {
  static constexpr std::uint32_t kNone = 0xffff'ffff;

  FlowKey reply;                 // as the responder's packets have it when they come in
  std::uint32_t mapping{kNone};  // of the inside end, in the table of mappings
  // The flows of one mapping are a list, the newest first.
  std::uint32_t next{kNone};
  std::uint32_t previous{kNone};
  // What a helper keeps of the flow, or of the one that has opened it (helper_table.h). Such a flow
  // has a Translation also where its packets stay as they are.
  std::uint32_t helper{kNone};
};
static_assert(sizeof(Translation) == 64);

// The translations of one worker: plain records by number, all memory taken at construction.
class TranslationTable {
 public:
  static constexpr std::uint32_t kNone = Translation::kNone;

  explicit TranslationTable(std::uint32_t capacity) : capacity_{capacity}, records_(capacity) {}

  // A new record, as born; kNone where there is no room.
  [[nodiscard]] std::uint32_t take() noexcept {
    std::uint32_t number = free_;
    if (number != kNone) {
      free_ = records_[number].next;
    } else if (used_ != capacity_) {
      number = used_++;
    } else {
      return kNone;
    }
    records_[number] = Translation{};
    ++live_;
    return number;
  }
  void give_back(std::uint32_t number) noexcept {
    records_[number].next = free_;
    free_ = number;
    --live_;
  }

  [[nodiscard]] Translation& operator[](std::uint32_t number) noexcept { return records_[number]; }
  [[nodiscard]] const Translation& operator[](std::uint32_t number) const noexcept {
    return records_[number];
  }
  [[nodiscard]] std::uint32_t live() const noexcept { return live_; }
  [[nodiscard]] std::uint32_t capacity() const noexcept { return capacity_; }

 private:
  std::uint32_t capacity_;
  std::uint32_t live_{0};
  std::uint32_t used_{0};
  std::uint32_t free_{kNone};  // the first of those given back, chained by `next`
  HugeVector<Translation> records_;
};

}  // namespace meiguan::fastpath
