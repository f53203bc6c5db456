#include "tools/cli/load.h"

#include <cstdio>

namespace meiguan::cli {

void report(const Context& context, const policy::Diagnostics& diagnostics) {
  report_refusal(context, diagnostics, {"nothing was loaded", "策略没有加载"});
}

void report_refusal(const Context& context, const policy::Diagnostics& diagnostics,
                    const Text& outcome) {
  for (const auto& diagnostic : diagnostics) {
    std::string text = policy::render(diagnostic, context.language, context.colour_errors);
    if (!text.ends_with('\n')) text += '\n';
    std::fputs(text.c_str(), stderr);
  }
  const auto n = diagnostics.size();
  note(context, {fmt::format("{} error{}; {}", n, n == 1 ? "" : "s", outcome.english),
                 fmt::format("共 {} 处错误，{}", n, outcome.chinese)});
}

std::unique_ptr<const lifecycle::Bundle> load(const Context& context,
                                              const std::filesystem::path& policy,
                                              const std::filesystem::path& gateway) {
  auto bundle = lifecycle::load_bundle(policy, gateway, nullptr);
  if (!bundle) {
    report(context, bundle.error());
    return nullptr;
  }
  return std::move(*bundle);
}

}  // namespace meiguan::cli
