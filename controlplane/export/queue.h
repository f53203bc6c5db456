#pragma once

// What waits for one collector: of fixed size, the oldest goes first. Who puts something in never
// waits for who takes it out.

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <vector>

#include "controlplane/export/ipfix_encoder.h"
#include "controlplane/export/record.h"

namespace meiguan::exporting {

class RecordQueue {
 public:
  explicit RecordQueue(std::size_t capacity);

  void push(const Record& record);
  // At most `most`, the oldest first; waits for one until `until`, or until wake().
  [[nodiscard]] std::vector<Record> take(std::size_t most,
                                         std::chrono::steady_clock::time_point until);
  void wake();

  [[nodiscard]] std::size_t size() const;
  [[nodiscard]] std::size_t capacity() const noexcept { return ring_.size(); }
  [[nodiscard]] NotSent dropped() const;

 private:
  mutable std::mutex mutex_;
  std::condition_variable filled_;
  std::vector<Record> ring_;
  std::size_t first_{0};
  std::size_t count_{0};
  bool awake_{false};
  NotSent dropped_;
};

}  // namespace meiguan::exporting
