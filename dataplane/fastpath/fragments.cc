#include "dataplane/fastpath/fragments.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace meiguan::fastpath {
namespace {

constexpr unsigned kMostExpired = 64;      // datagrams in one call: a burst is not held up for more
constexpr std::size_t kNetworkBits4 = 27;  // what a unit has (policies/SCHEMA.md, shares)
constexpr std::size_t kNetworkBits6 = 64;

// The network whose addresses share a share: who has one of them often has them all.
net::Address network_of(const net::Address& address, net::Family family) noexcept {
  auto bytes = address.bytes();
  const std::size_t keep = family == net::Family::kIpv4 ? 96 + kNetworkBits4 : kNetworkBits6;
  for (std::size_t i = keep / 8; i < bytes.size(); ++i) {
    bytes[i] = i == keep / 8 ? static_cast<std::uint8_t>(bytes[i] & (0xff00U >> keep % 8))
                             : std::uint8_t{0};
  }
  return net::Address::v6(bytes);
}

std::uint64_t hash_address(const net::Address& address, std::uint64_t more,
                           const HashSeed& seed) noexcept {
  const auto words = std::bit_cast<std::array<std::uint64_t, 2>>(address.bytes());
  return fold_multiply(fold_multiply(words[0] ^ seed.keys[0], words[1] ^ seed.keys[1]) +
                           seed.keys[2],
                       more ^ seed.keys[3]);
}

template <typename T>
std::uint32_t chain_free(std::vector<T>& all, std::uint32_t T::*link) {
  for (std::size_t i = 0; i < all.size(); ++i) {
    all[i].*link = i + 1 < all.size() ? static_cast<std::uint32_t>(i + 1) : FragmentStore::kNone;
  }
  return all.empty() ? FragmentStore::kNone : 0;
}

bool same_bytes(const HeldFragment& a, const HeldFragment& b) noexcept {
  return std::memcmp(a.frame.data + a.part.at, b.frame.data + b.part.at, a.part.bytes) == 0;
}

}  // namespace

FragmentStore::FragmentStore(const FragmentOptions& options, const HashSeed& seed)
    : most_{options},
      options_{options},
      seed_{seed},
      parts_(std::size_t{options.fragments} + kMaxBurst),
      datagrams_(options.datagrams),
      // An address and a network for each datagram, and for one in the making.
      sources_(std::size_t{options.datagrams} * 2 + 2),
      buckets_(std::bit_ceil(std::size_t{options.datagrams} * 2 + 1), kNone),
      source_buckets_(std::bit_ceil(std::size_t{options.datagrams} * 4 + 1), kNone),
      gathered_(kMostBytes + 1) {
  free_part_ = chain_free(parts_, &HeldFragment::next);
  free_datagram_ = chain_free(datagrams_, &Datagram::chained);
  free_source_ = chain_free(sources_, &Source::chained);
}

void FragmentStore::begin(const FragmentOptions& wanted) noexcept {
  const auto take = [&](auto FragmentOptions::*field) {
    options_.*field = std::min(most_.*field, wanted.*field);
  };
  for (const auto field :
       {&FragmentOptions::fragments, &FragmentOptions::datagrams, &FragmentOptions::per_datagram,
        &FragmentOptions::source_fragments, &FragmentOptions::source_datagrams,
        &FragmentOptions::network_fragments, &FragmentOptions::network_datagrams}) {
    take(field);
  }
  take(&FragmentOptions::ipv4_ms);
  take(&FragmentOptions::ipv6_ms);
}

std::uint32_t& FragmentStore::bucket_of(const DatagramKey& key) noexcept {
  const std::uint64_t kind = std::uint64_t{key.identification} << 32 |
                             static_cast<std::uint64_t>(key.space) << 16 |
                             static_cast<std::uint64_t>(key.zone) << 8 | key.protocol;
  const std::uint64_t hash = fold_multiply(hash_address(key.source, kind, seed_) + seed_.keys[4],
                                           hash_address(key.destination, kind, seed_) ^
                                               seed_.keys[2]);
  return buckets_[hash & (buckets_.size() - 1)];
}

