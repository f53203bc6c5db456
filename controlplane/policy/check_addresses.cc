// Who owns which address: prefixes of units, addresses of terminals, endpoints of services.

#include <algorithm>
#include <bit>
#include <functional>
#include <string_view>
#include <vector>

#include "controlplane/policy/check_policy.h"
#include "controlplane/policy/message.h"

namespace meiguan::policy {
namespace {

Place prefix_place(const Checking& checking, const PrefixIndex::Entry& entry) {
  return checking.draft.units[entry.unit.index()].prefix_places[entry.number];
}

std::string node_code(const Checking& checking, NodeId node) {
  return printable(checking.policy.nodes[node.index()].code);
}

const std::string& unit_id(const Checking& checking, UnitId unit) {
  return checking.policy.units[unit.index()].id;
}

void report_duplicate(Checking& checking, const PrefixIndex::Duplicate& duplicate) {
  const std::string prefix = net::to_string(duplicate.second.prefix);
  checking.has_conflict[duplicate.second.unit.index()] = true;
  Text message =
      duplicate.first.unit == duplicate.second.unit
          ? say("prefix {} stands in the unit twice", "前缀 {} 在该单位中重复出现", prefix)
          : say("prefix {} is the prefix of unit `{}` already", "前缀 {} 已属于单位 `{}`", prefix,
                unit_id(checking, duplicate.first.unit));
  checking.reporter.error(prefix_place(checking, duplicate.second), std::move(message),
                          say("it is first given at {}", "首次出现于 {}",
                              checking.reporter.where(prefix_place(checking, duplicate.first))));
}

void check_nesting(Checking& checking, const PrefixIndex::Entry& inner,
                   const PrefixIndex::Entry& outer) {
  if (inner.unit == outer.unit) return;
  const Unit& inner_unit = checking.policy.units[inner.unit.index()];
  const Unit& outer_unit = checking.policy.units[outer.unit.index()];
  const Text hint = say("the outer prefix is given at {}", "外层前缀位于 {}",
                        checking.reporter.where(prefix_place(checking, outer)));
  const std::string inner_text = net::to_string(inner.prefix);
  const std::string outer_text = net::to_string(outer.prefix);
  if (!checking.is_within(inner.node, outer.node)) {
    checking.reporter.error(
        prefix_place(checking, inner),
        say("prefix {} lies in {} of unit `{}`, whose node {} is neither node {} nor above it",
            "前缀 {0} 位于单位 `{2}` 的 {1} 之内，而其节点 {3} 既不是节点 {4} 也不是其上级",
            inner_text, outer_text, outer_unit.id, node_code(checking, outer.node),
            node_code(checking, inner.node)),
        hint);
  }
  if (inner_unit.zone != outer_unit.zone) {
    checking.reporter.error(
        prefix_place(checking, inner),
        say("prefix {} of zone `{}` lies in {} of unit `{}` in zone `{}`, one zone expected",
            "区域 `{1}` 的前缀 {0} 位于单位 `{3}`（区域 `{4}`）的 {2} 之内，两者应在同一区域",
            inner_text, checking.policy.zones[inner_unit.zone.index()].id, outer_text,
            outer_unit.id, checking.policy.zones[outer_unit.zone.index()].id),
        hint);
  }
}

// Whether `address` is in a prefix of `unit`, be it in one nested in it too.
bool unit_holds(const Checking& checking, SpaceId space, UnitId unit, const net::Address& address) {
  const auto& own = checking.policy.units[unit.index()].prefixes;
  if (std::ranges::any_of(own, [&](const auto& prefix) { return prefix.contains(address); })) {
    return true;
  }
  const net::Prefix host = net::Prefix::around(address, net::address_bits(address.family()));
  const auto& entries = checking.unit_prefixes.entries();
  for (std::uint32_t i = checking.unit_prefixes.longest_cover(space, host); i != PrefixIndex::kNone;
       i = entries[i].outer) {
    if (entries[i].unit == unit) return true;
  }
  return false;
}

struct AddressKey {
  SpaceId space;
  net::Address address;
  bool operator==(const AddressKey&) const = default;
};

// A terminal may list an address twice; no address is two terminals'.
struct AddressOwner {
  AddressKey key;
  const Terminal* terminal;
  Place place;
};

// Hundreds of thousands of addresses: a table of numbers, open addressing, at most half full.
class AddressOwners {
 public:
  explicit AddressOwners(std::size_t most) : slots_(std::bit_ceil(most * 2 + 1), 0) {
    owners_.reserve(most);
  }

  // Who has the address: `owner`, or whoever came first.
  const AddressOwner& add(const AddressOwner& owner) {
    std::size_t i = hash(owner.key);
    for (;; ++i) {
      std::uint32_t& slot = slots_[i & (slots_.size() - 1)];
      if (slot == 0) {
        owners_.push_back(owner);
        slot = static_cast<std::uint32_t>(owners_.size());
        return owners_.back();
      }
      if (owners_[slot - 1].key == owner.key) return owners_[slot - 1];
    }
  }

 private:
  [[nodiscard]] static std::size_t hash(const AddressKey& key) noexcept {
    const auto& bytes = key.address.bytes();
    // reinterpret_cast: bytes as characters.
    return std::hash<std::string_view>{}(
               {reinterpret_cast<const char*>(bytes.data()), bytes.size()}) +
           key.space.value();
  }

