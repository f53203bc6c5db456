#include "controlplane/daemon/host_watch.h"

#include <fmt/format.h>
#include <net/if.h>

#include <boost/json/array.hpp>
#include <utility>

#include "controlplane/kernel/backend.h"

namespace meiguan::daemon {
namespace {

namespace json = boost::json;

constexpr std::chrono::hours kShown{24};  // so long `status` tells of a change that was put right

std::map<std::string, unsigned> numbers_of(const std::vector<std::string>& interfaces) {
  std::map<std::string, unsigned> numbers;
  for (const auto& name : interfaces) numbers[name] = ::if_nametoindex(name.c_str());
  return numbers;
}

}  // namespace

host::HostGuard host_guard(const access::Management& management,
                           std::vector<host::DataPort> ports) {
  return {management.networks, management.ports, std::move(ports)};
}

int put_host_table(const access::Management& management, bool in_kernel,
                   const std::filesystem::path& gateway,
                   const std::function<void(const Text&)>& say,
                   const std::function<void(const policy::Diagnostics&)>& report) {
  auto ports = host::data_ports_of_file(gateway);
  if (!ports) {
    report(ports.error());
    return 2;
  }
  if (in_kernel) {
    ports->clear();
    if (auto closed = kernel::close_unless_open(); !closed) {
      say(closed.error().message);
      return 3;
    }
  }
  const auto guard = host_guard(management, std::move(*ports));
  auto netlink = host::Netlink::open();
  if (!netlink) {
    say(netlink.error().message);
    return 3;
  }
  const auto want = host::host_table(guard, host::interfaces_there(guard));
  if (auto put = host::put_table(*netlink, want); !put) {
    say(put.error().message);
    return 3;
  }
  if (management.ports.empty()) {
    say(
        {"the host's table is in place; the appliance file has no [management], so it guards the "
         "data ports only",
         "主机表已就位；设备文件中没有 [management]，只保护数据端口"});
  } else {
    say({"the host's table is in place", "主机表已就位"});
  }
  return 0;
}

HostWatch::HostWatch(Settings settings)
    : settings_{std::move(settings)}, thread_{[this](const std::stop_token& stop) { run(stop); }} {}

void HostWatch::run(const std::stop_token& stop) {
  auto due = Clock::now();
  while (!stop.stop_requested()) {
    auto ports = settings_.ports();
    if (Clock::now() >= due || ports != ports_) {
      look(ports);
      ports_ = std::move(ports);
      due = Clock::now() + settings_.interval;
    }
    std::unique_lock lock{mutex_};
    wake_.wait_for(lock, stop, std::chrono::seconds{1}, [] { return false; });
  }
}

void HostWatch::look(const std::vector<host::DataPort>& ports) {
  auto netlink = host::Netlink::open();
  if (!netlink) return fails(netlink.error().message);
  const auto guard = host_guard(settings_.management, ports);
  const auto interfaces = host::interfaces_there(guard);
  const auto want = host::host_table(guard, interfaces);
  const auto difference = host::check_table(*netlink, want);
  if (!difference) return fails(difference.error().message);
  auto there = numbers_of(interfaces);
  // What the appliance itself changed is no tampering: its ports, or interfaces that came and went.
  const bool new_ports = looked_ && ports != ports_;
  const bool new_interfaces = !looked_ || there != there_;
  if (!difference->none()) {
    mend(*netlink, want, *difference, new_ports || (new_interfaces && difference->only_ingress()));
  } else {
    const std::lock_guard lock{mutex_};
    trouble_.clear();
  }
  there_ = std::move(there);
  looked_ = true;
}

void HostWatch::mend(host::Netlink& netlink, const host::NftTable& want,
                     const host::Difference& difference, bool expected) {
  const auto words = difference.words();
  const auto put = host::put_table(netlink, want);
  if (!put) fails(put.error().message);
  if (expected) {
    if (put) {
      settings_.say({"the host's table follows the data ports", "主机表已随数据端口更新"});
    }
  } else {
    const Text text{fmt::format("the host's table `inet {}` was changed from outside: {}{}",
                                want.name, words.english, put ? "; it has been put right" : ""),
                    fmt::format("主机表 `inet {}` 被外部改动：{}{}", want.name, words.chinese,
                                put ? "；已恢复" : "")};
    settings_.say(text);
    settings_.note("host-table", {{"changed", words.english}, {"put-right", put.has_value()}});
    const std::lock_guard lock{mutex_};
    changed_ = text.english;
    changed_at_ = Clock::now();
  }
  if (!put) return;
  const std::lock_guard lock{mutex_};
  trouble_.clear();
}

void HostWatch::fails(const Text& why) {
  {
    const std::lock_guard lock{mutex_};
    if (trouble_ == why.english) return;
    trouble_ = why.english;
  }
  settings_.say(why);
  settings_.note("host-table", {{"failed", why.english}});
}

void HostWatch::add_alarms(json::object& answer) const {
  auto* const alarms = answer.if_contains("alarms");
  if (alarms == nullptr || !alarms->is_array()) return;
  const auto add = [&](const char* name, const std::string& about) {
    alarms->get_array().push_back(json::object{{"alarm", name},
                                               {"kind", "host"},
                                               {"about", about},
                                               {"packets", nullptr},
                                               {"since", nullptr}});
  };
  const std::lock_guard lock{mutex_};
  if (!trouble_.empty()) add("host-table-unguarded", trouble_);
  if (!changed_.empty() && Clock::now() - changed_at_ < kShown) add("host-table-changed", changed_);
}

}  // namespace meiguan::daemon
