#include "tools/cli/load.h"

#include <cstdio>
#include <limits>
#include <utility>

#include "controlplane/lifecycle/block_file.h"
#include "controlplane/lifecycle/files.h"
#include "controlplane/policy/instant_text.h"

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
                                              const std::filesystem::path& gateway,
                                              lifecycle::DecideAssertions assertions) {
  auto bundle = lifecycle::load_bundle(policy, gateway, nullptr, assertions);
  if (!bundle) {
    report(context, bundle.error());
    return nullptr;
  }
  return std::move(*bundle);
}

std::optional<std::int64_t> instant_of(const Context& context,
                                       std::span<const image::UtcOffset> offsets,
                                       std::string_view at) {
  if (at.empty()) return *lifecycle::decide_from_now().from;
  const auto instant = policy::parse_instant(offsets, at);
  if (!instant) {
    complain(context, {fmt::format("--at: `{}` is no instant: 2026-10-01, 2026-10-01T08:30 or "
                                   "2026-10-01T08:30:00+08:00 is expected",
                                   at),
                       fmt::format("--at：`{}` 不是时刻，应写作 2026-10-01、2026-10-01T08:30 或 "
                                   "2026-10-01T08:30:00+08:00",
                                   at)});
  }
  return instant;
}

std::optional<LoadedBlocks> load_blocks(const Context& context, const std::string& file,
                                        std::span<const image::UtcOffset> offsets) {
  const auto text = lifecycle::read_file(file, lifecycle::kMaxBlockFileBytes);
  if (!text) {
    complain(context, text.error().message);
    return std::nullopt;
  }
  lifecycle::BlockDefaults defaults;
  defaults.now = std::numeric_limits<std::int64_t>::min();
  defaults.offsets = offsets;
  std::size_t ended = 0;
  auto entries = lifecycle::read_block_file(*text, file, defaults, ended);
  if (!entries) {
    report_refusal(context, entries.error(), {"no block list", "没有封禁名单"});
    return std::nullopt;
  }
  lifecycle::BlockChange change;
  auto bytes = lifecycle::BlockEntries{}.with(std::move(*entries), change).image(0);
  auto list = bytes ? image::BlockList::open(bytes->span())
                    : Result<image::BlockList>{std::unexpected{bytes.error()}};
  if (!list) {
    complain(context, list.error().message);
    return std::nullopt;
  }
  return LoadedBlocks{std::move(*bytes), *list};
}

}  // namespace meiguan::cli
