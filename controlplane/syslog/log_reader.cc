#include "controlplane/syslog/log_reader.h"

#include <algorithm>
#include <array>
#include <fstream>
#include <iterator>
#include <utility>

#include "controlplane/audit/record.h"

namespace meiguan::syslog {
namespace {

constexpr std::size_t kChunk = 4 * audit::kMaxLineBytes;

// The first whole line's record number; 0 where there is none.
std::uint64_t first_number(const std::filesystem::path& path) {
  std::ifstream file{path, std::ios::binary};
  std::string bytes(audit::kMaxLineBytes + 1, '\0');
  file.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  bytes.resize(static_cast<std::size_t>(file.gcount()));
  const auto end = bytes.find('\n');
  if (end == bytes.npos) return 0;
  const auto line = audit::split_line(std::string_view{bytes}.substr(0, end));
  return line ? line->number : 0;
}

}  // namespace

LogReader::LogReader(std::filesystem::path directory, std::uint64_t after)
    : directory_{std::move(directory)}, after_{after} {}

void LogReader::go_to(std::uint64_t after) {
  after_ = after;
  file_ = 0;
}

std::uint64_t LogReader::head() const {
  std::ifstream file{directory_ / audit::kHeadName, std::ios::binary};
  const std::string text{std::istreambuf_iterator<char>{file}, {}};
  const auto head = audit::head_from_text(text);
  return head ? head->number : 0;
}

std::uint64_t LogReader::behind() const {
  const auto last = head();
  return last > after_ ? last - after_ : 0;
}

// The last file that begins at the next record or before it; else the first there is.
void LogReader::find_file() {
  const auto files = audit::files_of(directory_);
  offset_ = 0;
  file_ = 0;
  for (const auto& file : files) {
    const auto first = first_number(file.path);
    if (file_ == 0 || (first != 0 && first <= after_ + 1)) file_ = file.number;
  }
}

bool LogReader::next_file() {
  for (const auto& file : audit::files_of(directory_)) {
    if (file.number <= file_) continue;
    file_ = file.number;
    offset_ = 0;
    return true;
  }
  return false;
}

// False where the file has no further whole line.
bool LogReader::read_file(Batch& batch, std::size_t most, std::uint64_t last) {
  std::ifstream file{directory_ / audit::file_name(file_), std::ios::binary};
  file.seekg(static_cast<std::streamoff>(offset_));
  std::string bytes(kChunk, '\0');
  file.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  bytes.resize(static_cast<std::size_t>(std::max<std::streamsize>(file.gcount(), 0)));
  std::string_view rest{bytes};
  bool found = false;
  while (batch.records.size() < most) {
    const auto end = rest.find('\n');
    if (end == rest.npos) break;
    const auto text = rest.substr(0, end);
    const auto line = audit::split_line(text);
    if (line && line->number > last) break;
    found = true;
    rest.remove_prefix(end + 1);
    offset_ += end + 1;
    if (!line || line->number <= after_) continue;
    batch.lost += line->number - after_ - 1;
    after_ = line->number;
    batch.records.push_back({line->number, std::string{text}});
  }
  // A line that does not end within what the longest record takes is no record.
  if (!found && rest.size() == kChunk) {
    offset_ += kChunk;
    found = true;
  }
  return found;
}

LogReader::Batch LogReader::read(std::size_t most) {
  Batch batch;
  const auto last = head();
  if (last == 0) return batch;
  if (last < after_) {
    batch.began_anew = true;
    go_to(0);
  }
  if (last == after_) return batch;
  if (file_ == 0) find_file();
  while (file_ != 0 && batch.records.size() < most && after_ < last) {
    if (!read_file(batch, most, last) && !next_file()) break;
  }
  return batch;
}

}  // namespace meiguan::syslog
