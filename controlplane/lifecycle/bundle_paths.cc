#include "controlplane/lifecycle/bundle_paths.h"

#include <fmt/format.h>
#include <utf8proc.h>

#include <algorithm>
#include <cstdlib>
#include <string>
#include <unordered_map>

#include "controlplane/lifecycle/signed_bundle.h"
#include "controlplane/lifecycle/ustar.h"
#include "controlplane/policy/message.h"

namespace meiguan::lifecycle {
namespace {

std::unexpected<Error> refused(std::string_view path, const char* english, const char* chinese) {
  const auto shown = policy::printable(path);
  return fail(fmt::format("`{}`: {}", shown, english), fmt::format("`{}`：{}", shown, chinese));
}

// As a file system without case, or that composes characters, would see it; empty: not UTF-8.
std::string folded(std::string_view text) {
  utf8proc_uint8_t* mapped = nullptr;
  const auto size = utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(text.data()),
                                 static_cast<utf8proc_ssize_t>(text.size()), &mapped,
                                 static_cast<utf8proc_option_t>(UTF8PROC_COMPAT | UTF8PROC_COMPOSE |
                                                                UTF8PROC_CASEFOLD |
                                                                UTF8PROC_IGNORE | UTF8PROC_STABLE));
  std::string result;
  if (size > 0) {
    result.assign(reinterpret_cast<const char*>(mapped), static_cast<std::size_t>(size));
  }
  std::free(mapped);
  return result;
}

bool is_part(std::string_view part) {
  if (part.empty() || part.front() == '.' || part.back() == ' ' || part.back() == '.') return false;
  return policy::one_line(part) == part && part.find('\\') == part.npos &&
         part.find(':') == part.npos;
}

}  // namespace

Result<void> check_bundle_paths(const std::vector<std::string_view>& paths) {
  // What a path or one of the directories above looks like -> how it is written, and what it is.
  struct Known {
    std::string written;
    bool is_file;
  };
  std::unordered_map<std::string, Known> known;
  const auto take = [&](std::string_view written, bool is_file) {
    const auto [at, is_new] = known.try_emplace(folded(written),
                                                Known{std::string{written}, is_file});
    return is_new || (at->second.written == written && !is_file && !at->second.is_file);
  };
  std::string_view before;
  for (const auto path : paths) {
    if (path.size() > kMaxBundlePath || !path.ends_with(".toml") || folded(path).empty()) {
      return refused(path,
                     "not a path of a policy's file: UTF-8, at most 240 bytes, ending in .toml",
                     "不是策略文件路径：应为 UTF-8、至多 240 字节、以 .toml 结尾");
    }
    if (path <= before) {
      return refused(path, "twice, or not in the order of bytes", "重复，或未按字节序排列");
    }
    before = path;
    std::size_t from = 0;
    std::size_t parts = 0;
    for (std::size_t at = path.find('/'); from <= path.size(); at = path.find('/', from)) {
      const auto end = std::min(at, path.size());
      if (!is_part(path.substr(from, end - from)) || ++parts > policy::kMaxDirectoryDepth) {
        return refused(path, "a part that is empty, hidden, leads elsewhere or cannot be shown",
                       "路径中有空的、隐藏的、指向别处的或不可显示的部分");
      }
      if (!take(path.substr(0, end), end == path.size())) {
        return refused(path,
                       "differs from another path only by case or form, or is both a file and "
                       "a directory",
                       "与另一路径仅大小写或字形不同，或既是文件又是目录");
      }
      from = end + 1;
    }
    if (!tar_header("files/" + std::string{path}, 0).empty()) continue;
    return refused(path, "a name of more than 100 bytes", "文件名超过 100 字节");
  }
  return {};
}

}  // namespace meiguan::lifecycle
