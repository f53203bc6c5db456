#include "controlplane/policy/load.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>

#include "controlplane/policy/check_gateway.h"
#include "controlplane/policy/check_policy.h"
#include "controlplane/policy/read_policy.h"
#include "controlplane/policy/reporter.h"
#include "controlplane/policy/source.h"

namespace meiguan::policy {
namespace {

std::expected<CheckedPolicy, Diagnostics> load(const PolicySource& source, Reporter& reporter,
                                               ReadCache* cache = nullptr) {
  CheckedPolicy policy = check_policy(source, read_policy(source, reporter, cache), reporter);
  if (reporter.has_errors()) return std::unexpected(reporter.take());
  return policy;
}

std::expected<CheckedGateway, Diagnostics> load(const std::vector<SourceFile>& files,
                                                const CheckedPolicy& policy, Reporter& reporter) {
  CheckedGateway gateway = check_gateway(files[0], read_gateway(files[0], reporter), policy,
                                         reporter);
  if (reporter.has_errors()) return std::unexpected(reporter.take());
  return gateway;
}

}  // namespace

std::expected<CheckedPolicy, Diagnostics> load_policy(const std::filesystem::path& path) {
  PolicySource source;
  Reporter reporter(source.files);
  read_source(path, source, reporter);
  return load(source, reporter);
}

std::expected<PolicyTree, Diagnostics> read_tree(const std::filesystem::path& path) {
  PolicySource source;
  Reporter reporter(source.files);
  read_source(path, source, reporter);
  // All that is wrong is told of in one run, not only what kept a file from being read.
  if (reporter.has_errors()) {
    auto whole = load(source, reporter);
    return std::unexpected(std::move(whole.error()));
  }
  PolicyTree tree;
  tree.single_file = source.single_file;
  tree.read_from = path;
  tree.files.reserve(source.files.size());
  for (auto& file : source.files) {
    tree.files.push_back({std::move(file.path), std::move(file.text)});
  }
  return tree;
}

std::expected<CheckedPolicy, Diagnostics> load_tree(const PolicyTree& tree) {
  PolicySource source;
  Reporter reporter(source.files);
  read_source_tree(tree, source, reporter);
  return load(source, reporter);
}

std::expected<CheckedPolicy, Diagnostics> PolicyLoader::load(const PolicyTree& tree) {
  PolicySource source;
  Reporter reporter(source.files);
  read_source_tree(tree, source, reporter);
  return policy::load(source, reporter, cache_.get());
}

PolicyLoader::PolicyLoader() : cache_{std::make_unique<ReadCache>()} {}
PolicyLoader::~PolicyLoader() = default;
PolicyLoader::PolicyLoader(PolicyLoader&&) noexcept = default;
PolicyLoader& PolicyLoader::operator=(PolicyLoader&&) noexcept = default;

std::expected<CheckedPolicy, Diagnostics> PolicyLoader::load(const std::filesystem::path& path) {
  PolicySource source;
  Reporter reporter(source.files);
  read_source(path, source, reporter);
  return policy::load(source, reporter, cache_.get());
}

std::expected<AskedPolicy, Diagnostics> load_policy_with(const std::filesystem::path& path,
                                                         std::string_view name,
                                                         std::string_view question) {
  PolicySource source;
  Reporter reporter(source.files);
  read_source(path, source, reporter);
  const auto file = static_cast<std::uint32_t>(source.files.size());
  source.files.push_back({std::string{name}, std::string{question}});
  source.nodes.front().files.push_back(file);
  auto policy = load(source, reporter);
  if (!policy) return std::unexpected(std::move(policy.error()));
  AskedPolicy asked{std::move(*policy)};
  const auto& assertions = asked.policy.assertions;
  const auto is_asked = [&](const Assertion& a) { return a.place.file == file; };
  const auto first = std::ranges::find_if(assertions, is_asked);
  asked.first_asked = static_cast<std::size_t>(first - assertions.begin());
  asked.asked = static_cast<std::size_t>(std::ranges::count_if(assertions, is_asked));
  return asked;
}

std::expected<CheckedPolicy, Diagnostics> load_policy_with_file(const std::filesystem::path& path,
                                                                NodeId node, std::string_view name,
                                                                std::string_view text) {
  PolicySource source;
  Reporter reporter(source.files);
  read_source(path, source, reporter);
  if (node.index() < source.nodes.size()) {
    source.nodes[node.index()].files.push_back(static_cast<std::uint32_t>(source.files.size()));
    source.files.push_back({std::string{name}, std::string{text}});
  }
  return load(source, reporter);
}

std::expected<CheckedPolicy, Diagnostics> load_policy_text(std::string_view name,
                                                           std::string_view text) {
  PolicySource source;
  Reporter reporter(source.files);
  read_source_text(name, text, source, reporter);
  return load(source, reporter);
}

std::expected<CheckedGateway, Diagnostics> load_gateway(const std::filesystem::path& path,
                                                        const CheckedPolicy& policy) {
  std::vector<SourceFile> files;
  Reporter reporter(files);
  // The gateway file is the operator's own argument: it may be reached by a link.
  read_single_file(path, true, files, reporter);
  return load(files, policy, reporter);
}

std::expected<TreeFile, Diagnostics> read_gateway_file(const std::filesystem::path& path) {
  std::vector<SourceFile> files;
  Reporter reporter(files);
  read_single_file(path, true, files, reporter);
  if (reporter.has_errors()) return std::unexpected(reporter.take());
  return TreeFile{std::move(files[0].path), std::move(files[0].text)};
}

std::expected<CheckedGateway, Diagnostics> load_gateway_text(std::string_view name,
                                                             std::string_view text,
                                                             const CheckedPolicy& policy) {
  std::vector<SourceFile> files;
  Reporter reporter(files);
  read_single_text(name, text, files, reporter);
  return load(files, policy, reporter);
}

}  // namespace meiguan::policy