  std::vector<std::uint32_t> slots_;  // 0: free; else a number into owners_, from 1
  std::vector<AddressOwner> owners_;
};

void check_terminal_addresses(Checking& checking, const Terminal& terminal,
                              const std::vector<Place>& places, AddressOwners& owners) {
  const Unit& unit = checking.policy.units[terminal.unit.index()];
  const auto space = checking.space_of(unit.zone);
  if (!space) return;
  for (std::size_t i = 0; i < terminal.addresses.size(); ++i) {
    const net::Address& address = terminal.addresses[i];
    if (!checking.has_conflict[terminal.unit.index()] &&
        !unit_holds(checking, *space, terminal.unit, address)) {
      checking.reporter.error(places[i], say("{} is not in a prefix of unit `{}`",
                                             "{} 不在单位 `{}` 的任何前缀内",
                                             net::to_string(address), unit.id));
    }
    const AddressOwner& first = owners.add({{*space, address}, &terminal, places[i]});
    if (first.terminal != &terminal) {
      checking.reporter.error(places[i],
                              say("{} is a terminal's address already", "{} 已是另一终端的地址",
                                  net::to_string(address)),
                              say("it is first given at {}", "首次出现于 {}",
                                  checking.reporter.where(first.place)));
    }
  }
}

void check_endpoint_owners(Checking& checking, const Service& service,
                           const std::vector<Place>& places) {
  const auto space = checking.space_of(service.zone);
  if (!space || service.node == NodeId{0}) return;
  for (std::size_t i = 0; i < service.endpoints.size(); ++i) {
    const auto other =
        checking.unit_prefixes.owner_outside(*space, service.endpoints[i].prefix, service.node,
                                             checking.subtree_end[service.node.index()]);
    if (!other) continue;
    checking.reporter.error(
        places[i],
        say("{} is an address of unit `{}` at node {}, which is not in the subtree of node {}",
            "{0} 属于节点 {2} 的单位 `{1}`，不在节点 {3} 的子树内",
            net::to_string(service.endpoints[i].prefix), unit_id(checking, other->unit),
            node_code(checking, other->node), node_code(checking, service.node)),
        say("a service below the root listens at addresses of its own subtree's units, or of none",
            "下级节点的业务系统只能使用本子树单位的地址，或不属于任何单位的地址"));
  }
}

}  // namespace

void check_unit_prefixes(Checking& checking) {
  checking.has_conflict.assign(checking.policy.units.size(), false);
  for (std::uint32_t u = 0; u < checking.policy.units.size(); ++u) {
    const Unit& unit = checking.policy.units[u];
    const auto space = checking.space_of(unit.zone);
    if (!space) {
      checking.has_conflict[u] = true;
      continue;
    }
    for (std::uint32_t i = 0; i < unit.prefixes.size(); ++i) {
      checking.unit_prefixes.add(*space, unit.prefixes[i], UnitId{u}, unit.node, i);
    }
    // Where a prefix could not be read, an address may be in that one.
    if (checking.draft.units[u].has_bad_prefix) checking.has_conflict[u] = true;
  }
  for (const auto& duplicate : checking.unit_prefixes.build()) {
    report_duplicate(checking, duplicate);
  }
  const auto& entries = checking.unit_prefixes.entries();
  for (const PrefixIndex::Entry& entry : entries) {
    if (entry.outer != PrefixIndex::kNone) check_nesting(checking, entry, entries[entry.outer]);
  }
}

void check_terminals(Checking& checking) {
  std::size_t addresses = 0;
  for (const Terminal& terminal : checking.policy.terminals) {
    addresses += terminal.addresses.size();
  }
  AddressOwners owners{addresses};
  for (std::size_t i = 0; i < checking.policy.terminals.size(); ++i) {
    const Terminal& terminal = checking.policy.terminals[i];
    const DraftTerminal& draft = checking.draft.terminals[i];
    if (terminal.unit.is_none()) continue;
    const Unit& unit = checking.policy.units[terminal.unit.index()];
    if (!checking.is_within(unit.node, draft.node)) {
      checking.reporter.error(
          draft.unit->place,
          say("unit `{}` is at node {}, its terminals stand there or above, not at node {}",
              "单位 `{}` 位于节点 {}，其终端应写在该节点或其上级，而不是节点 {}", unit.id,
              node_code(checking, unit.node), node_code(checking, draft.node)));
    }
    check_terminal_addresses(checking, terminal, draft.address_places, owners);
  }
}

void check_services(Checking& checking) {
  for (std::size_t i = 0; i < checking.policy.services.size(); ++i) {
    const Service& service = checking.policy.services[i];
    const DraftService& draft = checking.draft.services[i];
    if (service.publish && checking.has_zone_kind(service.zone) &&
        checking.policy.zones[service.zone.index()].kind != ZoneKind::kDmz) {
      checking.reporter.error(draft.publish_place,
                              say("`publish` is true in zone `{}`, which is not a dmz",
                                  "`publish` 为 true，但区域 `{}` 不是 dmz",
                                  checking.policy.zones[service.zone.index()].id));
    }
    if (service.owner.is_some()) {
      const Unit& owner = checking.policy.units[service.owner.index()];
      if (!checking.is_within(owner.node, service.node)) {
        checking.reporter.error(
            draft.owner->place,
            say("owner `{}` is at node {}, a unit of the subtree of node {} expected",
                "所有者 `{}` 位于节点 {}，应为节点 {} 子树中的单位", owner.id,
                node_code(checking, owner.node), node_code(checking, service.node)));
      }
    }
    check_endpoint_owners(checking, service, draft.endpoint_places);
  }
}

}  // namespace meiguan::policy
