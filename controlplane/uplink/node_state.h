#pragma once

// What a parent knows of each node below it, and the file that keeps it over a restart.

#include <boost/json/object.hpp>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>

#include "dataplane/base/result.h"

namespace meiguan::uplink {

// What a node last told of itself, or its parent of it.
struct NodeState {
  std::string node;
  std::string via;          // the child that told
  std::int64_t seen_ms{0};  // by this node's clock, since 1970
  std::string revision;     // that is in force there
  std::uint64_t spool_batches{0};
  std::uint64_t spool_bytes{0};
  std::uint64_t spool_dropped{0};
  std::uint64_t dropped_flows{0};  // batches of flow records that were too many, there or in memory
  std::uint64_t refused{0};
  std::optional<std::int64_t> offset_ms;  // that its parent's clock is ahead of its own
  std::int64_t newest_minute{0};          // of its batches, seconds since 1970; 0: none so far

  bool operator==(const NodeState&) const = default;
};

// A word of a node's or of a file: empty where it is none, too long, or no text.
[[nodiscard]] std::string word_at(const boost::json::object& object, std::string_view key);
// A number that is not negative: 0 where it is none.
[[nodiscard]] std::uint64_t count_at(const boost::json::object& object, std::string_view key);
[[nodiscard]] std::optional<std::int64_t> offset_at(const boost::json::object& object);

// Revision, spool, and what was refused: as a node tells it, and as it stands in the file.
void write_told(const NodeState& state, boost::json::object& object);
void read_told(const boost::json::object& object, NodeState& state);

using NodeStates = std::map<std::string, NodeState>;

// None where there is no file, or it is damaged: then nodes are heard anew.
[[nodiscard]] NodeStates load_states(const std::filesystem::path& file);
[[nodiscard]] Result<void> save_states(const std::filesystem::path& file, const NodeStates& states);

}  // namespace meiguan::uplink
