#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

#include "dataplane/base/result.h"

namespace meiguan::lifecycle {

// Puts `bytes` at `path` whole or not at all: written beside it, synced, renamed over it.
[[nodiscard]] Result<void> write_atomically(const std::filesystem::path& path,
                                            std::span<const std::byte> bytes, unsigned mode = 0644);
[[nodiscard]] Result<void> write_atomically(const std::filesystem::path& path,
                                            std::string_view text, unsigned mode = 0644);

// Makes what was renamed or removed in a directory last over a power cut, where it can be synced.
void sync_directory(const std::filesystem::path& directory);

// The whole file; errors where it cannot be read or has more than `limit` bytes.
[[nodiscard]] Result<std::string> read_file(const std::filesystem::path& path, std::size_t limit);
// The same of a path that somebody else named: what is no regular file, such as a pipe, which could
// keep us waiting for ever, is an error.
[[nodiscard]] Result<std::string> read_regular_file(const std::filesystem::path& path,
                                                    std::size_t limit);

// A sealed memfd with these bytes: what another process maps can no longer change. The caller
// closes the descriptor.
[[nodiscard]] Result<int> sealed_memfd(std::span<const std::byte> bytes);

}  // namespace meiguan::lifecycle
