#include "controlplane/daemon/syslog_out.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/json.hpp>

#include "controlplane/analysis/names.h"
#include "controlplane/daemon/answers.h"
#include "dataplane/fastpath/reason.h"

namespace meiguan::daemon {
namespace {

namespace json = boost::json;

syslog::Sender this_host() {
  std::array<char, 256> name{};
  static_cast<void>(::gethostname(name.data(), name.size() - 1));
  return {name.data(), static_cast<std::uint32_t>(::getpid())};
}

// "tls://siem.example:6514" as the name of a file.
std::string file_name(const std::string& server) {
  std::string name;
  for (const char c : server) {
    const bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                          (c >= '0' && c <= '9') || c == '.' || c == '-';
    name += is_plain ? c : '_';
  }
  return name;
}

syslog::Message message_of(const fastpath::Event& event, report::WallTime at,
                           const policy::Catalog& catalog) {
  const bool is_attack = event.kind == fastpath::EventKind::kAttack;
  syslog::Message message;
  message.facility = syslog::Facility::kSecurity;
  message.severity = is_attack ? syslog::Severity::kAlert : syslog::Severity::kWarning;
  message.milliseconds =
      std::chrono::duration_cast<std::chrono::milliseconds>(at.time_since_epoch()).count();
  std::string_view what = "unknown";
  if (is_attack) {
    if (const auto* const info = fastpath::find_attack(event.attack)) what = info->name;
  } else if (const auto* const info = fastpath::find_reason(event.reason)) {
    what = info->name;
  }
  message.id = what;
  message.data = {{"kind", is_attack ? "attack" : "denial"},
                  {"what", std::string{what}},
                  {"packets", std::to_string(event.packets)}};
  auto row = event_row(analysis::Names{catalog}, event);
  row.emplace("packets", event.packets);
  message.text = json::serialize(row);
  return message;
}

}  // namespace

Result<std::unique_ptr<SyslogOut>> SyslogOut::make(const std::vector<syslog::Settings>& servers,
                                                   const std::filesystem::path& state_dir,
                                                   Gate& gate) {
  std::unique_ptr<SyslogOut> out{new SyslogOut};
  for (const auto& server : servers) {
    auto link = syslog::make_link(server);
    if (!link) return std::unexpected{link.error()};
    out->forwarders_.push_back(std::make_unique<syslog::Forwarder>(
        server, syslog::Places{state_dir / "audit", state_dir / "syslog" / file_name(server.name)},
        this_host(), std::move(*link), [&gate](const std::string& event, json::object detail) {
          gate.note(event, std::move(detail));
        }));
  }
  return out;
}

void SyslogOut::heard(const fastpath::Event& event, report::WallTime at,
                      const policy::Catalog& catalog) {
  const auto kind = event.kind == fastpath::EventKind::kAttack ? syslog::EventKind::kAttack
                                                               : syslog::EventKind::kDenial;
  for (const auto& forwarder : forwarders_) {
    forwarder->events().offer(kind, event.packets, std::chrono::steady_clock::now(),
                              [&] { return message_of(event, at, catalog); });
  }
}

std::vector<Gate::Alarm> SyslogOut::alarms() const {
  std::vector<Gate::Alarm> alarms;
  for (const auto& forwarder : forwarders_) {
    const auto state = forwarder->state();
    if (!state.is_up && !state.why.english.empty()) {
      alarms.push_back({"syslog-away", fmt::format("{}; {} audit records wait", state.why.english,
                                                   state.waiting)});
    }
    if (state.lost > 0) {
      alarms.push_back({"syslog-lost", fmt::format("{}: {} audit records were removed before they "
                                                   "could be sent",
                                                   state.name, state.lost)});
    }
  }
  return alarms;
}

}  // namespace meiguan::daemon
