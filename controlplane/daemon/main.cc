// meiguan-controld: loads and publishes policy, collects what the data plane counts, answers on
// its local socket. The data plane goes on forwarding without it.

#include <sys/stat.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <boost/asio.hpp>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <iterator>
#include <memory>
#include <optional>

#include "controlplane/api/protocol.h"
#include "controlplane/api/server.h"
#include "controlplane/daemon/alarm_watch.h"
#include "controlplane/daemon/api_door.h"
#include "controlplane/daemon/gate.h"
#include "controlplane/daemon/host_watch.h"
#include "controlplane/daemon/service.h"
#include "controlplane/daemon/stats_request.h"
#include "controlplane/daemon/syslog_out.h"
#include "controlplane/export/metrics_server.h"
#include "controlplane/kernel/expressible.h"
#include "dataplane/base/service_manager.h"

namespace meiguan::daemon {
namespace {

namespace asio = boost::asio;

constexpr std::size_t kWorkers = 2;  // a slow compile must not keep `status` waiting

Language language_of_environment() {
  for (const char* const name : {"LC_ALL", "LC_MESSAGES", "LANG"}) {
    const char* const value = std::getenv(name);
    if (value != nullptr && *value != '\0') {
      return std::string_view{value}.starts_with("zh") ? Language::kChinese : Language::kEnglish;
    }
  }
  return Language::kEnglish;
}

void say(Language language, const Text& text) {
  std::fprintf(stderr, "meiguan-controld: %s\n", text.in(language).c_str());
}

void report(Language language, const policy::Diagnostics& diagnostics) {
  for (const auto& diagnostic : diagnostics) {
    std::fputs(policy::render(diagnostic, language, false).c_str(), stderr);
  }
}

void report(Language language, const Refusal& refusal) {
  say(language, refusal.why);
  report(language, refusal.diagnostics);
}

// "1m=48h"; false where it is no such text.
bool take_keep(std::string_view text, store::Retention& keep) {
  const auto equals = text.find('=');
  if (equals == std::string_view::npos) return false;
  const auto span = parse_span(text.substr(equals + 1));
  for (std::size_t i = 0; i < store::kLongest; ++i) {
    if (store::kResolution[i].name != text.substr(0, equals)) continue;
    if (!span || *span < store::kResolution[i].step) return false;
    keep[i] = *span;
    return true;
  }
  return false;
}

// `path` is filled in where it is empty and there is such a file; without one nothing is
// configured.
std::expected<access::Appliance, policy::Diagnostics> load_appliance(std::filesystem::path& path) {
  const std::filesystem::path usual{"/etc/meiguan/appliance.toml"};
  std::error_code error;
  if (path.empty() && std::filesystem::exists(usual, error)) path = usual;
  if (path.empty()) return access::Appliance{};
  return access::load_appliance(path);
}

// So that who has a role can connect. A service that may not change owners runs in that group.
Result<void> give_socket(const std::filesystem::path& path, const std::optional<gid_t>& group) {
  struct stat status {};
  if (!group || (::stat(path.c_str(), &status) == 0 && status.st_gid == *group)) return {};
  if (::chown(path.c_str(), static_cast<uid_t>(-1), *group) == 0) return {};
  return fail(path.string() + ": cannot be given to the group of [roles] socket_group",
              path.string() + "：无法交给 [roles] socket_group 的用户组");
}

int run(int argc, const char* const* argv) {
  const auto language = language_of_environment();
  CLI::App app{"Meiguan control plane", "meiguan-controld"};
  Settings settings;
  app.add_option(
      "--policy", settings.changes.policy,
      "the first policy, a directory or one file; later the one applied last is in force");
  app.add_option("--gateway", settings.changes.gateway, "the gateway file")->required();
  app.add_option("--run-dir", settings.run_dir, "sockets");
  app.add_option("--state-dir", settings.changes.state_dir, "what lasts over restarts");
  std::string stats_dir;
  std::vector<std::string> keep;
  std::uint64_t flow_record_mib = settings.flow_record_bytes >> 20;
  app.add_option("--stats-dir", stats_dir, "the statistics store; STATE-DIR/stats by default");
  app.add_option("--stats-postgres", settings.stats_postgres,
                 "the statistics store in PostgreSQL: a connection string; no password in it, "
                 "libpq reads that from its own file");
  app.add_option("--keep", keep, "RESOLUTION=SPAN, as 1m=48h, 5m=14d, 1h=400d, 1d=1825d");
  app.add_option("--flow-records-mib", flow_record_mib,
                 "records of flows on disk, at most; 0: none");
  std::uint64_t port_block_mib = settings.port_block_bytes >> 20;
  app.add_option("--port-blocks-mib", port_block_mib,
                 "the log of port blocks on disk, at most; 1 at least")
      ->check(CLI::Range(std::uint64_t{1}, std::uint64_t{1} << 20));
  std::filesystem::path appliance_file;
  app.add_option("--appliance", appliance_file,
                 "signers, roles, audit; by default /etc/meiguan/appliance.toml where it is");
  app.add_option("--keep-revisions", settings.changes.keep,
                 "how many revisions are kept, 2 at least")
      ->check(CLI::Range(lifecycle::RevisionStore::kLeastKept, std::size_t{100'000}));
  std::string backend = "dataplane";
  app.add_option("--backend", backend,
                 "what forwards: the data plane, or the kernel's nftables on a box without one")
      ->check(CLI::IsMember({"dataplane", "kernel"}));
  bool host_table_only = false;
  bool keeps_host_table = false;
  std::int64_t host_table_seconds = 60;
  app.add_flag("--host-table", host_table_only,
               "put the host's own nftables table in place, by the gateway and the appliance file, "
               "and end: before the data plane starts");
  app.add_flag("--keep-host-table", keeps_host_table,
               "look at that table every minute, and put it right");
  app.add_option("--host-table-seconds", host_table_seconds, "how often our tables are looked at")
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{3600}));
  app.set_version_flag("--version", "meiguan-controld " MEIGUAN_VERSION);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  const auto log = [language](const Text& text) { say(language, text); };
  if (settings.changes.policy.empty() && !host_table_only) {
    log({"--policy is missing: the first policy, a directory or one file",
         "缺少 --policy：首个策略，目录或单个文件"});
    return 2;
  }
  for (const auto& one : keep) {
    if (take_keep(one, settings.keep)) continue;
    say(language,
        {"--keep " + one + ": should be a resolution (1m, 5m, 1h, 1d), = and a span (48h)",
         "--keep " + one + "：应为分辨率（1m、5m、1h、1d）、等号和时长（48h）"});
    return 2;
  }
  const auto appliance = load_appliance(appliance_file);
  if (!appliance) {
    report(language, appliance.error());
    return 2;
  }
  settings.in_kernel = backend == "kernel";
  settings.look_every = std::chrono::seconds{host_table_seconds};
  if (settings.in_kernel) settings.changes.objections = kernel::inexpressible;
  if (host_table_only) {
    return put_host_table(appliance->management, settings.in_kernel, settings.changes.gateway, log,
                          [language](const policy::Diagnostics& diagnostics) {
                            report(language, diagnostics);
                          });
  }
  settings.flow_record_bytes = flow_record_mib << 20;
  settings.port_block_bytes = port_block_mib << 20;
  if (!stats_dir.empty()) settings.stats_dir = std::filesystem::absolute(stats_dir);
  std::error_code error;
  std::filesystem::create_directories(settings.run_dir, error);
  std::filesystem::create_directories(settings.changes.state_dir, error);
  settings.changes.policy = std::filesystem::absolute(settings.changes.policy);
  settings.changes.gateway = std::filesystem::absolute(settings.changes.gateway);

  settings.exports = appliance->exports;
  asio::io_context io;
  asio::thread_pool workers{kWorkers};
  Gate gate{*appliance, settings.changes.state_dir, log};
  gate.note("start", {{"version", MEIGUAN_VERSION},
                      {"policy", settings.changes.policy.string()},
                      {"gateway", settings.changes.gateway.string()},
                      {"appliance", appliance_file.string()}});
  auto first = gate.first_policy(settings.changes.policy);
  if (!first) {
    say(language, first.error().why);
    report(language, first.error().diagnostics);
    gate.note("stop", {{"why", first.error().why.english}});
    return 2;
  }
  settings.changes.policy = std::move(first->policy);
  settings.changes.only = std::move(first->only);
  settings.changes.signature = std::move(first->signature);
  settings.changes.only_signed_before = first->only_signed_before;
  std::unique_ptr<TreeLink> tree;
  if (appliance->uplink || appliance->children) {
    auto made = TreeLink::make(appliance->uplink, appliance->children,
                               settings.changes.state_dir / "spool", log);
    if (!made) {
      say(language, made.error().message);
      gate.note("stop", {{"why", made.error().message.english}});
      return 2;
    }
    tree = std::move(*made);
    settings.tree = tree.get();
  }
  settings.note = [&gate](const std::string& event, boost::json::object detail) {
    gate.note(event, std::move(detail));
  };
  auto syslog_out = SyslogOut::make(appliance->syslog, settings.changes.state_dir, gate);
  if (!syslog_out) {
    say(language, syslog_out.error().message);
    gate.note("stop", {{"why", syslog_out.error().message.english}});
    return 2;
  }
  if (!appliance->syslog.empty()) {
    settings.on_event = [&out = **syslog_out](const fastpath::Event& event, report::WallTime at,
                                              const policy::Catalog& catalog) {
      out.heard(event, at, catalog);
    };
  }
  Service service{settings, log};
  service.on_return([&gate](const lifecycle::Revision& revision) { gate.returned(revision); });
  service.on_capture_end(
      [&gate](boost::json::object detail) { gate.note("capture-over", std::move(detail)); });
  std::unique_ptr<HostWatch> host_watch;  // set before requests are answered
  const auto ask = [&](const boost::json::object& request, const access::Peer& peer) {
    return gate.answer(request, peer, [&](const boost::json::object& wanted) {
      auto answer = service.answer(wanted, peer);
      if (host_watch && api::string_at(wanted, "command") == "status") {
        host_watch->add_alarms(answer);
      }
      return answer;
    });
  };
  api::Server server{io, [&](boost::json::object request, const api::Peer& peer,
                             api::Server::Reply reply) {
                       asio::post(workers,
                                  [&ask, request = std::move(request), peer,
                                   reply = std::move(reply)] { reply(ask(request, peer)); });
                     }};
  if (auto listening = server.listen(settings.run_dir / api::kSocketName); !listening) {
    say(language, listening.error().message);
    return 2;
  }
  if (auto given = give_socket(settings.run_dir / api::kSocketName, appliance->roles.socket_group);
      !given) {
    say(language, given.error().message);
    return 2;
  }
  std::optional<ApiDoor> api;
  if (appliance->api) {
    api.emplace(io, workers, *appliance, settings.changes.state_dir, gate, ask);
    if (auto listening = api->listen(); !listening) {
      say(language, listening.error().message);
      gate.note("stop", {{"why", listening.error().message.english}});
      return 2;
    }
  }
  gate.on_alarms([&out = **syslog_out, &api] {
    auto alarms = out.alarms();
    if (api) std::ranges::move(api->alarms(), std::back_inserter(alarms));
    return alarms;
  });
  // At start there is nothing in force that could stay: a policy with errors ends the daemon, and
  // the data plane goes on with its last good image.
  const auto loaded = service.start();
  if (!loaded) {
    report(language, loaded.error());
    gate.note("stop", {{"why", "no policy could be loaded"}});
    return 2;
  }
  gate.began(loaded->revision);
  if (keeps_host_table) {
    host_watch = std::make_unique<HostWatch>(
        HostWatch::Settings{.management = appliance->management,
                            .interval = std::chrono::seconds{host_table_seconds},
                            .ports = [&service] { return service.data_ports(); },
                            .say = log,
                            .note = settings.note});
  }
  std::unique_ptr<exporting::MetricsServer> metrics;
  if (const auto& wanted = appliance->exports.metrics) {
    auto started = exporting::MetricsServer::start(*wanted, [&service, most = wanted->most](
                                                                exporting::MetricsFormat format) {
      return service.metrics(most, format);
    });
    if (!started) {
      say(language, started.error().message);
      return 2;
    }
    metrics = std::move(*started);
  }
  const AlarmWatch alarm_watch{[&] {
                                 boost::json::object seen{{"alarms", service.alarms_since_last()}};
                                 if (host_watch) host_watch->add_alarms(seen);
                                 gate.add_alarms(seen);
                                 return std::move(seen.at("alarms").as_array());
                               },
                               service.recorder()};
  if (tree) {
    if (auto started = tree->start(io, service.recorder()); !started) {
      say(language, started.error().message);
      gate.note("stop", {{"why", started.error().message.english}});
      return 2;
    }
  }
  say(language, {"ready", "就绪"});
  tell_service_manager("READY=1\nSTATUS=a policy is in force");

  const auto reload = [&] {
    if (!gate.may_reload()) {
      say(language,
          {"SIGHUP: this appliance takes only what is signed or approved; nothing was loaded",
           "SIGHUP：本设备只接受已签名或已批准的策略，没有加载"});
      return;
    }
    if (const auto again = service.reload(); !again) {
      report(language, again.error());
      say(language, {"reload: nothing was loaded, the policy in force stays",
                     "reload：没有加载，继续使用现行策略"});
    } else {
      gate.began(again->revision);
    }
  };
  asio::signal_set signals{io, SIGINT, SIGTERM, SIGHUP};
  std::function<void(const boost::system::error_code&, int)> on_signal;
  on_signal = [&](const boost::system::error_code& failed, int number) {
    if (failed) return;
    gate.note("signal", {{"number", number}});
    if (number == SIGHUP) {
      if (api) {
        if (auto renewed = api->renew(); !renewed) say(language, renewed.error().message);
      }
      asio::post(workers, reload);
      signals.async_wait(on_signal);
      return;
    }
    server.close();
    if (api) api->close();
    io.stop();
  };
  signals.async_wait(on_signal);

  // By the thread that serves the socket: while it goes round, the daemon answers.
  asio::steady_timer alive{io};
  const auto interval = watchdog_interval();
  std::function<void(const boost::system::error_code&)> tell_alive;
  tell_alive = [&](const boost::system::error_code& failed) {
    if (failed) return;
    tell_service_manager("WATCHDOG=1");
    alive.expires_after(*interval);
    alive.async_wait(tell_alive);
  };
  if (interval) tell_alive({});
  io.run();
  tell_service_manager("STOPPING=1");
  if (tree) tree->stop();
  workers.join();
  gate.note("stop", {});
  say(language, {"stopped", "已停止"});
  return 0;
}

}  // namespace
}  // namespace meiguan::daemon

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  try {
    return meiguan::daemon::run(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "meiguan-controld: %s\n", error.what());
    return 2;
  }
}
