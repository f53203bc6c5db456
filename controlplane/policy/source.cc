#include "controlplane/policy/source.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>
#include <system_error>
#include <utility>

#include "controlplane/policy/message.h"
#include "controlplane/policy/reporter.h"
#include "controlplane/policy/utf8.h"

namespace meiguan::policy {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kNodeFile = "node.toml";
constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";

// A file descriptor that closes itself.
class Descriptor {
 public:
  explicit Descriptor(int number) noexcept : number_{number} {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  [[nodiscard]] int number() const noexcept { return number_; }

 private:
  int number_;
};

Place start_of(std::uint32_t file) { return Place{file, 1, 1}; }

std::string error_name(int code) { return std::generic_category().message(code); }

void report_unreadable(Reporter& reporter, std::uint32_t file, int code) {
  reporter.add_unreadable_file();
  reporter.error(start_of(file), say("cannot be read: {}", "无法读取：{}", error_name(code)));
}

// The bytes at `path`; reports and gives nothing where they cannot be had or are too many.
std::optional<std::string> read_bytes(const fs::path& path, bool follow_link, std::uint32_t file,
                                      Reporter& reporter) {
  // O_NOFOLLOW closes the gap between looking at the name and opening it; O_NONBLOCK keeps a pipe
  // without a writer from holding us.
  const int flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | (follow_link ? 0 : O_NOFOLLOW);
  const Descriptor descriptor{::open(path.c_str(), flags)};
  if (descriptor.number() < 0) {
    if (errno == ELOOP && !follow_link) {
      reporter.add_unreadable_file();
      reporter.error(start_of(file), say("is a symbolic link, a policy holds files only",
                                         "是符号链接，策略目录中只能有文件"));
    } else {
      report_unreadable(reporter, file, errno);
    }
    return std::nullopt;
  }
  struct stat status {};
  if (::fstat(descriptor.number(), &status) != 0) {
    report_unreadable(reporter, file, errno);
    return std::nullopt;
  }
  if (!S_ISREG(status.st_mode)) {
    reporter.add_unreadable_file();
    reporter.error(start_of(file), say("is not a regular file", "不是普通文件"));
    return std::nullopt;
  }
  std::string bytes;
  bytes.resize(std::min(static_cast<std::size_t>(status.st_size), kMaxFileBytes) + 1);
  std::size_t have = 0;
  while (have <= kMaxFileBytes) {
    if (have == bytes.size()) bytes.resize(std::min(have * 2, kMaxFileBytes + 1));
    const ssize_t got = ::read(descriptor.number(), bytes.data() + have, bytes.size() - have);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      report_unreadable(reporter, file, errno);
      return std::nullopt;
    }
    if (got == 0) break;
    have += static_cast<std::size_t>(got);
  }
  if (have > kMaxFileBytes) {
    reporter.add_unreadable_file();
    reporter.error(start_of(file), say("is larger than {} MiB, the limit of a file",
                                       "超过单个文件 {} MiB 的上限", kMaxFileBytes >> 20));
    return std::nullopt;
  }
  bytes.resize(have);
  return bytes;
}

Place place_of_offset(std::uint32_t file, std::string_view text, std::size_t offset) {
  const std::string_view before = text.substr(0, offset);
  const std::size_t line_start = before.rfind('\n') + 1;  // npos + 1 is 0
  return Place{file, static_cast<std::uint32_t>(std::count(before.begin(), before.end(), '\n') + 1),
               static_cast<std::uint32_t>(count_characters(before.substr(line_start)) + 1)};
}

// Checks the encoding of `bytes`. Bad bytes become '?', so that the rest of the file is still read.
std::string checked_text(std::string bytes, std::uint32_t file, Reporter& reporter) {
  if (bytes.starts_with(kByteOrderMark)) {
    reporter.error(start_of(file),
                   say("the file begins with a byte-order mark, plain UTF-8 expected",
                       "文件以字节顺序标记（BOM）开头，应为不带 BOM 的 UTF-8"),
                   say("save it as UTF-8 without BOM", "请另存为不带 BOM 的 UTF-8"));
    bytes.erase(0, kByteOrderMark.size());
  }
  if (const auto bad = find_invalid_utf8(bytes)) {
    reporter.error(place_of_offset(file, bytes, *bad),
                   say("byte 0x{:02x} is not UTF-8 text", "字节 0x{:02x} 不是 UTF-8 文本",
                       static_cast<unsigned>(static_cast<unsigned char>(bytes[*bad]))),
                   say("save the file as UTF-8 (not GBK)", "请将文件另存为 UTF-8（而非 GBK）"));
    for (auto at = bad; at; at = find_invalid_utf8(bytes, *at)) bytes[*at] = '?';
  }
  return bytes;
}

// Walks one policy directory.
class TreeReader {
 public:
  TreeReader(PolicySource& source, Reporter& reporter) : source_{source}, reporter_{reporter} {}

