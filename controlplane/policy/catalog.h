#pragma once

// The names that belong to an image: what the control plane needs to speak of units, services and
// rules of which the data plane knows only ids. Kept beside the image; its ids last over reloads.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "dataplane/base/result.h"
#include "dataplane/base/strong_id.h"

namespace meiguan::policy {

struct CatalogNode {
  std::string code;
  std::string name;
  NodeId parent;
};

struct CatalogUnit {
  bool in_use{false};  // false: of an earlier policy, or a hole
  std::string id;
  std::string name;
  NodeId node;
};

struct CatalogService {
  bool in_use{false};
  std::string id;
  std::string name;
  NodeId node;
};

struct CatalogRule {
  bool in_use{false};
  std::string full_name;  // "360000/budget-for-finance"
  std::string where;      // "rules.toml:12"
  std::string action;     // allow | deny | audit
  std::string phase;      // mandatory | local | baseline
  std::string ticket;
  std::string owner;
  std::string comment;
  bool log{false};
  // When it is there, where that is not always: the id of its schedule, and instants of the
  // policy's wall clock ("2027-01-01T00:00:00+08:00").
  std::string schedule;
  std::string not_before;
  std::string expires;
};

struct CatalogPort {
  std::string name;
  std::string zone;
};

struct Catalog {
  std::vector<CatalogNode> nodes;        // of this policy; NodeIds do not last
  std::vector<std::string> zones;        // by ZoneId
  std::vector<CatalogUnit> units;        // by UnitId of the image
  std::vector<CatalogService> services;  // by ServiceId of the image
  std::vector<CatalogRule> rules;        // by RuleId of the image
  std::vector<CatalogPort> ports;        // by PortId
};

// As JSON (`meiguan.catalog/v1`) and back; the way in checks everything.
[[nodiscard]] std::string to_json(const Catalog& catalog);
[[nodiscard]] Result<Catalog> catalog_from_json(std::string_view json);

}  // namespace meiguan::policy
