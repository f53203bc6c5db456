// meiguan policy fmt

#include <sys/stat.h>

#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <memory>

#include "controlplane/lifecycle/files.h"
#include "controlplane/policy/format_policy.h"
#include "controlplane/policy/source.h"
#include "tools/cli/line_diff.h"
#include "tools/cli/load.h"
#include "tools/cli/policy_commands.h"
#include "tools/cli/table.h"

namespace meiguan::cli {
namespace {

struct Options {
  std::string path;
  bool check{false};
  bool diff{false};
  bool write{false};
};

int refuse(const Context& context, const Text& text) {
  complain(context, text);
  return kBadInput;
}

// Puts the new text in the place of the old one, if that is still what was read, with its mode.
Result<void> put(const std::filesystem::path& path, const policy::FormattedFile& file) {
  struct stat status {};
  const auto now = lifecycle::read_file(path, policy::kMaxFileBytes);
  if (!now) return std::unexpected{now.error()};
  if (*now != file.before || ::lstat(path.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) {
    return fail(fmt::format("{} was changed by another program; it was left alone", path.string()),
                fmt::format("{} 已被其他程序改动，未写入", path.string()));
  }
  return lifecycle::write_atomically(path, file.after, status.st_mode & 07777);
}

int write(const Context& context, const Options& options,
          const std::vector<policy::FormattedFile>& files) {
  const bool is_directory = std::filesystem::is_directory(options.path);
  std::size_t written = 0;
  for (const auto& file : files) {
    if (!file.changes()) continue;
    const std::filesystem::path whole{options.path};
    if (auto done = put(is_directory ? whole / file.path : whole, file); !done) {
      return refuse(context, done.error().message);
    }
    ++written;
  }
  note(context, {fmt::format("{}: {} of {} file{} rewritten", options.path, written, files.size(),
                             files.size() == 1 ? "" : "s"),
                 fmt::format("{}：共 {} 个文件，改写 {} 个", options.path, files.size(), written)});
  return kYes;
}

// The files that would change, as rows.
int list(const Context& context, Format format, const std::vector<policy::FormattedFile>& files,
         Out& out) {
  Table table;
  table.schema = "meiguan.fmt/v1";
  table.columns = {{"file", {"FILE", "文件"}}};
  for (const auto& file : files) {
    if (file.changes()) table.rows.push_back({boost::json::value(file.path)});
  }
  const bool clean = table.rows.empty();
  if (clean && format == Format::kTable) return kYes;
  const int code = print(std::move(table), context, format, out);
  return code == kYes && !clean ? kNo : code;
}

int run(const Context& context, const Options& options) {
  const auto format = options.check ? context.format(kRowForms, kRowForms)
                                    : context.format({Format::kTable});
  if (!format) return kBadInput;
  if (options.check + options.diff + options.write > 1) {
    return refuse(context, {"--check, --diff and --write exclude one another",
                            "--check、--diff、--write 只能用一个"});
  }
  const auto files = policy::format_policy(options.path);
  if (!files) {
    report_refusal(context, files.error(), {"nothing was formatted", "未做格式化"});
    return kBadInput;
  }
  if (options.write) return write(context, options, *files);
  Out out;
  if (options.check) return list(context, *format, *files, out);
  bool changes = false;
  if (options.diff) {
    for (const auto& file : *files) {
      changes |= file.changes();
      out.write(unified_diff(file.path, file.before, file.after));
    }
    return changes ? kNo : kYes;
  }
  if (std::filesystem::is_directory(options.path)) {
    return refuse(context, {"a directory needs one of --check, --diff and --write",
                            "对目录须给出 --check、--diff 或 --write 之一"});
  }
  out.write(files->front().after);
  return kYes;
}

}  // namespace

void add_fmt_command(CLI::App& policy, Context& context, Action& chosen) {
  auto* const command =
      policy.add_subcommand("fmt",
                            context.tr("bring policy files into canonical text; comments stay",
                                       "把策略文件整理成规范格式，保留注释"));
  auto options = std::make_shared<Options>();
  command
      ->add_option("PATH", options->path,
                   context.tr("a policy's directory or one TOML file; a file alone is printed",
                              "策略目录或单个 TOML 文件；单个文件直接输出"))
      ->required();
  command->add_flag("--check", options->check,
                    context.tr("list the files that would change; exit 1 if there are any",
                               "列出会改变的文件，有则退出码为 1"));
  command->add_flag("--diff", options->diff,
                    context.tr("print what would change; exit 1 if anything would",
                               "输出会改变的内容，有则退出码为 1"));
  command->add_flag("--write", options->write,
                    context.tr("rewrite the files, all or none", "改写文件，全部或不动"));
  command->callback([&context, &chosen, options] {
    chosen = [&context, options] { return run(context, *options); };
  });
}

}  // namespace meiguan::cli
