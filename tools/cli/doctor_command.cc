// meiguan doctor: what the machine lacks, and what to do about it.

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iterator>
#include <memory>

#include "controlplane/host/doctor.h"
#include "tools/cli/doctor_certificates.h"
#include "tools/cli/load.h"
#include "tools/cli/table.h"

namespace meiguan::cli {
namespace {

namespace json = boost::json;
using host::Health;

struct Options {
  std::string policy;
  std::string gateway;
  std::string state_dir{"/var/lib/meiguan"};
  std::string appliance{"/etc/meiguan/appliance.toml"};
};

struct HealthWord {
  std::string_view key;
  Text text;
};

HealthWord word_of(Health health) {
  switch (health) {
    case Health::kGood: return {"good", {"good", "正常"}};
    case Health::kWarning: return {"warning", {"warning", "注意"}};
    case Health::kBad: break;
  }
  return {"bad", {"bad", "异常"}};
}

int run(const Context& context, const Options& options) {
  const auto format = context.format(kRowForms, kRowForms);
  if (!format) return kBadInput;
  if (options.gateway.empty() != options.policy.empty()) {
    complain(context,
             {"--gateway and --policy go together: a gateway file names the policy's zones",
              "--gateway 与 --policy 须同时给出：网关文件引用策略中的区域"});
    return kBadInput;
  }
  std::unique_ptr<const lifecycle::Bundle> bundle;
  host::Machine machine;
  machine.state_dir = options.state_dir;
  machine.run_dir = context.run_dir;
  if (!options.gateway.empty()) {
    bundle = load(context, options.policy, options.gateway);
    if (!bundle) return kBadInput;
    machine.ports = bundle->gateway->ports;
  }
  auto remarks = host::examine(machine);
  std::ranges::move(examine_certificates(options.appliance, *lifecycle::decide_from_now().from),
                    std::back_inserter(remarks));
  Table table;
  table.schema = "meiguan.doctor/v1";
  table.columns = {{"check", {"CHECK", "检查项"}},
                   {"health", {"HEALTH", "状况"}},
                   {"found", {"FOUND", "现状"}},
                   {"fix", {"WHAT TO DO", "处理办法"}}};
  for (const host::Remark& remark : remarks) {
    const HealthWord word = word_of(remark.health);
    table.rows.push_back(
        {json::value(remark.check), Cell(json::value(word.key), context.tr(word.text)),
         json::value(context.tr(remark.found)), json::value(context.tr(remark.fix))});
  }
  {
    Out out;
    if (const int code = print(std::move(table), context, *format, out); code != kYes) return code;
  }
  const bool bad = std::ranges::any_of(remarks, [](const host::Remark& remark) {
    return remark.health == Health::kBad;
  });
  return bad ? kNo : kYes;
}

}  // namespace

void add_doctor_command(CLI::App& app, Context& context, Action& chosen) {
  auto* const command =
      app.add_subcommand("doctor",
                         context.tr("what this machine lacks for the gateway, and what to do",
                                    "检查本机是否具备运行网关的条件，并给出处理办法"));
  auto options = std::make_shared<Options>();
  command->add_option("--policy", options->policy,
                      context.tr("the policy: a directory or one file", "策略目录或单个文件"));
  command->add_option("--gateway", options->gateway,
                      context.tr("the gateway file, whose ports are looked at, too",
                                 "网关文件：同时检查其中的端口"));
  command->add_option("--state-dir", options->state_dir,
                      context.tr("what lasts over restarts", "状态目录"));
  command->add_option("--appliance", options->appliance,
                      context.tr("the appliance file, whose certificates are looked at, too",
                                 "设备文件：同时检查其中的证书"));
  command->callback([&context, &chosen, options] {
    chosen = [&context, options] { return run(context, *options); };
  });
}

}  // namespace meiguan::cli
