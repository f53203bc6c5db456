#include "controlplane/lifecycle/trust.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

#include "controlplane/policy/load.h"

namespace meiguan::lifecycle {
namespace {

std::unexpected<Error> refused(const SignedBundle& bundle, const std::string& english,
                               const std::string& chinese) {
  const auto& manifest = bundle.manifest;
  return fail(fmt::format("the bundle of {} revision {}: {}", manifest.node, manifest.revision,
                          english),
              fmt::format("节点 {} 第 {} 版策略包：{}", manifest.node, manifest.revision, chinese));
}

bool lies_in(std::string_view path, std::string_view directory) {
  return directory.empty() || (path.size() > directory.size() && path.starts_with(directory) &&
                               path[directory.size()] == '/');
}

std::string node_file_of(const Signer& signer) {
  return signer.at.empty() ? "node.toml" : signer.at + "/node.toml";
}

// The directory among all signers' that a file belongs to: the longest.
const std::string* owner_of(const std::string& path, const Trust& trust) {
  const std::string* owner = nullptr;
  for (const auto& signer : trust.signers) {
    const bool is_longer = owner == nullptr || signer.at.size() > owner->size();
    if (lies_in(path, signer.at) && is_longer) owner = &signer.at;
  }
  return owner;
}

Result<void> check_files(const SignedBundle& bundle, const Signer& signer, const Trust& trust) {
  for (const auto& file : bundle.manifest.files) {
    const auto* const owner = owner_of(file.path, trust);
    if (owner != nullptr && *owner == signer.at) continue;
    return refused(bundle, fmt::format("`{}` may not sign for {}", signer.name, file.path),
                   fmt::format("`{}` 无权签署 {}", signer.name, file.path));
  }
  const auto own = node_file_of(signer);
  const bool has_own = std::ranges::any_of(bundle.manifest.files, [&](const ManifestFile& file) {
    return file.path == own;
  });
  if (has_own) return {};
  return refused(bundle, fmt::format("has no {}, the file of its node", own),
                 fmt::format("缺少本节点的 {}", own));
}

policy::Diagnostics as_diagnostics(const Text& message) {
  policy::Diagnostic diagnostic;
  diagnostic.file = "bundle";
  diagnostic.message = message;
  return {std::move(diagnostic)};
}

// The code that a node gives itself must be the one that its signer may sign for.
Result<void> check_codes(const policy::CheckedPolicy& policy, const SignedBundle& bundle,
                         const Trust& trust) {
  for (const auto& signer : trust.signers) {
    if (signer.node != bundle.manifest.node) continue;
    for (const auto& node : policy.nodes) {
      if (policy.files[node.place.file] != node_file_of(signer) || node.code == signer.node)
        continue;
      return refused(bundle,
                     fmt::format("{} says it is node {}", policy.files[node.place.file], node.code),
                     fmt::format("{} 自称节点 {}", policy.files[node.place.file], node.code));
    }
  }
  return {};
}

}  // namespace

Result<std::string> check_trust(const SignedBundle& bundle, const Trust& trust, std::int64_t now) {
  if (bundle.signatures.empty()) {
    return refused(bundle, "stripped: it has no signature", "没有签名（已被剥除）");
  }
  if (bundle.manifest.expires && *bundle.manifest.expires <= now) {
    return refused(bundle, "expired at " + utc_text(*bundle.manifest.expires),
                   "已于 " + utc_text(*bundle.manifest.expires) + " 过期");
  }
  std::set<std::string> names;
  Error why{
      {"none of its signatures is of a signer of this node; see [[signer]] of the appliance "
       "file",
       "没有该节点签署者的签名；见设备文件的 [[signer]]"}};
  for (const auto& signature : bundle.signatures) {
    for (const auto& signer : trust.signers) {
      if (signer.key.id() != signature.key || signer.node != bundle.manifest.node) continue;
      if (!signer.key.verify(bundle.manifest_text, signature.bytes)) {
        return refused(bundle, fmt::format("the signature of `{}` is wrong", signer.name),
                       fmt::format("`{}` 的签名错误", signer.name));
      }
      if (signer.until && *signer.until <= now) {
        why.message = {fmt::format("`{}` may not sign any more", signer.name),
                       fmt::format("`{}` 的签署权已到期", signer.name)};
        continue;
      }
      if (auto files = check_files(bundle, signer, trust); !files) {
        return std::unexpected{std::move(files.error())};
      }
      names.insert(signer.name);
    }
  }
  if (names.empty()) return refused(bundle, why.message.english, why.message.chinese);
  if (names.size() < trust.signatures) {
    return refused(bundle,
                   fmt::format("{} trusted signatures, {} are needed", names.size(),
                               trust.signatures),
                   fmt::format("可信签名 {} 个，需要 {} 个", names.size(), trust.signatures));
  }
  return fmt::format("{}", fmt::join(names, ", "));
}

Result<void> check_newer(const SignedBundle& bundle, const TakenByNode& taken) {
  const auto known = taken.find(bundle.manifest.node);
  if (known == taken.end() || bundle.manifest.revision > known->second.revision) return {};
  if (bundle.manifest.revision < known->second.revision) {
    return refused(bundle,
                   fmt::format("replayed: revision {} was taken before; what is older is signed "
                               "anew with a higher revision to come back",
                               known->second.revision),
                   fmt::format("重放：此前已采用第 {} 版；要回到旧内容，请以更高版本号重新签署",
                               known->second.revision));
  }
  if (bundle.id() == known->second.id) return {};
  return refused(bundle, "another bundle of the same revision was taken before",
                 "此前已采用同一版本号的另一策略包");
}

std::expected<Admitted, policy::Diagnostics> admit(std::span<const SignedBundle> bundles,
                                                   const Trust& trust, TakenByNode taken,
                                                   std::int64_t now) {
  Admitted admitted;
  std::map<std::string, std::string> files;
  std::set<std::string> nodes;
  for (const auto& bundle : bundles) {
    const auto names = check_trust(bundle, trust, now);
    if (!names) return std::unexpected{as_diagnostics(names.error().message)};
    if (auto newer = check_newer(bundle, taken); !newer) {
      return std::unexpected{as_diagnostics(newer.error().message)};
    }
    if (!nodes.insert(bundle.manifest.node).second) {
      return std::unexpected{as_diagnostics(
          refused(bundle, "two bundles of one node", "同一节点有两个策略包").error().message)};
    }
    // Each file has one owner, so no two bundles can have the same.
    for (const auto& file : bundle.files) files.emplace(file.path, file.text);
    admitted.signature += fmt::format("{}{} revision {} by {}",
                                      admitted.signature.empty() ? "" : "; ", bundle.manifest.node,
                                      bundle.manifest.revision, *names);
    taken[bundle.manifest.node] = {bundle.manifest.revision, bundle.id()};
  }
  for (auto& [path, text] : files) admitted.tree.files.push_back({path, std::move(text)});
  const auto policy = policy::load_tree(admitted.tree);
  if (!policy) return std::unexpected{policy.error()};
  for (const auto& bundle : bundles) {
    if (auto codes = check_codes(*policy, bundle, trust); !codes) {
      return std::unexpected{as_diagnostics(codes.error().message)};
    }
  }
  admitted.taken = std::move(taken);
  return admitted;
}

}  // namespace meiguan::lifecycle