std::uint32_t& FragmentStore::source_bucket(const net::Address& address, std::uint16_t space,
                                            bool network) noexcept {
  const std::uint64_t hash = hash_address(address, std::uint64_t{space} << 1 | (network ? 1 : 0),
                                          seed_);
  return source_buckets_[hash & (source_buckets_.size() - 1)];
}

// There is always room for one: there are two for each datagram.
std::uint32_t FragmentStore::find_source(const net::Address& address, std::uint16_t space,
                                         bool network) noexcept {
  std::uint32_t& bucket = source_bucket(address, space, network);
  for (std::uint32_t i = bucket; i != kNone; i = sources_[i].chained) {
    const Source& source = sources_[i];
    if (source.address == address && source.space == space && source.network == network) return i;
  }
  const std::uint32_t number = free_source_;
  Source& source = sources_[number];
  free_source_ = source.chained;
  source = Source{};
  source.address = address;
  source.space = space;
  source.network = network;
  source.chained = bucket;
  bucket = number;
  return number;
}

void FragmentStore::release_source(std::uint32_t number) noexcept {
  Source& source = sources_[number];
  if (source.datagrams != 0) return;
  std::uint32_t* link = &source_bucket(source.address, source.space, source.network);
  while (*link != number) link = &sources_[*link].chained;
  *link = source.chained;
  source.chained = free_source_;
  free_source_ = number;
}

FragmentStore::Datagram* FragmentStore::find(const DatagramKey& key) noexcept {
  for (std::uint32_t i = bucket_of(key); i != kNone; i = datagrams_[i].chained) {
    if (datagrams_[i].key == key) return &datagrams_[i];
  }
  return nullptr;
}

void FragmentStore::link(Datagram& d) noexcept {
  const std::uint32_t number = number_of(d);
  std::uint32_t& bucket = bucket_of(d.key);
  d.chained = bucket;
  bucket = number;
  Ages& ages = ages_[d.key.family == net::Family::kIpv4 ? 0 : 1];
  d.older = ages.youngest;
  (d.older != kNone ? datagrams_[d.older].younger : ages.oldest) = number;
  ages.youngest = number;
  Source& source = sources_[d.source];
  d.source_older = source.youngest;
  (d.source_older != kNone ? datagrams_[d.source_older].source_younger : source.oldest) = number;
  source.youngest = number;
  ++live_;
}

void FragmentStore::forget(Datagram& d) noexcept {
  const std::uint32_t number = number_of(d);
  std::uint32_t* bucket = &bucket_of(d.key);
  while (*bucket != number) bucket = &datagrams_[*bucket].chained;
  *bucket = d.chained;
  Ages& ages = ages_[d.key.family == net::Family::kIpv4 ? 0 : 1];
  (d.older != kNone ? datagrams_[d.older].younger : ages.oldest) = d.younger;
  (d.younger != kNone ? datagrams_[d.younger].older : ages.youngest) = d.older;
  Source& source = sources_[d.source];
  (d.source_older != kNone ? datagrams_[d.source_older].source_younger
                           : source.oldest) = d.source_younger;
  (d.source_younger != kNone ? datagrams_[d.source_younger].source_older
                             : source.youngest) = d.source_older;
  --source.datagrams;
  --sources_[d.network].datagrams;
  release_source(d.source);
  release_source(d.network);
  d.chained = free_datagram_;
  free_datagram_ = number;
  --live_;
}

void FragmentStore::release(std::uint32_t part) noexcept {
  parts_[part].next = kNone;
  (released_last_ != kNone ? parts_[released_last_].next : released_first_) = part;
  released_last_ = part;
  --held_;
}

void FragmentStore::give_up_parts(Datagram& d, Reason reason) noexcept {
  sources_[d.source].fragments -= d.count;
  sources_[d.network].fragments -= d.count;
  for (std::uint32_t i = d.parts; i != kNone;) {
    const std::uint32_t next = parts_[i].next;
    parts_[i].fate.reason = reason;
    parts_[i].fate.step = NextStep::kDrop;
    release(i);
    i = next;
  }
  d.parts = d.last = kNone;
  d.count = 0;
  d.bytes = 0;
}

