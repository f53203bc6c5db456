#include "controlplane/lifecycle/taken_remains.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <string>

#include "controlplane/lifecycle/files.h"

namespace meiguan::lifecycle {
namespace {

void add(TakenByNode& remains, std::string_view node, std::uint64_t revision, std::string id) {
  const auto [known, is_new] = remains.try_emplace(std::string{node}, Taken{revision, id});
  auto& last = known->second;
  if (is_new || revision < last.revision) return;
  if (revision > last.revision) {
    last = {revision, std::move(id)};
  } else if (last.id != id) {
    last.id.clear();
  }
}

// "NODE revision N by WHO; NODE revision N by WHO"; what does not look so is passed over.
void add_named(TakenByNode& remains, std::string_view signature) {
  constexpr std::string_view kRevision = " revision ";
  constexpr std::string_view kNext = "; ";
  while (!signature.empty()) {
    const auto end = signature.find(kNext);
    const auto one = signature.substr(0, end);
    signature.remove_prefix(end == signature.npos ? signature.size() : end + kNext.size());
    const auto word = one.find(kRevision);
    if (word == one.npos) continue;
    const auto number = one.substr(word + kRevision.size());
    std::uint64_t revision = 0;
    if (std::from_chars(number.data(), number.data() + number.size(), revision).ec == std::errc{}) {
      const auto node = one.substr(0, word);
      const auto known = remains.find(std::string{node});
      // It says nothing against a bundle of that revision that is there.
      if (known == remains.end() || known->second.revision < revision) {
        add(remains, node, revision, {});
      }
    }
  }
}

std::unexpected<Error> refused(const SignedBundle& bundle, const Taken& last) {
  const auto& manifest = bundle.manifest;
  if (manifest.revision < last.revision) {
    return fail(fmt::format("the bundle of {} revision {}: revision {} was taken before",
                            manifest.node, manifest.revision, last.revision),
                fmt::format("节点 {} 第 {} 版策略包：此前已采用第 {} 版", manifest.node,
                            manifest.revision, last.revision));
  }
  return fail(fmt::format("the bundle of {} revision {}: whether it is the one of this revision "
                          "that was taken cannot be told any more; have it signed anew with a "
                          "higher revision",
                          manifest.node, manifest.revision),
              fmt::format("节点 {} 第 {} 版策略包：已无法判断是否即此前采用的该版；请以更高版本号"
                          "重新签署",
                          manifest.node, manifest.revision));
}

}  // namespace

TakenByNode remains_of(const std::filesystem::path& directory, std::string_view signature) {
  TakenByNode remains;
  std::error_code error;
  for (std::filesystem::directory_iterator it{directory, error};
       !error && it != std::filesystem::directory_iterator{}; it.increment(error)) {
    if (it->path().extension() != kBundleExtension) continue;
    const auto bytes = read_regular_file(it->path(), kMaxBundleBytes);
    if (!bytes) continue;
    const auto bundle = bundle_from_bytes(*bytes);
    if (bundle) add(remains, bundle->manifest.node, bundle->manifest.revision, bundle->id());
  }
  add_named(remains, signature);
  return remains;
}

Result<void> check_against(std::span<const SignedBundle> bundles, const TakenByNode& remains) {
  for (const auto& [node, last] : remains) {
    const auto given = std::ranges::find_if(bundles, [&](const SignedBundle& bundle) {
      return bundle.manifest.node == node;
    });
    if (given == bundles.end()) {
      return fail(fmt::format("the bundle of node {} is missing: after damage all nodes' come "
                              "together",
                              node),
                  fmt::format("缺少节点 {} 的策略包：损坏后须同时提供所有节点的策略包", node));
    }
    const auto revision = given->manifest.revision;
    if (revision > last.revision || (revision == last.revision && given->id() == last.id)) continue;
    return refused(*given, last);
  }
  return {};
}

}  // namespace meiguan::lifecycle
