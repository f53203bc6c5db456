#include "controlplane/policy/check_policy.h"

#include <utility>

#include "controlplane/policy/message.h"

namespace meiguan::policy {
namespace {

void check_root(const PolicySource& source, Checking& checking) {
  if (checking.draft.policy_place) return;
  for (const std::uint32_t file : source.nodes[0].files) {
    if (checking.reporter.may_have_table(file, "policy")) return;
  }
  checking.reporter.error(checking.draft.nodes[0].node.place,
                          say("there is no [policy] at the root, one expected",
                              "根节点缺少 [policy] 表"),
                          say("add [policy] with schema = 1", "请添加含 schema = 1 的 [policy]"));
}

}  // namespace

CheckedPolicy check_policy(const PolicySource& source, Draft draft, Reporter& reporter) {
  CheckedPolicy policy = PolicyChecker::empty();
  policy.timezone = draft.timezone;
  policy.utc_offsets = draft.clock.offsets;
  policy.files.reserve(source.files.size());
  for (const SourceFile& file : source.files) policy.files.push_back(file.path);

  Checking checking(policy, draft, reporter);
  check_root(source, checking);
  resolve_nodes(checking);
  resolve_zones(checking);
  resolve_units(checking);
  resolve_terminals(checking);
  resolve_services(checking);
  resolve_groups(checking);
  resolve_schedules(checking);
  resolve_rules(checking);
  resolve_assertions(checking);
  check_unit_prefixes(checking);
  check_terminals(checking);
  check_services(checking);
  resolve_nat(checking);
  order_groups(checking);
  check_group_use(checking);
  check_rights(checking);
  check_isolation(checking);
  check_nat(checking);
  return policy;
}

}  // namespace meiguan::policy
