#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "dataplane/base/text.h"
#include "dataplane/runtime/failure.h"
#include "dataplane/runtime/log.h"

namespace meiguan::runtime {

// What the command line asks for.
struct Options {
  std::filesystem::path run_dir{"/run/meiguan"};
  std::filesystem::path state_dir{"/var/lib/meiguan"};
  std::filesystem::path image;
  std::uint32_t flows{1U << 20};  // of each worker
  std::uint32_t neighbours{1U << 16};
  std::uint32_t routes{1U << 14};  // learned from the kernel
  std::uint32_t events{1U << 16};  // of each worker's ring, a power of two
  std::uint32_t packets{0};        // packet buffers; 0: as many as the ports need
  bool no_huge{false};
  std::uint32_t memory_mb{0};     // 0: as the data plane sees fit
  int main_core{-1};              // -1: the first core that the process may use
  std::vector<int> worker_cores;  // empty: all others
  std::string file_prefix;        // empty: one of this process alone
  bool check{false};
  Language language{Language::kEnglish};
  Level log_level{Level::kInfo};
};

// Reads the command line. Prints help, version or what is wrong by itself and leaves the exit code
// in `exit_code` where the program is not to go on; then there are no options.
struct CommandLine {
  bool proceed{false};
  int exit_code{0};
  Options options;
};
[[nodiscard]] CommandLine read_command_line(int argc, char** argv);

// "2,4-6" as 2, 4, 5, 6; an error for anything else.
[[nodiscard]] Result<std::vector<int>> parse_cores(const std::string& text);

}  // namespace meiguan::runtime
