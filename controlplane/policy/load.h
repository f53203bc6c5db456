#pragma once

// The front of the policy compiler: from files to a checked policy. Pure but for reading files.

#include <cstddef>
#include <expected>
#include <filesystem>
#include <memory>
#include <string_view>

#include "controlplane/policy/diagnostic.h"
#include "controlplane/policy/model.h"
#include "controlplane/policy/source.h"

namespace meiguan::policy {

// Reads and checks the policy at `path`: a directory (a tree of nodes) or one .toml file.
// Errors: all of them in one run, ordered by file (byte order), line, column. Never throws.
[[nodiscard]] std::expected<CheckedPolicy, Diagnostics> load_policy(
    const std::filesystem::path& path);

// The files of the policy at `path`, each read once, so that what is loaded, kept and signed is the
// same. Errors: as load_policy would say them, where a file cannot be read or is not text.
[[nodiscard]] std::expected<PolicyTree, Diagnostics> read_tree(const std::filesystem::path& path);

// As load_policy, of files in memory.
[[nodiscard]] std::expected<CheckedPolicy, Diagnostics> load_tree(const PolicyTree& tree);

class ReadCache;

// Loads a policy that is loaded again and again: files whose text is the same as the last time are
// not parsed again. It keeps their text and what they said in memory.
class PolicyLoader {
 public:
  PolicyLoader();
  ~PolicyLoader();
  PolicyLoader(PolicyLoader&&) noexcept;
  PolicyLoader& operator=(PolicyLoader&&) noexcept;

  // As load_policy.
  [[nodiscard]] std::expected<CheckedPolicy, Diagnostics> load(const std::filesystem::path& path);
  [[nodiscard]] std::expected<CheckedPolicy, Diagnostics> load(const PolicyTree& tree);

 private:
  std::unique_ptr<ReadCache> cache_;
};

// A policy with one more assertion, which a person asks about: `[[assert]]` tables at the root.
struct AskedPolicy {
  CheckedPolicy policy;
  std::size_t first_asked{0};  // index into policy.assertions
  std::size_t asked{0};        // how many
};

// The same with `question`, the text of one more file at the root that messages call `name`.
[[nodiscard]] std::expected<AskedPolicy, Diagnostics> load_policy_with(
    const std::filesystem::path& path, std::string_view name, std::string_view question);

// The same as if one more file lay at `node` of the tree, behind all others of that node; `name` is
// what messages call it. For who writes into a policy and wants to know beforehand.
[[nodiscard]] std::expected<CheckedPolicy, Diagnostics> load_policy_with_file(
    const std::filesystem::path& path, NodeId node, std::string_view name, std::string_view text);

// The same for the text of a policy of one file; `name` is what messages call it.
[[nodiscard]] std::expected<CheckedPolicy, Diagnostics> load_policy_text(std::string_view name,
                                                                         std::string_view text);

// Reads the gateway file at `path` and checks it against `policy`: node, zones, port names,
// routes, neighbours, connected subnets. Errors as above. Never throws.
[[nodiscard]] std::expected<CheckedGateway, Diagnostics> load_gateway(
    const std::filesystem::path& path, const CheckedPolicy& policy);

// The gateway file at `path` as it lies there, by its base name.
[[nodiscard]] std::expected<TreeFile, Diagnostics> read_gateway_file(
    const std::filesystem::path& path);

// The same for the text of a gateway file.
[[nodiscard]] std::expected<CheckedGateway, Diagnostics> load_gateway_text(
    std::string_view name, std::string_view text, const CheckedPolicy& policy);

}  // namespace meiguan::policy