  void read(const fs::path& root) {
    root_ = root;
    source_.nodes.emplace_back();
    walk(root, "", NodeId{0}, 0);
    for (SourceNode& node : source_.nodes) sort_files(node);
    check_root(root);
  }

 private:
  struct Entry {
    std::string name;
    fs::file_type type;
  };

  std::uint32_t add_file(const std::string& path) {
    source_.files.push_back({one_line(path), {}, openable(root_, path)});
    raw_paths_.push_back(path);
    return static_cast<std::uint32_t>(source_.files.size() - 1);
  }

  std::vector<Entry> entries_of(const fs::path& directory, const std::string& relative) {
    std::vector<Entry> entries;
    std::error_code error;
    fs::directory_iterator it(directory, error);
    for (; !error && it != fs::directory_iterator(); it.increment(error)) {
      if (++entries_ > kMaxEntries) {
        report_too_many_entries(relative);
        return {};
      }
      const std::string name = it->path().filename().string();
      if (name.starts_with('.')) continue;
      std::error_code ignored;
      entries.push_back({name, it->symlink_status(ignored).type()});
    }
    if (error) {
      const std::uint32_t file = add_file(relative.empty() ? "." : relative);
      report_unreadable(reporter_, file, error.value());
    }
    std::sort(entries.begin(), entries.end(),
              [](const Entry& a, const Entry& b) { return a.name < b.name; });
    return entries;
  }

  void report_too_many_entries(const std::string& relative) {
    if (std::exchange(walked_too_far_, true)) return;
    reporter_.add_unreadable_file();
    reporter_.error(start_of(add_file(relative.empty() ? "." : relative)),
                    say("the policy's directory holds more than {} files and directories",
                        "策略目录中的文件和目录超过 {} 个", kMaxEntries),
                    say("name the directory that holds the policy and nothing else",
                        "请指定仅存放策略的目录"));
  }

  void walk(const fs::path& directory, const std::string& relative, NodeId node,
            std::size_t depth) {
    if (walked_too_far_) return;
    if (depth > kMaxDirectoryDepth) {
      reporter_.add_unreadable_file();
      reporter_.error(start_of(add_file(relative)), say("directories are nested more than {} deep",
                                                        "目录嵌套超过 {} 层", kMaxDirectoryDepth));
      return;
    }
    const std::vector<Entry> entries = entries_of(directory, relative);
    const bool is_node = std::any_of(entries.begin(), entries.end(), [](const Entry& entry) {
      return entry.name == kNodeFile && entry.type != fs::file_type::directory;
    });
    if (is_node && !relative.empty()) {
      SourceNode below;
      below.parent = node;
      below.depth = source_.nodes[node.index()].depth + 1;
      node = NodeId{static_cast<std::uint32_t>(source_.nodes.size())};
      source_.nodes.push_back(std::move(below));
    }
    for (const Entry& entry : entries) {
      const std::string path = relative.empty() ? entry.name : relative + "/" + entry.name;
      take_entry(directory / entry.name, path, entry, node, depth);
    }
  }

