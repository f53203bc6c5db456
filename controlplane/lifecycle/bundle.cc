#include "controlplane/lifecycle/bundle.h"

#include <utility>

#include "controlplane/policy/load.h"

namespace meiguan::lifecycle {
namespace {

std::unexpected<policy::Diagnostics> whole_file(const std::filesystem::path& path, Error error) {
  policy::Diagnostic diagnostic;
  diagnostic.file = path.string();
  diagnostic.message = std::move(error.message);
  return std::unexpected{policy::Diagnostics{std::move(diagnostic)}};
}

}  // namespace

std::expected<std::unique_ptr<const Bundle>, policy::Diagnostics> load_bundle(
    const std::filesystem::path& policy, const std::filesystem::path& gateway,
    const policy::Catalog* previous, policy::PolicyLoader* loader) {
  auto checked = loader != nullptr ? loader->load(policy) : policy::load_policy(policy);
  if (!checked) return std::unexpected{std::move(checked.error())};
  std::optional<policy::CheckedGateway> port_side;
  if (!gateway.empty()) {
    auto loaded = policy::load_gateway(gateway, *checked);
    if (!loaded) return std::unexpected{std::move(loaded.error())};
    port_side.emplace(std::move(*loaded));
  }
  auto compiled = policy::compile(*checked, port_side ? &*port_side : nullptr, previous);
  if (!compiled) return whole_file(policy, std::move(compiled.error()));
  // The bytes keep their address when their owner moves.
  auto opened = image::Image::open(compiled->bytes.span());
  if (!opened) return whole_file(policy, std::move(opened.error()));
  return std::make_unique<const Bundle>(std::move(*checked), std::move(port_side),
                                        std::move(*compiled), *opened);
}

}  // namespace meiguan::lifecycle
