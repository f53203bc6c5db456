// meiguan policy diff

#include <CLI/CLI.hpp>
#include <algorithm>
#include <boost/json.hpp>
#include <memory>

#include "controlplane/analysis/object_diff.h"
#include "controlplane/analysis/semantic_diff.h"
#include "controlplane/policy/load.h"
#include "tools/cli/diff_print.h"
#include "tools/cli/load.h"
#include "tools/cli/policy_commands.h"

namespace meiguan::cli {
namespace {

struct Options {
  std::string before;
  std::string after;
  std::string at;
  bool semantic{false};
};

// More changes than these are not told one by one.
constexpr std::size_t kMostChanges = 200'000;

int finish(const Context& context, Format format, PolicyDiff& diff) {
  const auto objects = diff.objects.size();
  if (context.limit && objects > *context.limit) diff.objects.resize(*context.limit);
  {
    Out out;
    if (const int code = print_diff(context, format, diff, out); code != kYes) return code;
  }
  if (!diff.semantic && diff.objects.size() < objects) {
    note(context, {fmt::format("{} of {} changes shown", diff.objects.size(), objects),
                   fmt::format("共 {1} 处变化，只列出 {0} 处", diff.objects.size(), objects)});
  }
  if (diff.semantic && !diff.access.all) {
    note(context, {fmt::format("more than {} changes of access: the rest is not shown",
                               diff.access.changes.size()),
                   fmt::format("访问变化超过 {} 条，其余未列出", diff.access.changes.size())});
  }
  // Asked what changes for packets, other words for the same are no difference.
  const bool same = diff.semantic ? diff.access.changes.empty() && diff.access.all : objects == 0;
  return same ? kYes : kNo;
}

int diff_texts(const Context& context, Format format, const Options& options) {
  const auto before = policy::load_policy(options.before);
  if (!before) report(context, before.error());
  const auto after = policy::load_policy(options.after);
  if (!after) report(context, after.error());
  if (!before || !after) return kBadInput;
  PolicyDiff diff;
  diff.objects = analysis::diff_objects(*before, *after);
  return finish(context, format, diff);
}

int run(const Context& context, const Options& options) {
  const auto format = context.format(kRowForms, context.columns.empty() && context.sort.empty()
                                                    ? kRowForms
                                                    : std::initializer_list<Format>{Format::kCsv});
  if (!format) return kBadInput;
  if (!options.semantic) return diff_texts(context, *format, options);
  const auto before = load(context, options.before, {});
  if (!before) return kBadInput;
  const auto after = load(context, options.after, {});
  if (!after) return kBadInput;
  const auto at = instant_of(context, after->policy.utc_offsets, options.at);
  if (!at) return kBadInput;
  PolicyDiff diff;
  diff.objects = analysis::diff_objects(before->policy, after->policy);
  diff.sides = {analysis::PolicySide{&before->image, &before->compiled.catalog},
                analysis::PolicySide{&after->image, &after->compiled.catalog}};
  diff.access = analysis::diff_access(diff.sides, *at,
                                      std::min(context.limit.value_or(kMostChanges), kMostChanges));
  diff.semantic = true;
  return finish(context, *format, diff);
}

}  // namespace

void add_diff_command(CLI::App& policy, Context& context, Action& chosen) {
  auto* const command = policy.add_subcommand(
      "diff", context.tr("what two policies say, or do, differently", "比较两份策略的差异"));
  auto options = std::make_shared<Options>();
  command->add_option("BEFORE", options->before, context.tr("the one", "旧策略"))->required();
  command->add_option("AFTER", options->after, context.tr("the other", "新策略"))->required();
  command->add_flag("--semantic", options->semantic,
                    context.tr("which units gain or lose access to what, over all packets",
                               "哪些单位得到或失去哪些访问（覆盖全部报文）"));
  command->add_option("--at", options->at,
                      context.tr("every instant from this one on, not from now on",
                                 "从该时刻起（而非此刻）的每一时刻"));
  command->callback([&context, &chosen, options] {
    chosen = [&context, options] { return run(context, *options); };
  });
}

}  // namespace meiguan::cli
