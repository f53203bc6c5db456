#pragma once

// Looks every few seconds at which alarms stand at this node, and tells the recorder what is news:
// from there it goes into the store and up the tree.

#include <boost/json/array.hpp>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <stop_token>
#include <thread>

#include "controlplane/report/recorder.h"

namespace meiguan::daemon {

class AlarmWatch {
 public:
  // `look`: as "alarms" of the answer to `status`; of those of kind "limit" the packets since it
  // was called last. By a thread of the watch's.
  using Look = std::function<boost::json::array()>;
  AlarmWatch(Look look, report::Recorder& recorder);
  AlarmWatch(const AlarmWatch&) = delete;
  AlarmWatch& operator=(const AlarmWatch&) = delete;

 private:
  void run(const std::stop_token& stop);

  Look look_;
  report::Recorder& recorder_;
  std::mutex mutex_;
  std::condition_variable_any wake_;
  std::jthread thread_;  // ends before all else goes
};

}  // namespace meiguan::daemon
