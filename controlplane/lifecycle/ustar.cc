#include "controlplane/lifecycle/ustar.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

namespace meiguan::lifecycle {
namespace {

constexpr std::size_t kNameBytes = 100;
constexpr std::size_t kSizeAt = 124;
constexpr std::size_t kSizeDigits = 11;
constexpr std::size_t kChecksumAt = 148;
constexpr std::size_t kPrefixAt = 345;
constexpr std::size_t kPrefixBytes = 155;

std::size_t padding_of(std::uint64_t bytes) {
  return static_cast<std::size_t>((kTarBlock - bytes % kTarBlock) % kTarBlock);
}

// Where a long name is divided: what stands behind has at most kNameBytes.
std::optional<std::size_t> division_of(std::string_view name) {
  const auto slash = name.find('/', name.size() - kNameBytes - 1);
  if (slash == name.npos || slash == 0 || slash > kPrefixBytes || slash + 1 == name.size()) {
    return std::nullopt;
  }
  return slash;
}

std::string_view field(std::string_view header, std::size_t at, std::size_t bytes) {
  const auto text = header.substr(at, bytes);
  return text.substr(0, std::min(text.find('\0'), text.size()));
}

std::optional<std::uint64_t> size_of(std::string_view header) {
  std::uint64_t size = 0;
  for (const char c : header.substr(kSizeAt, kSizeDigits)) {
    if (c < '0' || c > '7') return std::nullopt;
    size = size * 8 + static_cast<std::uint64_t>(c - '0');
  }
  return size;
}

std::string name_of(std::string_view header) {
  const auto prefix = field(header, kPrefixAt, kPrefixBytes);
  const auto name = field(header, 0, kNameBytes);
  return prefix.empty() ? std::string{name} : fmt::format("{}/{}", prefix, name);
}

}  // namespace

std::string tar_header(std::string_view name, std::uint64_t bytes) {
  std::string header(kTarBlock, '\0');
  const auto put = [&](std::size_t at, std::string_view text) {
    std::ranges::copy(text, header.begin() + static_cast<std::ptrdiff_t>(at));
  };
  if (name.size() > kNameBytes) {
    const auto slash = division_of(name);
    if (!slash) return {};
    put(kPrefixAt, name.substr(0, *slash));
    put(0, name.substr(*slash + 1));
  } else {
    put(0, name);
  }
  put(100, "0000644");
  put(108, "0000000");
  put(116, "0000000");
  put(kSizeAt, fmt::format("{:011o}", bytes));
  put(136, "00000000000");
  put(kChecksumAt, "        ");
  put(156, "0");
  put(257, "ustar");
  put(263, "00");
  put(329, "0000000");
  put(337, "0000000");
  unsigned sum = 0;
  for (const char c : header) sum += static_cast<unsigned char>(c);
  put(kChecksumAt, fmt::format("{:06o}", sum));
  header[kChecksumAt + 6] = '\0';
  return header;
}

void add_tar_entry(std::string& archive, std::string_view name, std::string_view content) {
  archive += tar_header(name, content.size());
  archive += content;
  archive.append(padding_of(content.size()), '\0');
}

void end_tar(std::string& archive) { archive.append(2 * kTarBlock, '\0'); }

Result<TarReader::Entry> TarReader::next(std::uint64_t limit) {
  const auto at = all_ - rest_.size();
  const auto cut = [&] {
    return fail(fmt::format("the bundle is cut short at byte {}", at + rest_.size()),
                fmt::format("策略包在第 {} 字节处被截断", at + rest_.size()));
  };
  if (rest_.size() < kTarBlock) return cut();
  const auto header = rest_.substr(0, kTarBlock);
  const auto size = size_of(header);
  auto name = name_of(header);
  if (!size || tar_header(name, *size) != header) {
    return fail(fmt::format("byte {}: not the header of a plain file as a bundle has it", at),
                fmt::format("第 {} 字节：不是策略包中普通文件的头部", at));
  }
  if (*size > limit) {
    return fail(fmt::format("byte {}: an entry of {} bytes, at most {} expected", at, *size, limit),
                fmt::format("第 {} 字节：条目有 {} 字节，最多 {}", at, *size, limit));
  }
  const auto padding = padding_of(*size);
  if (rest_.size() - kTarBlock < *size + padding) return cut();
  const Entry entry{std::move(name), rest_.substr(kTarBlock, static_cast<std::size_t>(*size))};
  const auto filling = rest_.substr(kTarBlock + entry.content.size(), padding);
  if (filling.find_first_not_of('\0') != filling.npos) {
    return fail(fmt::format("byte {}: something is hidden behind the entry's end", at),
                fmt::format("第 {} 字节：条目末尾之后藏有内容", at));
  }
  rest_.remove_prefix(kTarBlock + entry.content.size() + padding);
  return entry;
}

std::string TarReader::peek_name() const {
  return rest_.size() < kTarBlock ? std::string{} : name_of(rest_.substr(0, kTarBlock));
}

Result<void> TarReader::end() const {
  if (rest_.size() == 2 * kTarBlock && rest_.find_first_not_of('\0') == rest_.npos) return {};
  return fail(fmt::format("byte {}: the end of the bundle (two blocks of zeros) expected",
                          all_ - rest_.size()),
              fmt::format("第 {} 字节：此处应为策略包的结尾（两个全零块）", all_ - rest_.size()));
}

}  // namespace meiguan::lifecycle
