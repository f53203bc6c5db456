#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace meiguan::syslog {

struct Record {
  std::uint64_t number{0};
  std::string line;  // as it stands in the file, with its hash
};

// Reads the audit log from a record on, in order, while it is being written. What it has given out
// is on disk: it never goes beyond the log's head.
class LogReader {
 public:
  // Begins behind the record of that number; 0: at the beginning.
  LogReader(std::filesystem::path directory, std::uint64_t after);

  struct Batch {
    std::vector<Record> records;
    std::uint64_t lost{0};   // records before these, or among them, that are gone
    bool began_anew{false};  // the log is another one: its numbers are lower
  };
  // The next records, `most` at most; none where there are no more at present.
  [[nodiscard]] Batch read(std::size_t most);
  // Back to behind that record.
  void go_to(std::uint64_t after);
  // Records that are there and were not read.
  [[nodiscard]] std::uint64_t behind() const;

 private:
  [[nodiscard]] std::uint64_t head() const;
  void find_file();
  [[nodiscard]] bool next_file();
  [[nodiscard]] bool read_file(Batch& batch, std::size_t most, std::uint64_t last);

  const std::filesystem::path directory_;
  std::uint64_t after_;
  std::uint64_t file_{0};  // its number; 0: to be found
  std::uint64_t offset_{0};
};

}  // namespace meiguan::syslog