void FragmentStore::spoil(Datagram& d, Reason reason) noexcept {
  give_up_parts(d, reason);
  d.refused = reason;
}

bool FragmentStore::give_up_oldest(std::uint32_t source, const Datagram* keep) noexcept {
  std::uint32_t oldest = sources_[source].oldest;
  if (oldest != kNone && &datagrams_[oldest] == keep) oldest = datagrams_[oldest].source_younger;
  if (oldest == kNone) return false;
  give_up_parts(datagrams_[oldest], Reason::kFragmentLimit);
  forget(datagrams_[oldest]);
  return true;
}

// Room for one more fragment; where `keep` is null for one more datagram, too, which its source and
// network count already.
Reason FragmentStore::make_room(std::uint32_t source, std::uint32_t network,
                                const Datagram* keep) noexcept {
  const auto over = [&](const Source& one, std::uint32_t fragments, std::uint32_t datagrams) {
    return one.fragments >= fragments || (keep == nullptr && one.datagrams > datagrams);
  };
  for (;;) {
    const bool over_share =
        over(sources_[source], options_.source_fragments, options_.source_datagrams) ||
        over(sources_[network], options_.network_fragments, options_.network_datagrams);
    const bool full = held_ >= options_.fragments ||
                      (keep == nullptr && (live_ >= options_.datagrams || free_datagram_ == kNone));
    if (!over_share && !full) return Reason::kAllowed;
    if (!give_up_oldest(source, keep)) {
      return over_share ? Reason::kFragmentLimit : Reason::kFragmentStoreFull;
    }
  }
}

FragmentStore::Datagram* FragmentStore::begin(const DatagramKey& key, Tick now,
                                              Reason& refused) noexcept {
  const std::uint32_t source = find_source(key.source, key.space, false);
  const std::uint32_t network = find_source(network_of(key.source, key.family), key.space, true);
  ++sources_[source].datagrams;
  ++sources_[network].datagrams;
  refused = make_room(source, network, nullptr);
  if (refused != Reason::kAllowed) {
    --sources_[source].datagrams;
    --sources_[network].datagrams;
    release_source(source);
    release_source(network);
    return nullptr;
  }
  Datagram& d = datagrams_[free_datagram_];
  free_datagram_ = d.chained;
  d = Datagram{};
  d.key = key;
  d.deadline = now + (key.family == net::Family::kIpv4 ? options_.ipv4_ms : options_.ipv6_ms);
  d.source = source;
  d.network = network;
  link(d);
  return &d;
}

// Where a fragment stands among the parts of its datagram: behind `previous`. kAllowed, or why not.
Reason FragmentStore::place(const Datagram& d, const HeldFragment& fragment,
                            std::uint32_t& previous) const noexcept {
  const FragmentPart& part = fragment.part;
  previous = kNone;
  if (d.last != kNone && part.offset >= parts_[d.last].part.end()) {
    previous = d.last;
  } else {
    for (std::uint32_t i = d.parts; i != kNone; i = parts_[i].next) {
      const FragmentPart& other = parts_[i].part;
      if (other.offset == part.offset && other.bytes == part.bytes) {
        // What the network doubled is no overlap (RFC 8200 section 4.5).
        const bool same = other.more == part.more && other.next == part.next &&
                          same_bytes(parts_[i], fragment);
        return same ? Reason::kFragmentDuplicate : Reason::kFragmentOverlap;
      }
      if (part.offset < other.end() && other.offset < part.end()) return Reason::kFragmentOverlap;
      if (other.offset < part.offset) previous = i;
    }
  }
  // Two that both say that they are the last, or one behind the last.
  if (d.total != kNone && (part.end() > d.total || !part.more)) return Reason::kFragmentOverlap;
  if (!part.more && d.last != kNone && parts_[d.last].part.end() > part.end()) {
    return Reason::kFragmentOverlap;
  }
  return Reason::kAllowed;
}

