#include "dataplane/fastpath/helper_table.h"

#include <algorithm>
#include <bit>

namespace meiguan::fastpath {

HelperTable::HelperTable(std::uint32_t controls, const HashSeed& seed)
    : seed_{seed},
      controls_(std::max(controls, 1U)),
      expected_(controls_.size() * 4),
      buckets_(std::bit_ceil(expected_.size()), kNone),
      mask_{static_cast<std::uint32_t>(buckets_.size() - 1)} {
  const auto fill = [](std::vector<std::uint32_t>& free, std::size_t count) {
    free.resize(count);
    // The lowest numbers are taken first.
    for (std::size_t i = 0; i < count; ++i) free[i] = static_cast<std::uint32_t>(count - 1 - i);
  };
  fill(free_controls_, controls_.size());
  fill(free_expected_, expected_.size());
}

std::uint32_t HelperTable::take_control() noexcept {
  if (live_controls_ == controls_.size()) return kNone;
  const std::uint32_t number = free_controls_[controls_.size() - ++live_controls_];
  controls_[number] = Control{};
  return number;
}

void HelperTable::give_back_control(std::uint32_t number) noexcept {
  free_controls_[controls_.size() - live_controls_--] = number;
}

std::uint32_t HelperTable::expect(const Expected& wanted) noexcept {
  Control& control = controls_[wanted.control];
  const std::uint32_t most = control.helper == image::Helper::kSip ? kMostOfCalls : kMostOfOne;
  if (live_ == expected_.size() || control.count == most) return kNone;
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
  put_in(number);
  return number;
}

void HelperTable::put_in(std::uint32_t number) noexcept {
  std::uint32_t& first = bucket(expected_[number].key);
  expected_[number].next_in_bucket = first;
  first = number;
  ++waiting_;
}

void HelperTable::take_out(std::uint32_t number) noexcept {
  std::uint32_t* link = &bucket(expected_[number].key);
  while (*link != number) link = &expected_[*link].next_in_bucket;
  *link = expected_[number].next_in_bucket;
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
  expected = Expected{};
  free_expected_[expected_.size() - live_--] = number;
}

std::uint32_t HelperTable::find(const FlowKey& packet, FlowTime now) const noexcept {
  FlowKey wanted = packet;
  wanted.source_port = 0;
  std::uint32_t number = buckets_[slot(packet)];
  while (number != kNone &&
         (!equal(expected_[number].key, wanted) || is_late(expected_[number], now))) {
    number = expected_[number].next_in_bucket;
  }
  return number;
}

}  // namespace meiguan::fastpath
