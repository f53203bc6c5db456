#pragma once

// Records of flows that ended, on disk: a row of files of which the oldest goes when together they
// are larger than they may be. What was written survives the end of this process at any point; what
// was not yet written is at most the last seconds.

#include <cstdint>
#include <deque>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

#include "controlplane/report/flow_file.h"
#include "controlplane/store/row.h"
#include "dataplane/base/result.h"

namespace meiguan::report {

class FlowRing {
 public:
  // Makes the directory; never writes to a file that another run wrote. `cap_bytes` of all files.
  [[nodiscard]] static Result<std::unique_ptr<FlowRing>> open(
      const std::filesystem::path& directory, std::uint64_t cap_bytes);
  ~FlowRing();
  FlowRing(const FlowRing&) = delete;
  FlowRing& operator=(const FlowRing&) = delete;

  // One line without its end; longer than 64 KiB it is dropped and counted.
  void append(std::int64_t time_ms, std::string_view line);
  // Those of another node, which last when it returns: false where they cannot be written, and
  // count as lost. A batch that it has already is not taken again; of those it knows the latest of
  // each node, also after a kill.
  bool append(const FlowBlockOrigin& origin, const store::FlowLines& lines);
  // Writes what waits; at least every few seconds, so that readers see it.
  void flush();

  // Oldest first, of all blocks that hold some of the time asked for. Safe beside writing.
  [[nodiscard]] FlowFileRead read(std::int64_t since_ms, std::int64_t until_ms,
                                  const FlowLineSink& sink, const FlowBlockChoice& wanted = {});
  // Lines that could not be written (disk full) or were too long.
  [[nodiscard]] std::uint64_t lost() const;
  // On disk.
  [[nodiscard]] std::uint64_t bytes() const;

 private:
  struct File {
    std::filesystem::path path;
    std::uint64_t bytes{0};
  };
  FlowRing(std::filesystem::path directory, std::uint64_t cap_bytes);
  void write_block();
  // Makes room for a block and writes it; false where it could not be.
  [[nodiscard]] bool put(const std::string& block, std::uint32_t lines);
  void load_marks();
  [[nodiscard]] bool begin_file();
  void end_file();

  std::filesystem::path directory_;
  std::uint64_t cap_;
  mutable std::mutex mutex_;
  std::deque<File> files_;  // the oldest first; the last is being written where descriptor_ is one
  std::uint64_t next_{1};   // number of the next file
  int descriptor_{-1};
  std::string lines_;
  std::uint32_t count_{0};
  std::int64_t first_ms_{0};
  std::int64_t last_ms_{0};
  std::uint64_t lost_{0};
  // The latest batch of each other node: epoch and sequence.
  std::map<std::string, std::pair<std::uint64_t, std::uint64_t>, std::less<>> marks_;
};

}  // namespace meiguan::report