void FragmentStore::insert(Datagram& d, const HeldFragment& fragment,
                           std::uint32_t previous) noexcept {
  const std::uint32_t number = free_part_;
  HeldFragment& part = parts_[number];
  free_part_ = part.next;
  part = fragment;
  std::uint32_t& link = previous != kNone ? parts_[previous].next : d.parts;
  part.next = link;
  link = number;
  if (part.next == kNone) d.last = number;
  ++d.count;
  d.bytes += part.part.bytes;
  if (!part.part.more) d.total = part.part.end();
  ++sources_[d.source].fragments;
  ++sources_[d.network].fragments;
  ++held_;
}

Reason FragmentStore::add(const DatagramKey& key, const HeldFragment& fragment, Tick now,
                          Datagram*& whole) noexcept {
  whole = nullptr;
  // One for each frame of a burst was set aside: none is left where what was released was not
  // taken.
  if (free_part_ == kNone) return Reason::kFragmentStoreFull;
  Datagram* d = find(key);
  if (d != nullptr && now >= d->deadline) {
    give_up_parts(*d, Reason::kFragmentIncomplete);
    forget(*d);
    d = nullptr;
  }
  std::uint32_t previous = kNone;
  Reason reason = Reason::kAllowed;
  if (d == nullptr) {
    d = begin(key, now, reason);
    if (d == nullptr) return reason;
  } else {
    if (d->refused != Reason::kAllowed) return d->refused;
    reason = place(*d, fragment, previous);
    if (reason == Reason::kAllowed && d->count >= options_.per_datagram) {
      reason = Reason::kFragmentLimit;
    }
    if (reason != Reason::kAllowed) {
      if (reason != Reason::kFragmentDuplicate) spoil(*d, reason);
      return reason;
    }
    reason = make_room(d->source, d->network, d);
    if (reason != Reason::kAllowed) return reason;
  }
  insert(*d, fragment, previous);
  if (d->bytes == d->total) whole = d;
  return Reason::kAllowed;
}

std::span<const std::uint8_t> FragmentStore::gather(const Datagram& d) noexcept {
  for (std::uint32_t i = d.parts; i != kNone; i = parts_[i].next) {
    const HeldFragment& part = parts_[i];
    std::memcpy(gathered_.data() + part.part.offset, part.frame.data + part.part.at,
                part.part.bytes);
  }
  return {gathered_.data(), d.total};
}

void FragmentStore::finish(Datagram& d) noexcept {
  sources_[d.source].fragments -= d.count;
  sources_[d.network].fragments -= d.count;
  for (std::uint32_t i = d.parts; i != kNone;) {
    const std::uint32_t next = parts_[i].next;
    parts_[i].counted = true;
    release(i);
    i = next;
  }
  forget(d);
}

void FragmentStore::expire(Tick now) noexcept {
  for (const Ages& ages : ages_) {
    for (unsigned i = 0; i < kMostExpired && ages.oldest != kNone; ++i) {
      Datagram& d = datagrams_[ages.oldest];
      if (now < d.deadline) break;
      give_up_parts(d, Reason::kFragmentIncomplete);
      forget(d);
    }
  }
}

void FragmentStore::give_up_all(bool ports_stay) noexcept {
  for (const Ages& ages : ages_) {
    while (ages.oldest != kNone) {
      Datagram& d = datagrams_[ages.oldest];
      for (std::uint32_t i = d.parts; !ports_stay && i != kNone; i = parts_[i].next) {
        parts_[i].fate.in = PortId{};
      }
      give_up_parts(d, Reason::kFragmentIncomplete);
      forget(d);
    }
  }
}

bool FragmentStore::take_released(HeldFragment& fragment) noexcept {
  const std::uint32_t number = released_first_;
  if (number == kNone) return false;
  HeldFragment& part = parts_[number];
  released_first_ = part.next;
  if (released_first_ == kNone) released_last_ = kNone;
  fragment = part;
  part.next = free_part_;
  free_part_ = number;
  return true;
}

}  // namespace meiguan::fastpath
