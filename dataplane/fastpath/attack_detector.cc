#include "dataplane/fastpath/attack_detector.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "dataplane/fastpath/prefetch.h"

namespace meiguan::fastpath {
namespace {

constexpr unsigned kBits = 256;
constexpr unsigned kWormBits = 64;
constexpr std::uint32_t kSampled = 16;  // one in so many targets is kept in `turned`
constexpr std::uint32_t kBusy = 4;      // who turned to so many times as many as it failed at

std::size_t cells_for(std::uint32_t flow_capacity, unsigned flows_per_cell, std::size_t least,
                      std::size_t most) {
  return std::bit_ceil(std::clamp<std::size_t>(flow_capacity / flows_per_cell, least, most));
}

std::uint32_t share(std::uint32_t number, std::uint32_t workers) noexcept {
  return number == 0 ? 0 : (number + workers - 1) / workers;
}

// How many of `of` bits so many different things set, on average; all but one bit at most, or a
// threshold beyond what bits can tell would never be reached.
std::uint32_t bits_set_by(std::uint32_t things, unsigned of) noexcept {
  if (things == 0) return 0;
  const double bits = of * (1.0 - std::exp(-static_cast<double>(things) / of));
  return std::clamp(static_cast<std::uint32_t>(bits), 1U, of - 1);
}

std::uint32_t things_that_set(unsigned bits, unsigned of) noexcept {
  const double unset = std::max(of - bits, 1U);
  return static_cast<std::uint32_t>(std::lround(-static_cast<double>(of) * std::log(unset / of)));
}

// Whether the bit was clear.
template <std::size_t N>
bool set_bit(std::array<std::uint64_t, N>& words, std::uint64_t hash) noexcept {
  std::uint64_t& word = words[hash >> 6 & (N - 1)];
  const std::uint64_t bit = std::uint64_t{1} << (hash & 63);
  const bool clear = (word & bit) == 0;
  word |= bit;
  return clear;
}

template <std::size_t N>
unsigned count_bits(const std::array<std::uint64_t, N>& words) noexcept {
  unsigned bits = 0;
  for (const std::uint64_t word : words) bits += static_cast<unsigned>(std::popcount(word));
  return bits;
}

constexpr unsigned index_of(AttackType flood) noexcept {
  return static_cast<unsigned>(flood) - static_cast<unsigned>(AttackType::kSynFlood);
}
constexpr unsigned scan_index(AttackType scan) noexcept {
  return static_cast<unsigned>(scan) - static_cast<unsigned>(AttackType::kVerticalScan);
}

}  // namespace

AttackDetector::AttackDetector(std::uint32_t flow_capacity, std::uint64_t seed)
    : seed_{HashSeed::from(seed ^ 0x5bd1'e995)},
      random_{seed | 1},
      floods_{cells_for(flow_capacity, 64, 1024, 1U << 14), HashSeed::from(seed + 2)},
      scans_(cells_for(flow_capacity, 64, 256, 1U << 14)) {
  begin(AttackThresholds{}, 1);
}

void AttackDetector::begin(const AttackThresholds& thresholds, std::uint32_t workers) noexcept {
  workers = std::max(workers, 1U);
  thresholds_ = thresholds;
  flood_from_ = {share(thresholds.syn_flood, workers), share(thresholds.udp_flood, workers),
                 share(thresholds.icmp_flood, workers)};
  port_bits_ = bits_set_by(share(thresholds.vertical_scan, workers), kBits);
  target_bits_ = bits_set_by(share(thresholds.horizontal_scan, workers), kBits);
  worm_bits_ = bits_set_by(share(thresholds.fan_out, workers), kWormBits);
}

void AttackDetector::pass_time(std::uint64_t now) noexcept {
  if (now < second_ends_) [[likely]]
    return;
  second_ends_ = now + 1000;
  ++second_;
}

std::uint64_t AttackDetector::mixed(const net::Address& address,
                                    std::uint64_t with) const noexcept {
  std::array<std::uint64_t, 2> words;
  std::memcpy(words.data(), address.bytes().data(), sizeof words);
  return fold_multiply(fold_multiply(words[0] ^ seed_.keys[0], words[1] ^ seed_.keys[1]) ^
                           seed_.keys[2],
                       with ^ seed_.keys[3]);
}

Sighting AttackDetector::flood(AttackType type, const FlowKey& key, std::uint64_t now) noexcept {
  const std::uint32_t from = flood_from_[index_of(type)];
  if (from == 0) return {};
  pass_time(now);
  const Places places = floods_.places(key.destination, key.space);
  FloodCell& a = floods_[places[0]];
  FloodCell& b = floods_[places[1]];
  // What was not told of the second before, once the first packet of another comes.
  std::uint32_t rest = 0;
  if (a.second != second_ && a.second == b.second) {
    const std::uint32_t before = std::min(a.packets[index_of(type)], b.packets[index_of(type)]);
    if (before > from) rest = before - from;
  }
  for (FloodCell* cell : {&a, &b}) {
    if (cell->second != second_) *cell = {second_, {}};
    ++cell->packets[index_of(type)];
  }
  if (rest != 0) return {type, rest, 0};
  if (std::min(a.packets[index_of(type)], b.packets[index_of(type)]) == from) {
    return {type, from, 0};
  }
  return {};
}

std::array<AttackDetector::ScanCell*, 2> AttackDetector::cells_of(std::uint64_t hash) noexcept {
  const std::size_t mask = scans_.size() - 1;
  return {&scans_[hash & mask], &scans_[(hash >> 16 & mask) ^ 1]};
}

// An epoch, 262 s, is as long as a flow takes to end that nobody answers.
void AttackDetector::pass_epoch(ScanCell& cell, std::uint64_t now) noexcept {
  const auto epoch = static_cast<std::uint16_t>(now >> 18);
  const auto passed = static_cast<std::uint16_t>(epoch - cell.epoch);
  if (passed == 0) [[likely]]
    return;
  cell.turned = {0, passed == 1 ? cell.turned[0] : 0};
  cell.epoch = epoch;
}

void AttackDetector::turned(const FlowKey& key, std::uint64_t now) noexcept {
  const std::uint64_t target = mixed(key.destination, key.space);
  if ((target >> 60) != 0) return;
  const std::uint64_t hash = mixed(key.source, std::uint64_t{key.space} + 1);
  for (ScanCell* cell : cells_of(hash)) {
    if (cell->tag != static_cast<std::uint32_t>(hash >> 32) || cell->evidence == 0) continue;
    pass_epoch(*cell, now);
    cell->turned[0] |= std::uint64_t{1} << (target & 63);
    return;
  }
}

void AttackDetector::prefetch(const FlowKey& key) noexcept {
  for (ScanCell* cell : cells_of(mixed(key.source, std::uint64_t{key.space} + 1))) {
    fastpath::prefetch(&cell->tag);
  }
}

AttackDetector::ScanCell* AttackDetector::cell_of(const FlowKey& key, std::uint64_t now) noexcept {
  const std::uint64_t hash = mixed(key.source, std::uint64_t{key.space} + 1);
  const auto tag = static_cast<std::uint32_t>(hash >> 32);
  const auto cells = cells_of(hash);
  for (ScanCell* cell : cells) {
    const bool over = now - cell->begun >= kScanWindow;
    if (cell->tag != tag || cell->evidence == 0) continue;
    if (over) {
      // The same source in another minute: that it was told of does not expire with it.
      ScanCell next;
      next.told_at = cell->told_at;
      next.turned = cell->turned;
      next.epoch = cell->epoch;
      next.tag = tag;
      *cell = next;
      cell->begun = now;
    }
    return cell;
  }
  ScanCell* weakest = cells[0];
  for (ScanCell* cell : cells) {
    if (cell->evidence == 0 || now - cell->begun >= kScanWindow) {
      weakest = cell;
      weakest->evidence = 0;
      break;
    }
    if (cell->evidence < weakest->evidence) weakest = cell;
  }
  if (weakest->evidence != 0) {
    // One chance in 2^(evidence / 8) to wear it down by one (as in HeavyKeeper: Gong et al., 2018).
    random_ ^= random_ << 13;
    random_ ^= random_ >> 7;
    random_ ^= random_ << 17;
    const unsigned hardness = std::min(weakest->evidence / 8U, 32U);
    if ((random_ & ((std::uint64_t{1} << hardness) - 1)) != 0 || --weakest->evidence != 0) {
      return nullptr;
    }
  }
  *weakest = {};
  weakest->tag = tag;
  weakest->begun = now;
  return weakest;
}

Sighting AttackDetector::seen(ScanCell& cell, AttackType type, unsigned bits, unsigned of,
                              std::uint32_t threshold_bits) const noexcept {
  const unsigned i = scan_index(type);
  ++cell.untold[i];
  if (threshold_bits == 0 || bits < threshold_bits || cell.told_at[i] == second_) return {};
  cell.told_at[i] = second_;
  const Sighting sighting{type, cell.untold[i], things_that_set(bits, of)};
  cell.untold[i] = 0;
  return sighting;
}

Sighting AttackDetector::failed(const FlowKey& key, std::uint64_t now) noexcept {
  pass_time(now);
  ScanCell* const cell = cell_of(key, now);
  if (cell == nullptr) return {};
  if (set_bit(cell->targets, mixed(key.destination, key.space))) ++cell->evidence;
  // What has no ports can be a horizontal scan only.
  const bool ports = key.query == 0 && key.destination_port != 0;
  if (ports &&
      set_bit(cell->ports, fold_multiply(key.destination_port ^ seed_.keys[4], seed_.keys[2]))) {
    ++cell->evidence;
  }
  pass_epoch(*cell, now);
  const unsigned targets = count_bits(cell->targets);
  const auto turned_to = static_cast<unsigned>(std::popcount(cell->turned[0] | cell->turned[1]));
  const bool busy = things_that_set(turned_to, 64) * kSampled >=
                    kBusy * things_that_set(targets, kBits);
  const Sighting horizontal = seen(*cell, AttackType::kHorizontalScan, targets, kBits,
                                   busy ? 0 : target_bits_);
  if (horizontal.type != AttackType::kNone || !ports) return horizontal;
  return seen(*cell, AttackType::kVerticalScan, count_bits(cell->ports), kBits, port_bits_);
}

Sighting AttackDetector::spread(const FlowKey& key, std::uint64_t now) noexcept {
  pass_time(now);
  ScanCell* const cell = cell_of(key, now);
  if (cell == nullptr) return {};
  const std::uint64_t bit = std::uint64_t{1} << (mixed(key.destination, key.space) & 63);
  if ((cell->worm_targets & bit) == 0) ++cell->evidence;
  cell->worm_targets |= bit;
  return seen(*cell, AttackType::kFanOut, static_cast<unsigned>(std::popcount(cell->worm_targets)),
              kWormBits, worm_bits_);
}

}  // namespace meiguan::fastpath
