#include "tools/cli/kept.h"

#include <algorithm>
#include <boost/json.hpp>
#include <utility>

#include "controlplane/analysis/object_diff.h"
#include "controlplane/analysis/semantic_diff.h"
#include "controlplane/api/protocol.h"
#include "tools/cli/ask.h"
#include "tools/cli/diff_print.h"
#include "tools/cli/load.h"

namespace meiguan::cli {
namespace {

namespace json = boost::json;

constexpr std::size_t kMostChanges = 200'000;

policy::TreeFile file_of(const json::value& value) {
  if (!value.is_object()) return {};
  return {api::string_at(value.get_object(), "path"), api::string_at(value.get_object(), "text")};
}

}  // namespace

std::expected<lifecycle::Content, int> fetch_revision(const Context& context,
                                                      std::uint32_t number) {
  const auto answer = ask(context, {{"command", "revision"}, {"revision", number}}, kLoadSeconds);
  if (!answer) return std::unexpected{answer.error()};
  lifecycle::Content content;
  const auto* const single = answer->if_contains("single_file");
  content.tree.single_file = single != nullptr && single->is_bool() && single->get_bool();
  if (const auto* const files = answer->if_contains("files"); files && files->is_array()) {
    for (const auto& file : files->get_array()) content.tree.files.push_back(file_of(file));
  }
  if (const auto* const gateway = answer->if_contains("gateway_file")) {
    content.gateway = file_of(*gateway);
  }
  return content;
}

std::unique_ptr<const lifecycle::Bundle> load(const Context& context,
                                              const lifecycle::Content& content) {
  auto bundle = lifecycle::load_bundle(content, nullptr, lifecycle::kLeaveUndecided);
  if (!bundle) {
    report(context, bundle.error());
    return nullptr;
  }
  return std::move(*bundle);
}

int print_difference(const Context& context, Format format, const lifecycle::Bundle& before,
                     const lifecycle::Bundle& after, bool semantic) {
  PolicyDiff diff;
  diff.objects = analysis::diff_objects(before.policy, after.policy);
  diff.semantic = semantic;
  if (semantic) {
    diff.sides = {analysis::PolicySide{&before.image, &before.compiled.catalog},
                  analysis::PolicySide{&after.image, &after.compiled.catalog}};
    diff.access = analysis::diff_access(diff.sides, *lifecycle::decide_from_now().from,
                                        std::min(context.limit.value_or(kMostChanges),
                                                 kMostChanges));
  }
  const bool same = semantic ? diff.access.changes.empty() && diff.access.all
                             : diff.objects.empty();
  if (context.limit && diff.objects.size() > *context.limit) diff.objects.resize(*context.limit);
  Out out;
  const int printed = print_diff(context, format, diff, out);
  return printed != kYes ? printed : same ? kYes : kNo;
}

}  // namespace meiguan::cli
