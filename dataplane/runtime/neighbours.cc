#include "dataplane/runtime/neighbours.h"

#include <algorithm>
#include <tuple>

#include "dataplane/runtime/discovery.h"

namespace meiguan::runtime {

using fastpath::Reason;
using fastpath::Tick;

Neighbours::Neighbours(fastpath::NeighbourTable& table, std::uint32_t capacity, Outlet& outlet)
    : table_{table}, capacity_{capacity}, outlet_{outlet} {}

void Neighbours::adopt(const Interfaces& interfaces, Tick now) {
  interfaces_ = &interfaces;
  std::vector<std::pair<std::string, SpaceId>> identities;
  for (const Interface& interface : interfaces.all()) {
    identities.emplace_back(interface.name, interface.space);
  }
  std::set<Key> fixed;
  for (const image::NeighbourRecord& record : interfaces.static_neighbours()) {
    fixed.emplace(PortId{record.port}, record.address);
  }
  for (auto at = entries_.begin(); at != entries_.end();) {
    const auto& [port, address] = at->first;
    const std::size_t i = port.index();
    const bool same_port = i < identities.size() && i < identities_.size() &&
                           identities[i] == identities_[i];
    const bool keep = fixed.contains(at->first) ||
                      (same_port && at->second.kind != NeighbourKind::kStatic &&
                       interfaces.on_link(*interfaces.find(port), address));
    at = keep ? std::next(at) : forget(at, Reason::kNextHopUnresolved);
  }
  identities_ = std::move(identities);
  adopt_static(interfaces);
  tick(now);
}

void Neighbours::adopt_static(const Interfaces& interfaces) {
  for (const image::NeighbourRecord& record : interfaces.static_neighbours()) {
    const Key key{PortId{record.port}, record.address};
    const auto [at, added] = entries_.try_emplace(key);
    if (added) ++unresolved_;
    resolve(at, record.mac, NeighbourKind::kStatic, 0);
  }
}

void Neighbours::schedule(const Key& key, Entry& entry, Tick due) {
  unschedule(key, entry);
  entry.due = due;
  due_.emplace(due, key);
}

void Neighbours::unschedule(const Key& key, const Entry& entry) { due_.erase({entry.due, key}); }

void Neighbours::probe(const Key& key, Entry& entry, Tick now) {
  ++entry.probes;
  schedule(key, entry, now + kProbeInterval);
  const Interface* interface = interfaces_->find(key.first);
  if (interface == nullptr || !requests_.take(now)) return;
  // An unresolved one has no MAC yet: everybody is asked.
  const FrameBytes frame = build_request(*interface, key.second, entry.mac);
  if (!frame.empty()) outlet_.transmit(key.first, frame);
}

bool Neighbours::resolve(Entries::iterator at, const net::MacAddress& mac, NeighbourKind kind,
                         Tick due) {
  const auto& [port, address] = at->first;
  Entry& entry = at->second;
  if (!table_.set(port, address, mac)) {
    forget(at, Reason::kNeighbourTableFull);
    return false;
  }
  if (entry.kind == NeighbourKind::kUnresolved) --unresolved_;
  entry.kind = kind;
  entry.mac = mac;
  entry.probes = 0;
  if (kind == NeighbourKind::kStatic) {
    unschedule(at->first, entry);
  } else {
    schedule(at->first, entry, due);
  }
  held_ -= entry.held.size();
  for (auto& packet : std::exchange(entry.held, {})) outlet_.forward(std::move(packet), mac);
  return true;
}

void Neighbours::make_stale(const Key& key, Entry& entry, Tick due) {
  entry.kind = NeighbourKind::kStale;
  entry.probes = 0;
  schedule(key, entry, due);
}

Neighbours::Entries::iterator Neighbours::forget(Entries::iterator at, Reason reason) {
  const auto& [port, address] = at->first;
  Entry& entry = at->second;
  unschedule(at->first, entry);
  if (entry.kind == NeighbourKind::kUnresolved) {
    --unresolved_;
  } else {
    table_.forget(port, address);
  }
  held_ -= entry.held.size();
  auto held = std::exchange(entry.held, {});
  const auto next = entries_.erase(at);
  for (auto& packet : held) outlet_.give_up(std::move(packet), reason);
  return next;
}

void Neighbours::make_room_for_unresolved() {
  while (unresolved_ >= kMostUnresolved && !unresolved_order_.empty()) {
    const Key oldest = unresolved_order_.front();
    unresolved_order_.pop_front();
    const auto at = entries_.find(oldest);
    if (at == entries_.end() || at->second.kind != NeighbourKind::kUnresolved) continue;
    forget(at, Reason::kNextHopUnresolved);
  }
  // Names of entries that were resolved long ago would otherwise pile up.
  if (unresolved_order_.size() > 4 * kMostUnresolved) {
    std::erase_if(unresolved_order_, [this](const Key& key) {
      const auto at = entries_.find(key);
      return at == entries_.end() || at->second.kind != NeighbourKind::kUnresolved;
    });
  }
}

void Neighbours::hold(PortId out, const net::Address& next_hop, std::unique_ptr<HeldPacket> packet,
                      Tick now) {
  const Interface* interface = interfaces_ != nullptr ? interfaces_->find(out) : nullptr;
  if (interface == nullptr || interface->owns(next_hop)) {
    outlet_.give_up(std::move(packet), Reason::kNextHopUnresolved);
    return;
  }
  const Key key{out, next_hop};
  auto at = entries_.find(key);
  if (at != entries_.end() && at->second.kind != NeighbourKind::kUnresolved) {
    outlet_.forward(std::move(packet), at->second.mac);
    return;
  }
  if (at == entries_.end()) {
    if (entries_.size() >= capacity_) {
      outlet_.give_up(std::move(packet), Reason::kNeighbourTableFull);
      return;
    }
    // Who is given up here may be told so, by a packet that is held in its turn; how many such
    // there are is limited, so this ends.
    make_room_for_unresolved();
    bool added = false;
    std::tie(at, added) = entries_.try_emplace(key);
    if (added) {
      ++unresolved_;
      unresolved_order_.push_back(key);
      probe(key, at->second, now);
    }
  }
  auto& held = at->second.held;
  if (held.size() >= kHeldForOne) {
    // RFC 1122 section 2.3.2.2: the latest packet is the one to keep.
    outlet_.give_up(std::move(held.front()), Reason::kNextHopUnresolved);
    held.erase(held.begin());
    --held_;
  }
  if (held_ >= kHeldInAll) {
    outlet_.give_up(std::move(packet), Reason::kNextHopUnresolved);
    return;
  }
  held.push_back(std::move(packet));
  ++held_;
}

void Neighbours::heard_request(const Interface& port, const net::Address& address,
                               const net::MacAddress& mac, Tick now) {
  if (!is_station(mac) || mac == port.mac || !interfaces_->on_link(port, address)) return;
  if (is_link_local(address)) return;  // nobody routes to it unless asked for; see hold()
  const Key key{port.id, address};
  auto at = entries_.find(key);
  if (at == entries_.end()) {
    // What others say of themselves may fill three quarters of the table; the rest is for what
    // traffic needs.
    if (entries_.size() >= capacity_ / 4 * 3) return;
    at = entries_.try_emplace(key).first;
    ++unresolved_;
  }
  Entry& entry = at->second;
  if (entry.kind == NeighbourKind::kUnresolved) {
    resolve(at, mac, NeighbourKind::kStale, now + kProbeInterval);
  } else if (entry.kind == NeighbourKind::kReachable && entry.mac != mac) {
    make_stale(key, entry, now);
  }
}

void Neighbours::heard_answer(const Interface& port, const net::Address& address,
                              const net::MacAddress& mac, bool solicited, Tick now) {
  const Key key{port.id, address};
  const auto at = entries_.find(key);
  if (at == entries_.end() || !is_station(mac) || mac == port.mac) return;
  Entry& entry = at->second;
  switch (entry.kind) {
    case NeighbourKind::kStatic: return;
    case NeighbourKind::kUnresolved:
      if (solicited) resolve(at, mac, NeighbourKind::kReachable, now + kReachable);
      return;
    case NeighbourKind::kStale:
      if (solicited && entry.mac == mac && entry.probes != 0) {
        resolve(at, mac, NeighbourKind::kReachable, now + kReachable);
      }
      return;
    case NeighbourKind::kReachable:
      if (entry.mac != mac) make_stale(key, entry, now);
      return;
  }
}

void Neighbours::tick(Tick now) {
  while (!due_.empty() && due_.begin()->first <= now) {
    const Key key = due_.begin()->second;
    const auto at = entries_.find(key);
    Entry& entry = at->second;
    if (entry.kind == NeighbourKind::kReachable) make_stale(key, entry, now);
    if (entry.probes >= kProbes) {
      forget(at, Reason::kNextHopUnresolved);
    } else {
      probe(key, entry, now);
    }
  }
}

void Neighbours::give_up_all() {
  for (auto& [key, entry] : entries_) {
    for (auto& packet : std::exchange(entry.held, {})) {
      outlet_.give_up(std::move(packet), Reason::kNextHopUnresolved);
    }
  }
  held_ = 0;
}

std::vector<Neighbours::Listed> Neighbours::list(std::size_t cursor, std::size_t most) const {
  std::vector<Listed> listed;
  if (cursor >= entries_.size()) return listed;
  auto at = std::next(entries_.begin(), static_cast<std::ptrdiff_t>(cursor));
  for (; at != entries_.end() && listed.size() < most; ++at) {
    listed.push_back({at->first.first, at->first.second, at->second.mac, at->second.kind});
  }
  return listed;
}

}  // namespace meiguan::runtime
