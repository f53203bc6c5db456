// The canonical bytes of a content, and their reader.

#include <algorithm>
#include <cstring>
#include <utility>

#include "controlplane/lifecycle/digest.h"
#include "controlplane/lifecycle/revision.h"

namespace meiguan::lifecycle {
namespace {

constexpr std::string_view kMagic = "meiguan content 1\n";
enum class Kind : char { kTreeFile = 'f', kOnlyFile = 's', kGateway = 'g' };

void put_number(std::string& out, std::uint64_t value) {
  for (unsigned shift = 0; shift < 64; shift += 8) {
    out += static_cast<char>(static_cast<unsigned char>(value >> shift));
  }
}

void put_file(std::string& out, Kind kind, const policy::TreeFile& file) {
  out += static_cast<char>(kind);
  put_number(out, file.path.size());
  put_number(out, file.text.size());
  out += file.path;
  out += file.text;
}

// Reads forward; what is not there is nothing.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : bytes_{bytes} {}
  [[nodiscard]] bool at_end() const { return bytes_.empty(); }
  std::optional<std::string_view> take(std::uint64_t count) {
    if (count > bytes_.size()) return std::nullopt;
    const auto taken = bytes_.substr(0, count);
    bytes_.remove_prefix(count);
    return taken;
  }
  std::optional<std::uint64_t> number() {
    const auto taken = take(8);
    if (!taken) return std::nullopt;
    std::uint64_t value = 0;
    for (std::size_t i = 8; i-- > 0;) {
      value = value << 8 | static_cast<unsigned char>((*taken)[i]);
    }
    return value;
  }

 private:
  std::string_view bytes_;
};

std::unexpected<Error> damaged(const char* english, const char* chinese) {
  return fail(std::string{"the content of the policy is damaged: "} + english,
              std::string{"策略内容已损坏："} + chinese);
}

std::vector<const policy::TreeFile*> by_path(const std::vector<policy::TreeFile>& files) {
  std::vector<const policy::TreeFile*> sorted;
  for (const auto& file : files) sorted.push_back(&file);
  std::ranges::sort(sorted, {},
                    [](const policy::TreeFile* file) -> const std::string& { return file->path; });
  return sorted;
}

}  // namespace

std::string to_bytes(const Content& content) {
  std::string out{kMagic};
  const auto kind = content.tree.single_file ? Kind::kOnlyFile : Kind::kTreeFile;
  for (const auto* const file : by_path(content.tree.files)) {
    put_file(out, kind, *file);
  }
  if (content.gateway) put_file(out, Kind::kGateway, *content.gateway);
  return out;
}

Result<Content> content_from_bytes(std::string_view bytes) {
  if (!bytes.starts_with(kMagic)) return damaged("it does not begin as one", "开头不符");
  Reader reader{bytes.substr(kMagic.size())};
  Content content;
  while (!reader.at_end()) {
    const auto kind = reader.take(1);
    const auto path_bytes = reader.number();
    const auto text_bytes = reader.number();
    const auto path = path_bytes ? reader.take(*path_bytes) : std::nullopt;
    const auto text = text_bytes && path ? reader.take(*text_bytes) : std::nullopt;
    if (!kind || !text) return damaged("it is cut short", "内容不完整");
    if (content.gateway)
      return damaged("something follows the gateway file", "网关文件之后还有内容");
    policy::TreeFile file{std::string{*path}, std::string{*text}};
    switch (static_cast<Kind>(kind->front())) {
      case Kind::kGateway: content.gateway = std::move(file); continue;
      case Kind::kOnlyFile:
        content.tree.single_file = true;
        if (!content.tree.files.empty()) return damaged("more than one file", "多于一个文件");
        break;
      case Kind::kTreeFile:
        if (content.tree.single_file) return damaged("more than one file", "多于一个文件");
        if (!content.tree.files.empty() && content.tree.files.back().path >= file.path) {
          return damaged("its files are not in order", "文件顺序不符");
        }
        break;
      default: return damaged("an unknown kind of file", "未知的文件类别");
    }
    content.tree.files.push_back(std::move(file));
    if (content.tree.files.size() > policy::kMaxFiles) return damaged("too many files", "文件过多");
  }
  if (content.tree.files.empty()) return damaged("it holds no policy", "其中没有策略");
  return content;
}

std::string digest_of(const Content& content) { return sha256_hex(to_bytes(content)); }

}  // namespace meiguan::lifecycle