  void take_entry(const fs::path& full, const std::string& path, const Entry& entry, NodeId node,
                  std::size_t depth) {
    if (entry.type == fs::file_type::directory) {
      walk(full, path, node, depth + 1);
      return;
    }
    const bool is_policy_file = entry.name.ends_with(".toml");
    if (entry.type == fs::file_type::symlink && !is_policy_file) {
      std::error_code ignored;
      if (fs::is_directory(full, ignored)) {
        reporter_.add_unreadable_file();
        reporter_.error(start_of(add_file(path)),
                        say("is a symbolic link to a directory, a policy holds directories only",
                            "是指向目录的符号链接，策略中只能有真实目录"));
      }
      return;
    }
    if (!is_policy_file) return;
    if (source_.files.size() >= kMaxFiles) {
      if (!std::exchange(too_many_, true)) {
        reporter_.add_unreadable_file();
        reporter_.error(start_of(add_file(path)),
                        say("the policy has more than {} files", "策略文件超过 {} 个", kMaxFiles));
      }
      return;
    }
    const std::uint32_t file = add_file(path);
    SourceNode& owner = source_.nodes[node.index()];
    owner.files.push_back(file);
    if (entry.name == kNodeFile) owner.node_file = file;
    if (find_invalid_utf8(path)) {
      reporter_.error(start_of(file), say("the file's name is not UTF-8", "文件名不是 UTF-8"));
    } else if (has_control(path)) {
      reporter_.error(start_of(file),
                      say("the file's name has a control character", "文件名含有控制字符"));
    }
    auto bytes = read_bytes(full, false, file, reporter_);
    if (!bytes) return;
    total_ += bytes->size();
    if (total_ > kMaxTreeBytes) {
      reporter_.add_unreadable_file();
      if (!std::exchange(too_large_, true)) {
        reporter_.error(start_of(file), say("the policy's files together are larger than {} MiB",
                                            "策略文件总计超过 {} MiB", kMaxTreeBytes >> 20));
      }
      return;
    }
    source_.files[file].text = checked_text(std::move(*bytes), file, reporter_);
  }

  // The contract's order: byte order of the paths relative to the node's directory. Within one node
  // they all begin with that directory, so whole paths compare the same.
  void sort_files(SourceNode& node) const {
    std::sort(node.files.begin(), node.files.end(),
              [&](std::uint32_t a, std::uint32_t b) { return raw_paths_[a] < raw_paths_[b]; });
  }

  void check_root(const fs::path& root) {
    const bool has_node_file = std::any_of(source_.nodes[0].files.begin(),
                                           source_.nodes[0].files.end(), [&](std::uint32_t file) {
                                             return raw_paths_[file] == kNodeFile;
                                           });
    if (has_node_file) return;
    const std::uint32_t file = add_file(std::string(kNodeFile));
    source_.nodes[0].node_file = file;
    reporter_.add_damaged_table(file, "node");  // one error is enough
    reporter_.error(start_of(file),
                    say("there is no {} in {}, the policy's directory must have one",
                        "{1} 中没有 {0}，策略目录必须有该文件", kNodeFile,
                        printable(root.filename().empty() ? root.parent_path().filename().string()
                                                          : root.filename().string())));
  }

  PolicySource& source_;
  Reporter& reporter_;
  fs::path root_;
  std::vector<std::string> raw_paths_;
  std::size_t total_{0};
  std::size_t entries_{0};
  bool walked_too_far_{false};
  bool too_many_{false};
  bool too_large_{false};
};

void make_single_node(PolicySource& source) {
  source.single_file = true;
  SourceNode node;
  node.files.push_back(0);
  source.nodes.push_back(std::move(node));
}

}  // namespace

void read_single_file(const fs::path& path, bool follow_link, std::vector<SourceFile>& files,
                      Reporter& reporter) {
  files.push_back({one_line(path.filename().string()), {}, path.lexically_normal().string()});
  auto bytes = read_bytes(path, follow_link, 0, reporter);
  if (bytes) files[0].text = checked_text(std::move(*bytes), 0, reporter);
}

void read_single_text(std::string_view name, std::string_view text, std::vector<SourceFile>& files,
                      Reporter& reporter) {
  files.push_back({one_line(name), {}});
  if (text.size() > kMaxFileBytes) {
    reporter.add_unreadable_file();
    reporter.error(start_of(0), say("is larger than {} MiB, the limit of a file",
                                    "超过单个文件 {} MiB 的上限", kMaxFileBytes >> 20));
    return;
  }
  files[0].text = checked_text(std::string(text), 0, reporter);
}

void read_source(const fs::path& path, PolicySource& source, Reporter& reporter) {
  std::error_code error;
  // The directory itself may be reached by a link, as /etc/meiguan/current would be.
  if (fs::is_directory(path, error)) {
    TreeReader(source, reporter).read(path);
    return;
  }
  read_single_file(path, false, source.files, reporter);
  make_single_node(source);
}

void read_source_text(std::string_view name, std::string_view text, PolicySource& source,
                      Reporter& reporter) {
  read_single_text(name, text, source.files, reporter);
  make_single_node(source);
}

}  // namespace meiguan::policy
