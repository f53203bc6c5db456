#pragma once

// What the files of a policy say, file by file, before anything is known of the rest of the tree:
// syntax and types are checked, names are still text. The objects are those of model.h with their
// references unresolved; the names stand beside them.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "controlplane/policy/model.h"
#include "controlplane/policy/table_view.h"
#include "controlplane/policy/tz_file.h"

namespace meiguan::policy {

struct DraftNode {
  Node node;
  bool found{false};     // its [node] table was seen
  bool has_code{false};  // with a well-formed code
  bool has_tier{false};
  Place code_place;
  Place tier_place;
};

struct DraftZone {
  Zone zone;
  bool has_kind{false};  // its kind was one that exists
  Place id_place;
};

struct DraftUnit {
  Unit unit;
  Place id_place;
  std::optional<Word> zone;
  std::vector<Place> prefix_places;  // one for each prefix
  bool has_bad_prefix{false};        // one could not be read
};

struct DraftTerminal {
  Terminal terminal;
  NodeId node;
  std::optional<Word> unit;
  std::vector<Place> address_places;  // one for each address
};

// A date or a date-time, before it is known what the policy's clock is.
struct DraftMoment {
  Place place;
  bool is_date{false};
  std::int64_t local{0};  // seconds since 1970-01-01T00:00 of the clock that it is written in
  std::optional<std::int32_t> offset_seconds;  // of that clock; the policy's where there is none
};

struct DraftService {
  Service service;
  Place id_place;
  Place publish_place;
  std::optional<Word> zone;
  std::optional<Word> owner;
  std::vector<Place> endpoint_places;  // one for each endpoint
};

// Selectors keep the name that they hold in `text` until it is resolved.
struct DraftGroup {
  Group group;
  Place id_place;
};

struct DraftSchedule {
  Schedule schedule;
  Place id_place;
};

struct DraftRule {
  Rule rule;
  Place id_place;
  std::optional<Word> schedule;
  std::optional<DraftMoment> not_before;
  std::optional<DraftMoment> expires;
};

struct DraftAssertion {
  Assertion assertion;
  Place id_place;
};

struct DraftPublish {
  Publish publish;
  std::optional<Word> service;
  bool has_address{false};
  Place address_place;
};

struct DraftEgress {
  Egress egress;
  Place id_place;
  std::vector<Place> pool_places;  // one for each prefix
};

struct DraftTranslate {
  Translate translate;
  std::optional<Word> zone;
  bool has_inside{false};
  bool has_outside{false};
  Place inside_place;
  Place outside_place;
};

struct Draft {
  std::optional<Place> policy_place;  // of the root's [policy]
  std::string timezone{"Asia/Shanghai"};
  WallClock clock;               // of `timezone`
  std::vector<DraftNode> nodes;  // by NodeId, as in PolicySource
  std::vector<DraftZone> zones;
  std::vector<DraftUnit> units;
  std::vector<DraftTerminal> terminals;
  std::vector<DraftService> services;
  std::vector<DraftGroup> groups;
  std::vector<DraftSchedule> schedules;
  std::vector<DraftRule> rules;  // by node, in the order in which they are tried
  std::vector<DraftAssertion> assertions;
  std::vector<DraftPublish> publishes;
  std::vector<DraftEgress> egresses;
  std::vector<DraftTranslate> translates;
};

}  // namespace meiguan::policy
