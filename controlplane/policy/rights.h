#pragma once

// What was offered to whom: which services of nodes above an `allow` below the root may open
// (policy.md section 3, "Who may write what").

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <vector>

#include "controlplane/policy/compile_bits.h"
#include "controlplane/policy/model.h"
#include "controlplane/policy/prefix_index.h"
#include "controlplane/policy/unit_sets.h"

namespace meiguan::policy {

// The sources that the `from` of a rule less its `except_from` matches, by whichever port they come
// in. A unit is one of them where one of its addresses is; one without any address (no prefix, or
// all of them another's by longer ones) where it is so by its name.
struct Senders {
  // An address of no unit is matched too; then `units` may lack some.
  bool others{false};
  std::vector<UnitId> units;  // ascending
};

class Rights {
 public:
  // Both are borrowed. Names that are not resolved match nothing. Groups may not hold themselves.
  Rights(const CheckedPolicy& policy, const UnitSets& units);

  [[nodiscard]] Senders senders(const Rule& rule) const;
  // Of `senders`, which are not empty, the first that `service` is not offered to.
  [[nodiscard]] std::optional<UnitId> not_offered(ServiceId service, const Senders& senders) const;
  // Whether all of `senders` are units of the subtree of `node`, and one at least.
  [[nodiscard]] bool are_own(const Senders& senders, NodeId node) const;

  // The services of nodes above that `rule`, an allow below the root, names in whichever way and
  // may open; ascending.
  [[nodiscard]] std::vector<ServiceId> offered(const Rule& rule) const;

 private:
  // What tells one source from another, apart from its unit.
  struct Where {
    std::optional<net::Address> address;  // none: in no prefix
    SpaceId space;
    ZoneId zone;  // of the port; none: of none that a selector names
  };
  // Sets of units, and behind the last unit one bit for addresses of none.
  using Set = Bits;

  [[nodiscard]] bool is_by_units(std::span<const Selector> selectors) const;
  [[nodiscard]] bool is_by_units(GroupId group) const;
  void add(const Selector& selector, const Where& where, Set& out) const;
  [[nodiscard]] const Set& of_group(GroupId group, const Where& where) const;
  [[nodiscard]] Set matching(std::span<const Selector> selectors, std::span<const Selector> except,
                             const Where& where) const;
  // The same of a rule's sources, by a port of any zone whose address space is that of `where`.
  [[nodiscard]] Set by_any_port(const Rule& rule, Where where) const;
  // The `net:` selectors among them, also in groups, which are entered in `seen`.
  void add_nets(std::span<const Selector> selectors, std::set<GroupId>& seen,
                std::vector<Selector>& out) const;
  [[nodiscard]] Senders by_addresses(const Rule& rule) const;
  [[nodiscard]] bool names(std::span<const Selector> selectors, ServiceId service) const;
  const PrefixIndex& prefixes() const;

  const CheckedPolicy& policy_;
  const UnitSets& units_;
  std::vector<ServiceId> offers_;  // the services that are offered to somebody
  mutable std::unique_ptr<const PrefixIndex> prefixes_;  // made when first asked
  mutable std::map<GroupId, bool> by_units_;
  mutable std::map<GroupId, Set> groups_by_units_;
  mutable std::map<GroupId, Set> groups_here_;  // where it was asked last
  mutable std::map<ServiceId, Set> offered_to_;
};

}  // namespace meiguan::policy
