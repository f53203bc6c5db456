#include "dataplane/fastpath/helper_table.h"

#include <algorithm>
#include <bit>

namespace meiguan::fastpath {

HelperTable::HelperTable(std::uint32_t controls, std::uint32_t parties, const HashSeed& seed)
    : seed_{seed},
      controls_(std::max(controls, 1U)),
      expected_(controls_.size() * 4),
      buckets_(std::bit_ceil(expected_.size()), kNone),
      parties_(std::max(parties, 1U)),
      mask_{static_cast<std::uint32_t>(buckets_.size() - 1)} {
  const auto fill = [](std::vector<std::uint32_t>& free, std::size_t count) {
    free.resize(count);
    // The lowest numbers are taken first.
    for (std::size_t i = 0; i < count; ++i) free[i] = static_cast<std::uint32_t>(count - 1 - i);
  };
  fill(free_controls_, controls_.size());
  fill(free_expected_, expected_.size());
}

std::uint32_t HelperTable::take_control(std::uint32_t party) noexcept {
  std::uint32_t& held = parties_[party].controls;
  if (live_controls_ == controls_.size() || beyond_share(held, live_controls_, controls_.size())) {
    return kNone;
  }
  const std::uint32_t number = free_controls_[controls_.size() - ++live_controls_];
  controls_[number] = Control{};
  controls_[number].party = party;
  if (held++ == 0) ++live_parties_;
  return number;
}

void HelperTable::give_back_control(std::uint32_t number) noexcept {
  if (--parties_[controls_[number].party].controls == 0) --live_parties_;
  free_controls_[controls_.size() - live_controls_--] = number;
}

std::uint32_t HelperTable::expect(const Expected& wanted) noexcept {
  Control& control = controls_[wanted.control];
  const std::uint32_t most = control.helper == image::Helper::kSip ? kMostOfCalls : kMostOfOne;
  std::uint32_t& held = parties_[control.party].expected;
  if (live_ == expected_.size() || control.count == most ||
      beyond_share(held, live_, expected_.size())) {
    return kNone;
  }
  const std::uint32_t number = free_expected_[expected_.size() - ++live_];
  Expected& expected = expected_[number];
  expected = wanted;
  expected.live = true;
  expected.flow = Expected::kNone;
  expected.previous = Expected::kNone;
  expected.next = control.first;
  if (control.first != Expected::kNone) expected_[control.first].previous = number;
  control.first = number;
  ++control.count;
  ++held;
  put_in(number);
  return number;
}

void HelperTable::put_in(std::uint32_t number) noexcept {
  Expected& expected = expected_[number];
  std::uint32_t& first = bucket(expected.key);
  expected.next_in_bucket = first;
  expected.previous_in_bucket = kNone;
  if (first != kNone) expected_[first].previous_in_bucket = number;
  first = number;
  ++waiting_;
}

void HelperTable::take_out(std::uint32_t number) noexcept {
  // Without a walk: many of one end may have the same key.
  const Expected& expected = expected_[number];
  const std::uint32_t next = expected.next_in_bucket;
  const std::uint32_t previous = expected.previous_in_bucket;
  (previous != kNone ? expected_[previous].next_in_bucket : bucket(expected.key)) = next;
  if (next != kNone) expected_[next].previous_in_bucket = previous;
  --waiting_;
}

void HelperTable::open(std::uint32_t number, std::uint32_t flow) noexcept {
  take_out(number);
  expected_[number].flow = flow;
}

void HelperTable::wait_again(std::uint32_t number, FlowTime until) noexcept {
  expected_[number].flow = Expected::kNone;
  expected_[number].until = until;
  put_in(number);
}

void HelperTable::forget(std::uint32_t number) noexcept {
  Expected& expected = expected_[number];
  if (expected.waits()) take_out(number);
  Control& control = controls_[expected.control];
  if (expected.next != Expected::kNone) expected_[expected.next].previous = expected.previous;
  if (expected.previous != Expected::kNone) {
    expected_[expected.previous].next = expected.next;
  } else {
    control.first = expected.next;
  }
  --control.count;
  --parties_[control.party].expected;
  expected = Expected{};
  free_expected_[expected_.size() - live_--] = number;
}

std::uint32_t HelperTable::find(const FlowKey& packet, FlowTime now) const noexcept {
  FlowKey wanted = packet;
  wanted.source_port = 0;
  std::uint32_t late = 0;
  for (std::uint32_t number = buckets_[slot(packet)]; number != kNone;
       number = expected_[number].next_in_bucket) {
    if (!equal(expected_[number].key, wanted)) continue;
    if (!is_late(expected_[number], now)) return number;
    if (++late == kMostLate) break;
  }
  return kNone;
}

}  // namespace meiguan::fastpath
