#pragma once

// What is to go up the tree, on disk until the parent has it. Segments are files of records,
// alarms, denials, bulk and flow records each apart, oldest first; a segment whose records are all
// done is removed. After a restart a segment that was done in part is sent again from its begin:
// the parent knows what it has.

#include <array>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "controlplane/uplink/batch_record.h"

namespace meiguan::uplink {

struct SpoolOptions {
  std::filesystem::path directory;
  std::uint64_t cap_bytes{std::uint64_t{256} << 20};      // of all segments; 4 segments at least
  std::uint64_t segment_bytes{std::uint64_t{256} << 10};  // of one; a record more may stand in it
};

class Spool {
 public:
  struct Entry {
    std::size_t stream;
    std::uint64_t segment;
    std::size_t index;  // of the record in its segment
    std::string record;
  };
  struct Status {
    std::uint64_t batches{0};  // that wait
    std::uint64_t bytes{0};
    std::uint64_t dropped{0};        // batches that were too many or unreadable, since ever
    std::uint64_t dropped_flows{0};  // of these, flow records
    std::uint64_t refused{0};        // that the parent would not have, since the start
  };

  // Errors: the directory cannot be had. A torn end is cut off: what stands there was not promised.
  [[nodiscard]] static Result<std::unique_ptr<Spool>> open(SpoolOptions options);
  ~Spool();
  Spool(const Spool&) = delete;
  Spool& operator=(const Spool&) = delete;

  // Whole records; they last when it returns. Errors (disk full): none of them is in the spool.
  // What goes beyond the cap is dropped: flow records first, then bulk, then denials, alarms
  // last; oldest first.
  [[nodiscard]] Result<void> append(std::span<const std::string> records);
  // Those that go next, alarms first, then denials, flow records last, up to so many bytes but one
  // at least.
  [[nodiscard]] std::vector<Entry> next(std::size_t bytes) const;
  // It need not be sent again. Entries of one stream are done in order.
  void done(const Entry& entry, bool refused = false);
  // All records that wait, stream by stream; false ends it.
  void each(const std::function<bool(const Record&)>& take) const;
  [[nodiscard]] Status status() const;

 private:
  struct Segment {
    std::uint64_t number{0};
    std::vector<std::uint64_t> ends;  // of records
    std::size_t done{0};
    [[nodiscard]] std::uint64_t bytes() const { return ends.empty() ? 0 : ends.back(); }
  };
  explicit Spool(SpoolOptions options) : options_{std::move(options)} {}
  [[nodiscard]] std::filesystem::path path_of(std::size_t stream, std::uint64_t number) const;
  [[nodiscard]] Result<void> load();
  void load_segment(std::size_t stream, std::uint64_t number, bool last);
  [[nodiscard]] Result<void> put(std::size_t stream, std::span<const std::string* const> records);
  void take_back(std::size_t stream, std::uint64_t segment, std::size_t records);
  void keep_cap();
  void remove_front(std::size_t stream);
  void save_dropped() const;
  [[nodiscard]] std::string read(std::size_t stream, const Segment& segment, std::size_t from,
                                 std::size_t until) const;

  SpoolOptions options_;
  mutable std::mutex mutex_;
  std::array<std::deque<Segment>, store::kStreams> segments_;
  std::uint64_t next_number_{1};
  std::uint64_t dropped_{0};
  std::uint64_t dropped_flows_{0};
  std::uint64_t refused_{0};
};

}  // namespace meiguan::uplink
