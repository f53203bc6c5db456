#include "controlplane/lifecycle/bundle.h"

#include <chrono>
#include <utility>

#include "controlplane/analysis/assertions.h"
#include "controlplane/policy/load.h"

namespace meiguan::lifecycle {
namespace {

std::unexpected<policy::Diagnostics> whole_file(const std::filesystem::path& path, Error error) {
  policy::Diagnostic diagnostic;
  diagnostic.file = path.string();
  diagnostic.message = std::move(error.message);
  return std::unexpected{policy::Diagnostics{std::move(diagnostic)}};
}

std::expected<std::unique_ptr<const Bundle>, policy::Diagnostics> compile_bundle(
    policy::CheckedPolicy checked, std::optional<policy::CheckedGateway> port_side,
    const std::filesystem::path& path, const policy::Catalog* previous, DecideAssertions assertions,
    policy::Compiler* compiler) {
  const policy::CheckedGateway* const ports = port_side ? &*port_side : nullptr;
  auto compiled = compiler != nullptr ? compiler->compile(checked, ports, previous)
                                      : policy::compile(checked, ports, previous);
  if (!compiled) return whole_file(path, std::move(compiled.error()));
  // The bytes keep their address when their owner moves.
  auto opened = image::Image::open(compiled->bytes.span());
  if (!opened) return whole_file(path, std::move(opened.error()));
  if (assertions.from) {
    auto failed = analysis::failed_assertions(checked, *compiled, *opened, *assertions.from, path);
    if (!failed.empty()) return std::unexpected{std::move(failed)};
  }
  // Packets are never asked for them: what was worked out for them need not stay in memory.
  compiled->assertions = {};
  return std::make_unique<const Bundle>(std::move(checked), std::move(port_side),
                                        std::move(*compiled), *opened);
}

}  // namespace

DecideAssertions decide_from_now() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return {std::chrono::duration_cast<std::chrono::seconds>(now).count()};
}

std::expected<Content, policy::Diagnostics> read_content(const std::filesystem::path& policy,
                                                         const std::filesystem::path& gateway) {
  auto tree = policy::read_tree(policy);
  if (!tree) return std::unexpected{std::move(tree.error())};
  Content content{std::move(*tree), std::nullopt, gateway};
  if (gateway.empty()) return content;
  auto file = policy::read_gateway_file(gateway);
  if (!file) return std::unexpected{std::move(file.error())};
  content.gateway = std::move(*file);
  return content;
}

std::expected<std::unique_ptr<const Bundle>, policy::Diagnostics> load_bundle(
    const std::filesystem::path& policy, const std::filesystem::path& gateway,
    const policy::Catalog* previous, DecideAssertions assertions, policy::PolicyLoader* loader,
    policy::Compiler* compiler) {
  auto checked = loader != nullptr ? loader->load(policy) : policy::load_policy(policy);
  if (!checked) return std::unexpected{std::move(checked.error())};
  std::optional<policy::CheckedGateway> port_side;
  if (!gateway.empty()) {
    auto loaded = policy::load_gateway(gateway, *checked);
    if (!loaded) return std::unexpected{std::move(loaded.error())};
    port_side.emplace(std::move(*loaded));
  }
  return compile_bundle(std::move(*checked), std::move(port_side), policy, previous, assertions,
                        compiler);
}

std::expected<std::unique_ptr<const Bundle>, policy::Diagnostics> load_bundle(
    const Content& content, const policy::Catalog* previous, DecideAssertions assertions,
    policy::PolicyLoader* loader, policy::Compiler* compiler) {
  auto checked = loader != nullptr ? loader->load(content.tree) : policy::load_tree(content.tree);
  if (!checked) return std::unexpected{std::move(checked.error())};
  std::optional<policy::CheckedGateway> port_side;
  if (content.gateway) {
    auto loaded = policy::load_gateway_text(content.gateway->path, content.gateway->text, *checked);
    if (!loaded) {
      for (auto& diagnostic : loaded.error()) {
        if (diagnostic.path.empty()) diagnostic.path = content.gateway_read_from.string();
      }
      return std::unexpected{std::move(loaded.error())};
    }
    port_side.emplace(std::move(*loaded));
  }
  return compile_bundle(std::move(*checked), std::move(port_side), content.tree.read_from, previous,
                        assertions, compiler);
}

}  // namespace meiguan::lifecycle
