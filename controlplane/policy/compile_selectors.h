#pragma once

// Selectors as sets. What a rule's `from` says becomes a set of source points, what its `to` says
// sets of target points; everything after that is algebra of sets.
//
//   source point = source group x zone column     group: unit and the net selectors that hold it
//   target point = target x zone column           target: see compile_targets.h
//
// Zone columns are the zones that some `zone:` selector names, and one for all the others; on the
// target side one more, "by the objects", for a policy that is asked without a gateway.

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "controlplane/policy/compile_atoms.h"
#include "controlplane/policy/compile_bits.h"
#include "controlplane/policy/compile_targets.h"
#include "controlplane/policy/model.h"
#include "controlplane/policy/rights.h"
#include "controlplane/policy/unit_sets.h"

namespace meiguan::policy {

// The zones that selectors name, as columns.
class ZoneColumns {
 public:
  explicit ZoneColumns(const CheckedPolicy& policy);

  // Column of a zone; 0 is that of every zone which no selector names.
  [[nodiscard]] std::size_t of(ZoneId zone) const { return column_[zone.index()]; }
  // Column "by the objects".
  [[nodiscard]] std::size_t objects() const { return count_; }
  // With the column "by the objects".
  [[nodiscard]] std::size_t size() const { return count_ + 1; }

 private:
  std::vector<std::size_t> column_;
  std::size_t count_{1};
};

struct SourceGroup {
  UnitId unit;
  std::vector<std::uint32_t> nets;
  auto operator<=>(const SourceGroup&) const = default;
};

class SourcePoints {
 public:
  SourcePoints(const CheckedPolicy& policy, const AddressPlan& plan, const ZoneColumns& columns,
               const UnitSets& units);

  [[nodiscard]] const std::vector<SourceGroup>& groups() const { return groups_; }
  [[nodiscard]] std::uint32_t group_of_atom(std::size_t atom) const { return group_of_atom_[atom]; }
  [[nodiscard]] std::size_t size() const { return groups_.size() * columns_.size(); }
  [[nodiscard]] std::size_t point(std::size_t group, std::size_t column) const {
    return group * columns_.size() + column;
  }
  [[nodiscard]] std::size_t group_of(std::size_t point) const { return point / columns_.size(); }
  // The points that match one of `selectors` and none of `except`.
  [[nodiscard]] Bits matching(std::span<const Selector> selectors,
                              std::span<const Selector> except) const;

 private:
  void add(const Selector& selector, Bits& out) const;
  [[nodiscard]] const Bits& of_group(GroupId id) const;
  void add_group(std::size_t group, Bits& out) const {
    out.set_range(group * columns_.size(), columns_.size());
  }

  const CheckedPolicy& policy_;
  const AddressPlan& plan_;
  const ZoneColumns& columns_;
  const UnitSets& units_;
  std::vector<SourceGroup> groups_;
  std::vector<std::uint32_t> group_of_atom_;
  std::vector<std::vector<std::uint32_t>> groups_of_unit_;
  std::vector<std::vector<std::uint32_t>> groups_of_net_;
  // What was found for a group: groups that name others twice would cost twice at each level.
  mutable std::map<GroupId, Bits> found_;
};

// Where a list of destination selectors matches, and how.
struct TargetMatch {
  Bits any;          // in whatever way
  Bits service;      // through a `service:` or `services:`, also inside a group
  Bits unpublished;  // where a service so named does not have `publish = true`
};

class TargetPoints {
 public:
  TargetPoints(const CheckedPolicy& policy, const AddressPlan& plan, const TargetPlan& targets,
               const ZoneColumns& columns, const UnitSets& units);

  [[nodiscard]] std::size_t size() const { return targets_.targets.size() * columns_.size(); }
  [[nodiscard]] std::size_t point(std::size_t target, std::size_t column) const {
    return target * columns_.size() + column;
  }
  [[nodiscard]] std::size_t target_of(std::size_t point) const { return point / columns_.size(); }

  // Whose objects alone may be named: those of the node's subtree, and what it was offered. The
  // root for rules that may name any.
  struct Opener {
    NodeId node;
    std::vector<ServiceId> offered;
    bool operator==(const Opener&) const = default;
  };
  [[nodiscard]] Opener opener(const Rule& rule) const;

  // What `rule` matches on its destination side, ports and all; of an allow below the root only
  // what `opener`, its own, may open.
  [[nodiscard]] TargetMatch matching(const Rule& rule, const Opener& opener) const;
  // What `assertion` speaks of on its destination side, ports and all, whoever owns it.
  [[nodiscard]] Bits matching(const Assertion& assertion) const;

 private:
  [[nodiscard]] TargetMatch match_list(std::span<const Selector> selectors,
                                       std::span<const Selector> except,
                                       const Opener& opener) const;
  void add(const Selector& selector, const Opener& opener, TargetMatch& out) const;
  [[nodiscard]] const TargetMatch& of_group(GroupId id, const Opener& opener) const;
  void narrow(std::span<const PortMatch> ports, TargetMatch& match) const;
  void add_service(ServiceId service, const Opener& opener, TargetMatch& out) const;
  void add_target(std::size_t target, Bits& out) const {
    out.set_range(target * columns_.size(), columns_.size());
  }

  const CheckedPolicy& policy_;
  const AddressPlan& plan_;
  const TargetPlan& targets_;
  const ZoneColumns& columns_;
  const UnitSets& units_;
  std::vector<std::vector<std::uint32_t>> targets_of_unit_;
  std::vector<std::vector<std::uint32_t>> targets_of_net_;
  std::vector<std::vector<std::uint32_t>> targets_of_service_;
  Rights rights_;
  // What was found for a group: by the root, and by the opener below that asked last. Rules come
  // node by node, and the answers for all would be too much to keep.
  struct Found {
    Opener opener;
    std::map<GroupId, TargetMatch> matches;
  };
  mutable Found found_by_root_{{NodeId{0}, {}}, {}};
  mutable Found found_below_{};
};

}  // namespace meiguan::policy
