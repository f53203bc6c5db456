#pragma once

// The files of a policy as they lie on disk: which there are, which node each belongs to, their
// text. Nothing is known of TOML here.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "dataplane/base/strong_id.h"

namespace meiguan::policy {

class Reporter;

// Limits that end a hostile tree in an error.
inline constexpr std::size_t kMaxFileBytes = std::size_t{16} << 20;
inline constexpr std::size_t kMaxTreeBytes = std::size_t{512} << 20;
inline constexpr std::size_t kMaxFiles = 100'000;
inline constexpr std::size_t kMaxDirectoryDepth = 64;
// Of directories that are looked into, whatever they are: nobody walks a whole machine by mistake.
inline constexpr std::size_t kMaxEntries = 200'000;
static_assert(kMaxEntries >= kMaxFiles);

struct SourceFile {
  std::string path;      // relative to the policy's directory, printable
  std::string text;      // valid UTF-8 without a byte-order mark; empty where it could not be read
  std::string opened{};  // as it can be opened from the working directory; empty: no file
};

// A directory with a node.toml, or the one file of a policy that is a single file.
struct SourceNode {
  NodeId parent;                     // none for the root
  std::uint32_t depth{0};            // 0 for the root
  std::uint32_t node_file{0};        // index of its node.toml
  std::vector<std::uint32_t> files;  // in the order of the contract, node.toml among them
};

struct PolicySource {
  bool single_file{false};
  std::vector<SourceFile> files;
  std::vector<SourceNode> nodes;  // parents before children; never empty
};

// Reads the tree or the file at `path` into `source`. What is wrong is reported; what could be read
// is there all the same, so that its errors are found in the same run.
void read_source(const std::filesystem::path& path, PolicySource& source, Reporter& reporter);

// A file of a tree in memory: its path relative to the policy's directory, its bytes.
struct TreeFile {
  std::string path;
  std::string text;
  bool operator==(const TreeFile&) const = default;
};

// A policy as it was read, to be loaded without its directory: what is kept of it, or sent.
struct PolicyTree {
  bool single_file{false};
  std::vector<TreeFile> files;  // in the order in which a directory is walked; of one file: one
  std::filesystem::path read_from{};  // for messages; empty where there is no such place
};

// The same as read_source of a directory that holds these files and no others. Paths that no
// directory could hold (absolute, `..`, twice the same, a file where a directory is) are errors.
void read_source_tree(const PolicyTree& tree, PolicySource& source, Reporter& reporter);

// A policy of one file that lies in memory.
void read_source_text(std::string_view name, std::string_view text, PolicySource& source,
                      Reporter& reporter);

// Reads the one file at `path` (a link is followed where `follow_link`) as files[0] of `files`.
void read_single_file(const std::filesystem::path& path, bool follow_link,
                      std::vector<SourceFile>& files, Reporter& reporter);

// `text` as files[0] of `files`, with the same checks of its encoding.
void read_single_text(std::string_view name, std::string_view text, std::vector<SourceFile>& files,
                      Reporter& reporter);

}  // namespace meiguan::policy
