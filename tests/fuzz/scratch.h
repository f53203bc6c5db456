#pragma once

// Files for what reads files: the fuzzed bytes as they would lie on a disk.

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

namespace meiguan::fuzz {

// A directory that is empty for every input; in memory where there is such a place. Gone at the
// end.
inline std::filesystem::path scratch() {
  namespace fs = std::filesystem;
  static const fs::path kPath = [] {
    std::error_code error;
    const fs::path memory{"/dev/shm"};
    const auto base = fs::is_directory(memory, error) ? memory : fs::temp_directory_path();
    return base / ("meiguan-fuzz-" + std::to_string(::getpid()));
  }();
  static const bool kOnce = std::atexit([] {
                              std::error_code ignored;
                              fs::remove_all(kPath, ignored);
                            }) == 0;
  static_cast<void>(kOnce);
  std::error_code error;
  fs::remove_all(kPath, error);
  fs::create_directories(kPath, error);
  return kPath;
}

inline void put(const std::filesystem::path& path, std::string_view bytes) {
  std::ofstream file{path, std::ios::binary};
  file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

}  // namespace meiguan::fuzz
