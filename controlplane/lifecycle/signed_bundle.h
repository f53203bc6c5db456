#pragma once

// Policy on its way to an appliance: files of a node, a manifest with the hash of each, and
// signatures over the manifest. On disk it is a POSIX ustar archive in one canonical form, so that
// `tar` lists it and `openssl` verifies it, and this reader takes nothing else:
//
//   manifest                      text, see below
//   signatures/KIND-KEYID         raw signatures of the manifest's bytes, ordered by name
//   files/PATH                    the files, in the manifest's order
//   two blocks of zeros           and the end
//
// Each header must be, byte for byte, what the writer makes of a name and a size: no links, no
// owners, no times, no extensions. The manifest is canonical too:
//
//   meiguan-bundle 1
//   node 360121
//   revision 7
//   expires 2027-01-01T00:00:00Z      or `never`
//   hash sha256                       or sm3
//   file HEX SIZE PATH                ordered by PATH in byte order
//
// A path is relative to the top of the whole tree: parts of UTF-8 text divided by `/`, none empty
// or beginning with a dot, ending in `.toml`; no two that a file system without case or with
// another normal form could take for one.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "controlplane/crypto/digest.h"
#include "controlplane/crypto/keys.h"
#include "controlplane/policy/source.h"
#include "dataplane/base/result.h"

namespace meiguan::lifecycle {

inline constexpr std::size_t kMaxBundleBytes = policy::kMaxTreeBytes + (std::size_t{128} << 20);
inline constexpr std::size_t kMaxManifestBytes = std::size_t{64} << 20;
inline constexpr std::size_t kMaxSignatures = 16;
inline constexpr std::size_t kMaxBundlePath = 240;
inline constexpr std::uint64_t kMaxBundleRevision = 999'999'999'999;

struct ManifestFile {
  std::string path;
  std::uint64_t bytes{0};
  std::string hash;  // 64 hexadecimal digits
};

struct Manifest {
  std::string node;
  std::uint64_t revision{0};            // from 1 on
  std::optional<std::int64_t> expires;  // seconds since 1970; nothing: never
  crypto::HashKind hash{crypto::HashKind::kSha256};
  std::vector<ManifestFile> files;
};

struct BundleSignature {
  crypto::KeyKind kind{};
  std::string key;  // PublicKey::id()
  std::string bytes;
};

// Whole and consistent in itself; says nothing of whether anybody trusts its signatures.
struct SignedBundle {
  Manifest manifest;
  std::string manifest_text;  // what is signed
  std::vector<BundleSignature> signatures;
  std::vector<policy::TreeFile> files;

  // What it is known by: SHA-256 of the manifest, in hexadecimal.
  [[nodiscard]] std::string id() const;
};

// Errors: a path or a node that no bundle may have, no files, too much. `manifest.files` is made
// from `files`, which need not be ordered.
[[nodiscard]] Result<SignedBundle> make_bundle(Manifest manifest,
                                               std::vector<policy::TreeFile> files);
// Adds a signature, or replaces the one of the same key. Errors: the key cannot sign, too many.
[[nodiscard]] Result<void> add_signature(SignedBundle& bundle, const crypto::PrivateKey& key);

[[nodiscard]] std::string to_bytes(const SignedBundle& bundle);
// Errors: what is not exactly what to_bytes() writes, with what is wrong where.
[[nodiscard]] Result<SignedBundle> bundle_from_bytes(std::string_view bytes);

[[nodiscard]] std::string to_text(const Manifest& manifest);
[[nodiscard]] Result<Manifest> manifest_from_text(std::string_view text);

// `2027-01-01T00:00:00Z`.
[[nodiscard]] std::string utc_text(std::int64_t seconds);
[[nodiscard]] std::optional<std::int64_t> seconds_of_utc(std::string_view text);

}  // namespace meiguan::lifecycle
