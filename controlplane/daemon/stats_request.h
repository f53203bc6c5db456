#pragma once

// What a question about the past says: times, dimensions, filters.

#include <boost/json/object.hpp>
#include <cstdint>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "controlplane/policy/catalog.h"
#include "controlplane/store/store.h"
#include "dataplane/base/result.h"
#include "dataplane/image/format.h"

namespace meiguan::daemon {

// "90s", "5m", "24h", "7d", "2w": seconds; nothing for another text, or more than a century.
[[nodiscard]] std::optional<std::int64_t> parse_span(std::string_view text);
// The offset of the policy's wall clock at an instant.
[[nodiscard]] std::int64_t offset_at(std::span<const image::UtcOffset> offsets,
                                     std::int64_t seconds);
// A span before `now`, or an instant of the policy's wall clock.
[[nodiscard]] Result<std::int64_t> parse_when(std::span<const image::UtcOffset> offsets,
                                              std::string_view text, std::int64_t now);
[[nodiscard]] std::optional<store::Dimension> find_dimension(std::string_view name);
// "by", "since", "until", "step", "filter" and "node" of a request.
[[nodiscard]] Result<store::Query> parse_query(std::span<const image::UtcOffset> offsets,
                                               const boost::json::object& request,
                                               std::int64_t now);
// The nodes and all below them.
[[nodiscard]] std::set<std::string> subtree_of(const policy::Catalog& catalog,
                                               std::set<std::string> codes);
[[nodiscard]] std::vector<std::string> strings_at(const boost::json::object& request,
                                                  std::string_view key);

}  // namespace meiguan::daemon
