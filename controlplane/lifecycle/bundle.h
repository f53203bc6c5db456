#pragma once

#include <cstdint>
#include <expected>
#include <filesystem>
#include <memory>
#include <optional>

#include "controlplane/lifecycle/revision.h"
#include "controlplane/policy/catalog.h"
#include "controlplane/policy/compile.h"
#include "controlplane/policy/diagnostic.h"
#include "controlplane/policy/load.h"
#include "controlplane/policy/model.h"
#include "dataplane/image/reader.h"

namespace meiguan::lifecycle {

// A policy that was loaded, checked, compiled and opened, whole. Never changes.
struct Bundle {
  policy::CheckedPolicy policy;
  std::optional<policy::CheckedGateway> gateway;
  policy::Compiled compiled;
  image::Image image;  // a view of compiled.bytes
};

// What becomes of a policy's assertions when it is loaded.
struct DecideAssertions {
  // They are decided over every instant from here on (seconds since 1970-01-01T00:00Z), and one
  // that does not hold is an error. Nothing: they are left undecided, for who looks into a policy
  // (explain, replay) and must see also one that may not be put in force.
  std::optional<std::int64_t> from;
};
inline constexpr DecideAssertions kLeaveUndecided{};
[[nodiscard]] DecideAssertions decide_from_now();

// From files to a policy that packets can be judged by. `gateway` may be empty: then none is
// loaded. Ids that `previous` (may be null) knows are kept. Errors: all that are wrong with the
// policy; if it is right, all that are wrong with the gateway file; a limit of the format; each
// assertion that does not hold. Who loads again and again gives a `loader` and a `compiler`.
[[nodiscard]] std::expected<std::unique_ptr<const Bundle>, policy::Diagnostics> load_bundle(
    const std::filesystem::path& policy, const std::filesystem::path& gateway,
    const policy::Catalog* previous, DecideAssertions assertions,
    policy::PolicyLoader* loader = nullptr, policy::Compiler* compiler = nullptr);

// What lies on disk, each file read once. Errors: what cannot be read.
[[nodiscard]] std::expected<Content, policy::Diagnostics> read_content(
    const std::filesystem::path& policy, const std::filesystem::path& gateway);

// The same from files in memory.
[[nodiscard]] std::expected<std::unique_ptr<const Bundle>, policy::Diagnostics> load_bundle(
    const Content& content, const policy::Catalog* previous, DecideAssertions assertions,
    policy::PolicyLoader* loader = nullptr, policy::Compiler* compiler = nullptr);

}  // namespace meiguan::lifecycle
