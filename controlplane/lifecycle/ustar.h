#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "dataplane/base/result.h"

namespace meiguan::lifecycle {

inline constexpr std::size_t kTarBlock = 512;

// The header (POSIX.1-2017, pax, "ustar Interchange Format") of a plain file without owner or time.
// Names of more than 100 bytes are divided at a `/`; empty where they cannot be.
[[nodiscard]] std::string tar_header(std::string_view name, std::uint64_t bytes);
void add_tar_entry(std::string& archive, std::string_view name, std::string_view content);
void end_tar(std::string& archive);

// Reads an archive whose headers are exactly those of tar_header().
class TarReader {
 public:
  explicit TarReader(std::string_view archive) : rest_{archive}, all_{archive.size()} {}

  struct Entry {
    std::string name;
    std::string_view content;
  };
  // Errors: cut short, larger than `limit`, another form.
  [[nodiscard]] Result<Entry> next(std::uint64_t limit);
  // The name of the next entry, unchecked; empty at the end.
  [[nodiscard]] std::string peek_name() const;
  // Errors: anything but two blocks of zeros is left.
  [[nodiscard]] Result<void> end() const;

 private:
  std::string_view rest_;
  std::size_t all_;
};

}  // namespace meiguan::lifecycle
