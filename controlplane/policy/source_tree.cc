// A policy's tree from memory: the same nodes, files and numbers as a walk through its directory.

#include <algorithm>
#include <map>
#include <set>
#include <string_view>
#include <utility>

#include "controlplane/policy/message.h"
#include "controlplane/policy/reporter.h"
#include "controlplane/policy/source.h"
#include "controlplane/policy/utf8.h"

namespace meiguan::policy {
namespace {

constexpr std::string_view kNodeFile = "node.toml";

// "a/b/c.toml" as a, b, c.toml.
std::vector<std::string_view> parts_of(std::string_view path) {
  std::vector<std::string_view> parts;
  for (std::size_t at = 0;;) {
    const std::size_t end = path.find('/', at);
    parts.push_back(path.substr(at, end == std::string_view::npos ? end : end - at));
    if (end == std::string_view::npos) return parts;
    at = end + 1;
  }
}

// What a walk through a directory could have come by.
bool could_be(const std::vector<std::string_view>& parts) {
  if (parts.size() > kMaxDirectoryDepth + 1 || !parts.back().ends_with(".toml")) return false;
  return std::ranges::none_of(parts, [](std::string_view part) {
    return part.empty() || part.starts_with('.');
  });
}

class TreeBuilder {
 public:
  TreeBuilder(const PolicyTree& tree, PolicySource& source, Reporter& reporter)
      : tree_{tree}, source_{source}, reporter_{reporter} {}

  void build() {
    source_.nodes.emplace_back();
    sort();
    for (const Entry& entry : entries_) add(entry);
    for (SourceNode& node : source_.nodes) {
      std::ranges::sort(node.files, {}, [&](std::uint32_t file) {
        return std::string_view{source_.files[file].path};
      });
    }
    if (!node_files_.contains("")) refuse(std::string{kNodeFile}, no_root());
  }

 private:
  struct Entry {
    std::vector<std::string_view> parts;
    const TreeFile* file;
  };

  static Text no_root() {
    return say("there is no {}, the policy must have one at its root",
               "缺少 {}，策略的根必须有该文件", kNodeFile);
  }

  std::uint32_t refuse(const std::string& path, Text why) {
    const auto number = static_cast<std::uint32_t>(source_.files.size());
    source_.files.push_back({one_line(path), {}});
    reporter_.add_unreadable_file();
    reporter_.error(Place{number, 1, 1}, std::move(why));
    return number;
  }

  // In the order of a walk: names of a directory in byte order, what is below a name at its place.
  void sort() {
    std::size_t total = 0;
    for (const TreeFile& file : tree_.files) {
      total += file.text.size();
      auto parts = parts_of(file.path);
      if (!could_be(parts) || find_invalid_utf8(file.path) || has_control(file.path)) {
        refuse(file.path, say("is no path of a policy's file", "不是策略文件的路径"));
        continue;
      }
      if (parts.back() == kNodeFile) {
        node_files_.insert(file.path.substr(0, file.path.size() - kNodeFile.size()));
      }
      entries_.push_back({std::move(parts), &file});
    }
    if (total > kMaxTreeBytes || tree_.files.size() > kMaxFiles) {
      refuse(".", say("the policy has more than {} files or {} MiB", "策略超过 {} 个文件或 {} MiB",
                      kMaxFiles, kMaxTreeBytes >> 20));
      entries_.clear();
    }
    std::ranges::sort(entries_, {}, &Entry::parts);
    for (std::size_t i = 1; i < entries_.size(); ++i) {
      const auto& before = entries_[i - 1].parts;
      const auto& here = entries_[i].parts;
      if (before.size() > here.size() || !std::equal(before.begin(), before.end(), here.begin())) {
        continue;
      }
      refuse(entries_[i].file->path,
             say("is there twice, or below a file", "重复出现，或位于一个文件之下"));
    }
  }

  // The node that files of `directory` ("" or "a/b/") belong to; made where the walk comes to it.
  NodeId node_of(const std::vector<std::string_view>& parts) {
    NodeId node{0};
    std::string directory;
    for (std::size_t i = 0; i + 1 < parts.size(); ++i) {
      directory.append(parts[i]).push_back('/');
      if (!node_files_.contains(directory)) continue;
      const auto [at, made] =
          nodes_.try_emplace(directory, NodeId{static_cast<std::uint32_t>(source_.nodes.size())});
      if (made) {
        SourceNode below;
        below.parent = node;
        below.depth = source_.nodes[node.index()].depth + 1;
        source_.nodes.push_back(std::move(below));
      }
      node = at->second;
    }
    return node;
  }

  void add(const Entry& entry) {
    const NodeId node = node_of(entry.parts);
    const auto number = static_cast<std::uint32_t>(source_.files.size());
    std::vector<SourceFile> one;
    Reporter own{one};
    read_single_text(entry.file->path, entry.file->text, one, own);
    one[0].opened = tree_.read_from.empty() ? std::string{}
                                            : openable(tree_.read_from, entry.file->path);
    source_.files.push_back(std::move(one[0]));
    for (auto& found : own.take()) {
      reporter_.add_unreadable_file();
      reporter_.error(Place{number, found.line, found.column}, std::move(found.message),
                      std::move(found.hint));
    }
    SourceNode& owner = source_.nodes[node.index()];
    owner.files.push_back(number);
    if (entry.parts.back() == kNodeFile) owner.node_file = number;
  }

  const PolicyTree& tree_;
  PolicySource& source_;
  Reporter& reporter_;
  std::vector<Entry> entries_;
  std::set<std::string> node_files_;  // the directories that have one: "", "a/b/"
  std::map<std::string, NodeId> nodes_;
};

}  // namespace

void read_source_tree(const PolicyTree& tree, PolicySource& source, Reporter& reporter) {
  if (tree.single_file && tree.files.size() == 1) {
    read_source_text(tree.files[0].path, tree.files[0].text, source, reporter);
    if (!tree.read_from.empty())
      source.files[0].opened = tree.read_from.lexically_normal().string();
    return;
  }
  TreeBuilder{tree, source, reporter}.build();
}

}  // namespace meiguan::policy
