// meiguan policy import terminals

#include <CLI/CLI.hpp>
#include <memory>

#include "controlplane/lifecycle/files.h"
#include "controlplane/policy/csv.h"
#include "controlplane/policy/import_terminals.h"
#include "controlplane/policy/load.h"
#include "controlplane/policy/message.h"
#include "tools/cli/load.h"
#include "tools/cli/out.h"
#include "tools/cli/policy_commands.h"

namespace meiguan::cli {
namespace {

namespace fs = std::filesystem;
using policy::CheckedPolicy;

struct Options {
  std::string csv;
  std::string policy{"."};
  std::string node;
  std::string out;
  bool dry_run{false};
};

int refuse(const Context& context, const Text& text) {
  complain(context, text);
  return kBadInput;
}

int report(const Context& context, const Options& options,
           const std::vector<policy::ImportProblem>& problems) {
  const auto file = policy::printable(fs::path{options.csv}.filename().string());
  for (const auto& problem : problems) {
    std::string english = file;
    std::string chinese = file;
    if (problem.row > 0) {
      english += fmt::format(":{}", problem.row);
      chinese += fmt::format("：第 {} 行", problem.row);
    }
    if (!problem.column.empty()) {
      english += fmt::format(": {}", policy::printable(problem.column));
      chinese += fmt::format("，{}", policy::printable(problem.column));
    }
    complain(context,
             {english + ": " + problem.message.english, chinese + "：" + problem.message.chinese});
  }
  const auto n = problems.size();
  note(context, {fmt::format("{} problem{}; nothing was imported", n, n == 1 ? "" : "s"),
                 fmt::format("共 {} 处问题，没有导入", n)});
  return kBadInput;
}

// The node in whose directory `file` would lie; none where it lies outside the policy.
NodeId node_of_file(const CheckedPolicy& policy, const fs::path& root, const fs::path& file) {
  std::error_code error;
  const auto directory = fs::weakly_canonical(fs::absolute(file).parent_path(), error);
  const auto top = fs::weakly_canonical(fs::absolute(root), error);
  const auto below = directory.lexically_relative(top);
  if (error || !fs::is_directory(root, error) || below.empty() || *below.begin() == "..") return {};
  NodeId found{0};
  for (std::uint32_t i = 0; i < policy.nodes.size(); ++i) {
    const fs::path at = fs::path{policy.files[policy.nodes[i].place.file]}.parent_path();
    const auto inside = below.lexically_relative(at.empty() ? fs::path{"."} : at);
    const bool holds = !inside.empty() && *inside.begin() != "..";
    if (holds && policy.nodes[i].depth >= policy.nodes[found.index()].depth) found = NodeId{i};
  }
  return found;
}

// The node that the terminals will stand at; nothing, with a message, where what is asked for
// contradicts itself.
std::optional<NodeId> find_node(const Context& context, const Options& options,
                                const CheckedPolicy& policy) {
  NodeId named;
  for (std::uint32_t i = 0; i < policy.nodes.size() && !options.node.empty(); ++i) {
    if (policy.nodes[i].code == options.node) named = NodeId{i};
  }
  if (!options.node.empty() && named.is_none()) {
    complain(context, policy::say("--node: the policy has no node `{}`",
                                  "--node：策略中没有节点 `{}`", policy::printable(options.node)));
    return std::nullopt;
  }
  if (options.out.empty()) return named.is_some() ? named : NodeId{0};
  const auto at = node_of_file(policy, options.policy, options.out);
  if (at.is_none()) return named.is_some() ? named : NodeId{0};
  if (named.is_some() && named != at) {
    const auto& code = policy.nodes[at.index()].code;
    complain(context,
             {fmt::format("--out: {} would belong to node {}, not to {}", options.out, code,
                          options.node),
              fmt::format("--out：{} 将属于节点 {}，而不是 {}", options.out, code, options.node)});
    return std::nullopt;
  }
  if (!options.out.ends_with(".toml")) {
    complain(context,
             {fmt::format("--out: {} lies in the policy and must end in .toml", options.out),
              fmt::format("--out：{} 在策略目录内，须以 .toml 结尾", options.out)});
    return std::nullopt;
  }
  return at;
}

int run(const Context& context, const Options& options) {
  const auto format = context.format({Format::kTable});
  if (!format) return kBadInput;
  std::error_code error;
  if (!options.out.empty() && fs::exists(fs::symlink_status(options.out, error))) {
    return refuse(context, {fmt::format("--out: {} exists already", options.out),
                            fmt::format("--out：{} 已存在", options.out)});
  }
  if (!fs::is_regular_file(options.csv, error)) {
    return refuse(context, {fmt::format("{} is not a file that can be read", options.csv),
                            fmt::format("{} 不是可读取的文件", options.csv)});
  }
  const auto csv = lifecycle::read_file(options.csv, policy::kMaxCsvBytes);
  if (!csv) return refuse(context, csv.error().message);
  const auto policy = policy::load_policy(options.policy);
  const Text outcome{"nothing was imported", "没有导入"};
  if (!policy) {
    report_refusal(context, policy.error(), outcome);
    return kBadInput;
  }
  const auto node = find_node(context, options, *policy);
  if (!node) return kBadInput;
  const auto source = fs::path{options.csv}.filename().string();
  const auto imported = policy::import_terminals(*csv, *policy, *node, source);
  if (!imported) return report(context, options, imported.error());
  // What the loader says is what holds: the new file is read with all the rest before it is there.
  const auto name = options.out.empty() ? source + ".toml"
                                        : fs::path{options.out}.filename().string();
  if (const auto whole = policy::load_policy_with_file(options.policy, *node, name, imported->toml);
      !whole) {
    report_refusal(context, whole.error(), outcome);
    return kBadInput;
  }
  if (!options.dry_run) {
    if (options.out.empty()) {
      Out{}.write(imported->toml);
    } else if (auto written = lifecycle::write_atomically(options.out, imported->toml); !written) {
      return refuse(context, written.error().message);
    }
  }
  if (!imported->unused.empty()) {
    std::string list;
    for (const auto& heading : imported->unused) {
      list += (list.empty() ? "" : ", ") + (heading.empty() ? "-" : policy::printable(heading));
    }
    note(context, {"columns not used: " + list, "未使用的列：" + list});
  }
  const auto n = imported->terminals;
  note(context, {fmt::format("{} terminal{}{}", n, n == 1 ? "" : "s",
                             options.dry_run ? ", nothing written" : ""),
                 fmt::format("{} 台终端{}", n, options.dry_run ? "，未写入" : "")});
  return kYes;
}

}  // namespace

void add_import_command(CLI::App& policy, Context& context, Action& chosen) {
  auto* const import = policy.add_subcommand("import",
                                             context.tr("make policy files of other tables",
                                                        "从其他表格生成策略文件"));
  import->require_subcommand(1);
  auto* const command = import->add_subcommand(
      "terminals", context.tr("register the terminals of a spreadsheet saved as CSV, all or none",
                              "登记 CSV 表格中的终端，全部或不导入"));
  auto options = std::make_shared<Options>();
  command
      ->add_option(
          "FILE", options->csv,
          context.tr("CSV in UTF-8 or GB18030 with headings: 单位编号, IP地址, MAC地址, 姓名",
                     "UTF-8 或 GB18030 的 CSV，表头如：单位编号、IP地址、MAC地址、姓名"))
      ->required();
  command->add_option("--policy", options->policy,
                      context.tr("the policy; the directory you are in if not given",
                                 "策略目录或单个文件，缺省为当前目录"));
  command->add_option("--node", options->node,
                      context.tr("the node that registers them; the root if not given",
                                 "登记的节点，缺省为根节点"));
  command->add_option("--out", options->out,
                      context.tr("the new file; standard output if not given",
                                 "新文件，缺省为标准输出"));
  command->add_flag("--dry-run", options->dry_run,
                    context.tr("check everything, write nothing", "只检查，不写入"));
  command->callback([&context, &chosen, options] {
    chosen = [&context, options] { return run(context, *options); };
  });
}

}  // namespace meiguan::cli
