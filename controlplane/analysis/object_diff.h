#pragma once

// What two policies say differently, object by object, whatever file and line it stands at.

#include <string>
#include <string_view>
#include <vector>

#include "controlplane/policy/model.h"

namespace meiguan::analysis {

// A key of an object; a list is one text, in the order that it is written in.
struct FieldChange {
  std::string field;
  std::string before;  // empty: not there
  std::string after;
};

struct ObjectChange {
  enum class Kind { kAdded, kRemoved, kChanged };
  Kind kind{};
  std::string_view object;  // node zone unit terminal service group schedule rule assert policy
  std::string id;           // full: of a rule with its node's code; of a terminal its first address
  std::string where_before;
  std::string where_after;
  std::vector<FieldChange> fields;  // of a changed object
};

// By kind of object, then by id. A rule that stands before others of its node which it stood behind
// has the changed field `order`.
[[nodiscard]] std::vector<ObjectChange> diff_objects(const policy::CheckedPolicy& before,
                                                     const policy::CheckedPolicy& after);

}  // namespace meiguan::analysis
