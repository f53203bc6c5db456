// The command line: global options, the list of commands, exit codes.

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>

#include "tools/cli/context.h"
#include "tools/cli/usage.h"

namespace meiguan::cli {
namespace {

bool speaks_chinese(std::string_view locale) { return locale.starts_with("zh"); }

// Before the options are described, the language must be known: a look ahead for --lang, then the
// environment as the C library would read it for messages.
Language find_language(int argc, const char* const* argv) {
  for (int i = 1; i < argc; ++i) {
    const std::string_view word{argv[i]};
    if (word == "--lang" && i + 1 < argc) {
      return speaks_chinese(argv[i + 1]) ? Language::kChinese : Language::kEnglish;
    }
    if (word.starts_with("--lang=")) {
      return speaks_chinese(word.substr(7)) ? Language::kChinese : Language::kEnglish;
    }
  }
  for (const char* const name : {"LC_ALL", "LC_MESSAGES", "LANG"}) {
    const char* const value = std::getenv(name);
    if (value != nullptr && *value != '\0') {
      return speaks_chinese(value) ? Language::kChinese : Language::kEnglish;
    }
  }
  return Language::kEnglish;
}

bool wants_colour(std::string_view choice, int descriptor) {
  if (choice == "always") return true;
  if (choice == "never") return false;
  const char* const no_colour = std::getenv("NO_COLOR");
  if (no_colour != nullptr && *no_colour != '\0') return false;
  return ::isatty(descriptor) == 1;
}

extern "C" void interrupted(int) { ::_exit(kInterrupted); }

int run(int argc, const char* const* argv) {
  Context context;
  context.language = find_language(argc, argv);
  CLI::App app{context.tr("Meiguan: access and security gateway of an e-government extranet",
                          "梅关：政务外网接入与安全网关"),
               "meiguan"};
  set_language(app, context.language);
  app.fallthrough();
  app.require_subcommand(0, 1);
  app.set_help_flag("-h,--help", context.tr("print this help", "显示帮助"));
  app.set_version_flag("--version", "meiguan " MEIGUAN_VERSION,
                       context.tr("print the version", "显示版本"));
  std::string language;
  std::string colour = "auto";
  app.add_option("--lang", language, context.tr("language of messages", "消息语言"))
      ->check(CLI::IsMember({"en", "zh"}));
  app.add_option("--color", colour, context.tr("colour of messages", "消息颜色"))
      ->check(CLI::IsMember({"auto", "always", "never"}));
  app.add_option("-o,--output", context.format_name, context.tr("form of the output", "输出格式"))
      ->check(CLI::IsMember({"table", "json", "jsonl", "csv", "junit", "sarif", "md", "html"}));
  app.add_option("--columns", context.columns,
                 context.tr("columns to show, separated by commas", "要显示的列，逗号分隔"));
  app.add_flag("--no-headers", context.no_headers, context.tr("no header line", "不显示表头"));
  app.add_option("--sort", context.sort,
                 context.tr("column to sort by, -COLUMN: descending", "排序的列，-列名 为降序"));
  app.add_option("--limit", context.limit, context.tr("rows at most", "最多行数"));
  app.add_option("--run-dir", context.run_dir,
                 context.tr("where meiguan-controld has its socket",
                            "meiguan-controld 套接字所在目录"))
      ->envname("MEIGUAN_RUN_DIR");
  app.add_option("--server", context.remote.server,
                 context.tr("ask the meiguan-controld at https://HOST:PORT in place of this box's",
                            "询问 https://主机:端口 处的 meiguan-controld，而非本机的"))
      ->envname("MEIGUAN_SERVER");
  app.add_option("--certificate", context.remote.certificate,
                 context.tr("with --server: your own certificate, PEM",
                            "与 --server 同用：自己的 PEM 证书"))
      ->envname("MEIGUAN_CERTIFICATE");
  app.add_option("--key", context.remote.key,
                 context.tr("with --server: its private key", "与 --server 同用：证书私钥"))
      ->envname("MEIGUAN_KEY");
  app.add_option("--authority", context.remote.authority,
                 context.tr("with --server: who signed the server's certificate, PEM",
                            "与 --server 同用：签发服务器证书的 CA，PEM"))
      ->envname("MEIGUAN_AUTHORITY");

  Action chosen;
  add_policy_commands(app, context, chosen);
  add_explain_command(app, context, chosen);
  add_prove_command(app, context, chosen);
  add_replay_command(app, context, chosen);
  add_reference_commands(app, context, chosen);
  add_live_commands(app, context, chosen);
  add_stats_commands(app, context, chosen);
  add_approve_command(app, context, chosen);
  add_audit_command(app, context, chosen);
  add_doctor_command(app, context, chosen);
  add_block_commands(app, context, chosen);
  add_capture_command(app, context, chosen);
  add_change_commands(app, context, chosen);
  add_revision_commands(app, context, chosen);
  add_completion_command(app, context, chosen);
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& success) {  // --help, --version
    return app.exit(success) == 0 ? kYes : kBadInput;
  } catch (const CLI::ParseError& error) {
    context.colour_errors = wants_colour(colour, STDERR_FILENO);
    complain_of_usage(context, app, error);
    return kBadInput;
  }
  context.colour_errors = wants_colour(colour, STDERR_FILENO);
  if (!chosen) {
    std::fputs(app.help().c_str(), stderr);
    return kBadInput;
  }
  return chosen();
}

}  // namespace
}  // namespace meiguan::cli

int main(int argc, char** argv) {
  std::signal(SIGINT, meiguan::cli::interrupted);
  // A reader that goes away is seen by write(), see Out.
  std::signal(SIGPIPE, SIG_IGN);
  try {
    return meiguan::cli::run(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "meiguan: error: %s\n", error.what());
    return meiguan::cli::kBadInput;
  }
}
