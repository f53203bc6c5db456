#pragma once

// Whose signed policy an appliance takes: its own configuration, never the bundle's.

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "controlplane/lifecycle/signed_bundle.h"
#include "controlplane/policy/diagnostic.h"
#include "controlplane/policy/source.h"

namespace meiguan::lifecycle {

// Who may sign for a node: for the files in `at`, the directory of the node in the whole tree, and
// below, but for the directories of signers further down. Several signers of one node may each
// sign.
struct Signer {
  std::string name;
  crypto::PublicKey key;
  std::string node;
  std::string at;                     // without a slash at either end; empty: the top of the tree
  std::optional<std::int64_t> until;  // seconds since 1970; nothing: no end
};

struct Trust {
  bool required{false};         // only what is signed may be put in force
  std::uint32_t signatures{1};  // different signers of its node that each bundle needs
  std::vector<Signer> signers;
};

// What was taken last of each node: a bundle's revision only goes up.
struct Taken {
  std::uint64_t revision{0};
  std::string id;  // SignedBundle::id()
};
using TakenByNode = std::map<std::string, Taken>;

// The names of the signers of `bundle` that are trusted with all of its files, divided by `, `.
// Errors: stripped (no signature), unknown or wrong signatures, too few, expired, files outside of
// what the signer may write, no node.toml of its own node.
[[nodiscard]] Result<std::string> check_trust(const SignedBundle& bundle, const Trust& trust,
                                              std::int64_t now);
// Errors: replayed: an earlier revision than was taken, or another bundle of the same revision.
[[nodiscard]] Result<void> check_newer(const SignedBundle& bundle, const TakenByNode& taken);

struct Admitted {
  policy::PolicyTree tree;
  std::string signature;  // for the record: NODE revision by whom, of each bundle
  TakenByNode taken;      // to be kept once the tree is in force
};
// Puts the bundles of several nodes together, after check_trust() and check_newer() of each; the
// tree is loaded, so that every node is where its signer may have it. Errors: of the bundles or of
// the whole policy.
[[nodiscard]] std::expected<Admitted, policy::Diagnostics> admit(
    std::span<const SignedBundle> bundles, const Trust& trust, TakenByNode taken, std::int64_t now);

inline constexpr std::string_view kBundleExtension = ".bundle";

// What was taken, in a directory: `taken`, and the last bundle of each node as NODE-ID.bundle. A
// kill at any moment leaves what was taken before, or what is kept.
class TakenStore {
 public:
  // Errors: what is there is damaged: nobody can then say what is old.
  [[nodiscard]] static Result<TakenStore> open(std::filesystem::path directory);
  // In the place of a damaged one, which stays until something is kept.
  [[nodiscard]] static TakenStore in_place_of(std::filesystem::path directory);

  // Whether there is a record, and be it of nothing.
  [[nodiscard]] bool begun() const noexcept { return begun_; }
  // Begins the record: from here on its absence is damage. Errors: the disk.
  [[nodiscard]] Result<void> begin();

  [[nodiscard]] const TakenByNode& taken() const noexcept { return taken_; }
  // The bundles that were taken last, but for the nodes of `newer`. Errors: one cannot be read.
  [[nodiscard]] Result<std::vector<SignedBundle>> others(std::span<const SignedBundle> newer) const;
  // Keeps these bundles as the last that were taken. Errors: what was taken is as before.
  [[nodiscard]] Result<void> keep(std::span<const SignedBundle> bundles, TakenByNode taken);

 private:
  explicit TakenStore(std::filesystem::path directory) : directory_{std::move(directory)} {}
  // Bundles that do not count, or not any more.
  void remove_others() const;

  std::filesystem::path directory_;
  TakenByNode taken_;
  bool begun_{false};
};

}  // namespace meiguan::lifecycle
