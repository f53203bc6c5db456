#include "controlplane/daemon/alarm_watch.h"

#include <boost/json.hpp>
#include <chrono>
#include <utility>
#include <vector>

#include "controlplane/api/protocol.h"
#include "controlplane/report/alarm_book.h"

namespace meiguan::daemon {
namespace {

namespace json = boost::json;

constexpr std::chrono::seconds kLookEvery{2};

std::vector<report::SeenAlarm> seen_of(const json::array& alarms) {
  std::vector<report::SeenAlarm> seen;
  for (const auto& one : alarms) {
    if (!one.is_object()) continue;
    const auto& object = one.get_object();
    report::SeenAlarm alarm;
    alarm.name = api::string_at(object, "alarm");
    alarm.kind = api::string_at(object, "kind");
    alarm.about = api::string_at(object, "about");
    if (const auto* const packets = object.if_contains("packets");
        packets != nullptr && packets->is_number()) {
      alarm.packets = packets->to_number<std::int64_t>();
    }
    alarm.adds = alarm.kind == "limit";
    seen.push_back(std::move(alarm));
  }
  return seen;
}

}  // namespace

AlarmWatch::AlarmWatch(Look look, report::Recorder& recorder)
    : look_{std::move(look)}, recorder_{recorder}, thread_{[this](const std::stop_token& stop) {
        run(stop);
      }} {}

void AlarmWatch::run(const std::stop_token& stop) {
  report::AlarmBook book;
  std::unique_lock lock{mutex_};
  while (!stop.stop_requested()) {
    lock.unlock();
    const auto now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
    if (auto alarms = book.take(seen_of(look_()), now)) {
      recorder_.report_alarms(std::move(*alarms), now);
    }
    lock.lock();
    wake_.wait_for(lock, stop, kLookEvery, [] { return false; });
  }
}

}  // namespace meiguan::daemon
