#include "controlplane/audit/verify.h"

#include <fmt/format.h>

#include <boost/json.hpp>
#include <fstream>
#include <iterator>
#include <utility>

namespace meiguan::audit {
namespace {

namespace json = boost::json;

std::optional<json::object> parsed(std::string_view line) {
  boost::system::error_code error;
  json::parse_options options;
  options.max_depth = kMaxDepth;
  auto value = json::parse(line, error, {}, options);
  if (error || !value.is_object()) return std::nullopt;
  return std::move(value.get_object());
}

std::string_view text_at(const json::object& object, std::string_view key) {
  const auto* const value = object.if_contains(key);
  return value != nullptr && value->is_string() ? std::string_view{value->get_string()}
                                                : std::string_view{};
}

const json::object* object_at(const json::object& object, std::string_view key) {
  const auto* const value = object.if_contains(key);
  return value != nullptr ? value->if_object() : nullptr;
}

std::uint64_t number_at(const json::object& object, std::string_view key) {
  const auto* const value = object.if_contains(key);
  boost::system::error_code error;
  if (value == nullptr || !value->is_number()) return 0;
  const auto number = value->to_number<std::uint64_t>(error);
  return error ? 0 : number;
}

std::optional<std::string> bytes_of(const std::filesystem::path& path) {
  std::ifstream file{path, std::ios::binary};
  if (!file) return std::nullopt;
  std::string bytes{std::istreambuf_iterator<char>{file}, {}};
  if (file.bad()) return std::nullopt;
  return bytes;
}

}  // namespace

std::string_view name_of(FlawKind kind) noexcept {
  switch (kind) {
    case FlawKind::kChanged: return "changed";
    case FlawKind::kRemoved: return "removed";
    case FlawKind::kReordered: return "reordered";
    case FlawKind::kNoRecord: return "no-record";
    case FlawKind::kCut: return "cut";
    case FlawKind::kTorn: return "torn";
    case FlawKind::kSignature: return "signature";
    case FlawKind::kHead: return "head";
    case FlawKind::kFound: return "found";
  }
  return "";
}

bool Verdict::is_whole() const noexcept {
  for (const auto& flaw : flaws) {
    if (flaw.kind != FlawKind::kTorn) return false;
  }
  return true;
}

Verifier::Verifier(std::optional<crypto::PublicKey> key, Visit visit)
    : key_{std::move(key)}, visit_{std::move(visit)} {}

void Verifier::flaw(FlawKind kind, std::uint64_t record, Text text) {
  if (verdict_.flaws.size() < kMaxFlaws) {
    verdict_.flaws.push_back({kind, file_, line_, record, std::move(text)});
  }
}

void Verifier::add_file(const std::string& name, std::uint64_t number, std::string_view bytes,
                        bool is_last) {
  file_ = name;
  line_ = 0;
  if (first_file_ == 0) first_file_ = number;
  if (verdict_.files > 0 && number != file_number_ + 1) {
    flaw(FlawKind::kCut, verdict_.last + 1,
         {fmt::format("{} is missing", file_name(file_number_ + 1)),
          fmt::format("缺少 {}", file_name(file_number_ + 1))});
  }
  file_number_ = number;
  ++verdict_.files;
  while (!bytes.empty()) {
    ++line_;
    const auto end = bytes.find('\n');
    if (end == bytes.npos) {
      if (is_last) {
        verdict_.torn_bytes = bytes.size();
        flaw(FlawKind::kTorn, verdict_.last + 1,
             {fmt::format("{} bytes of a record that was being written when the power went or the "
                          "disk was full",
                          bytes.size()),
              fmt::format("最后 {} 字节是断电或磁盘满时未写完的记录", bytes.size())});
      } else {
        flaw(FlawKind::kCut, verdict_.last + 1,
             {"the file ends inside a record", "文件在记录中间结束"});
      }
      return;
    }
    add_line(bytes.substr(0, end));
    bytes.remove_prefix(end + 1);
  }
  if (line_ == 0) {
    flaw(FlawKind::kCut, verdict_.last + 1, {"the file is empty", "文件为空"});
  }
}

// The first record of a file says where the chain goes on; only the very first that is there may
// refer to what is gone.
void Verifier::begin_file(const Line& record, std::string_view line) {
  const auto object = parsed(line);
  const auto* const detail = object ? object_at(*object, "detail") : nullptr;
  const bool is_start = detail != nullptr && text_at(*object, "event") == "file" &&
                        text_at(*detail, "format") == kFormat &&
                        number_at(*detail, "file") == file_number_;
  const auto kind = detail != nullptr ? crypto::hash_kind(text_at(*detail, "hash"))
                                      : std::optional<crypto::HashKind>{};
  const auto before = detail != nullptr ? text_at(*detail, "before") : std::string_view{};
  if (!is_start || !kind || before.size() != kHashDigits) {
    flaw(FlawKind::kNoRecord, record.number,
         {"a file begins with the record `file` that has its number", "文件首条应为 `file` 记录"});
    return;
  }
  kind_ = *kind;
  if (const auto problem = text_at(*detail, "problem"); !problem.empty()) {
    flaw(FlawKind::kFound, record.number,
         {fmt::format("when the log was gone on with, this was found: {}", problem),
          fmt::format("续写日志时已发现：{}", problem)});
  }
  if (verdict_.records > 0) return;
  const bool is_very_first = file_number_ == 1;
  verdict_.last_hash = std::string{is_very_first ? kNoHash : before};
  verdict_.last = is_very_first || record.number == 0 ? 0 : record.number - 1;
}

void Verifier::add_line(std::string_view line) {
  const auto record = split_line(line);
  if (!record) {
    flaw(FlawKind::kNoRecord, verdict_.last + 1, {"a line that is no record", "此行不是审计记录"});
    return;
  }
  if (line_ == 1) begin_file(*record, line);
  if (verdict_.records == 0) verdict_.first = record->number;
  const auto expected = verdict_.last + 1;
  if (record->number > expected) {
    flaw(FlawKind::kRemoved, expected,
         {fmt::format("records {} to {} are missing", expected, record->number - 1),
          fmt::format("缺少第 {} 至 {} 条记录", expected, record->number - 1)});
  } else if (record->number < expected) {
    flaw(FlawKind::kReordered, record->number,
         {fmt::format("record {} where {} is due", record->number, expected),
          fmt::format("此处应为第 {} 条，却是第 {} 条", expected, record->number)});
  } else if (hash_of_line(kind_, verdict_.last_hash, record->body) != record->hash) {
    flaw(FlawKind::kChanged, record->number,
         {fmt::format("record {} does not follow from the one before: one of the two was changed",
                      record->number),
          fmt::format("第 {} 条与前一条不衔接：其中之一被改动", record->number)});
  }
  ++verdict_.records;
  ++verdict_.unsigned_records;
  check_signature(*record, line);
  // What stands there is gone on from, so that each flaw is told of once.
  verdict_.last = record->number;
  hash_before_last_ = std::move(verdict_.last_hash);
  verdict_.last_hash = std::string{record->hash};
  if (visit_) visit_(*record, line);
}

void Verifier::check_signature(const Line& record, std::string_view line) {
  constexpr std::string_view kSignature = "\"event\":\"signature\"";
  constexpr std::string_view kExpired = "\"event\":\"expired\"";
  const bool may_sign = line.find(kSignature) != line.npos;
  if (!may_sign && line.find(kExpired) == line.npos) return;
  const auto object = parsed(line);
  const auto* const detail = object ? object_at(*object, "detail") : nullptr;
  // Only the log's own records are noted: what a user asks for may have any name.
  if (detail == nullptr || text_at(*object, "outcome") != "noted") return;
  const auto event = text_at(*object, "event");
  if (event == "expired") expired_files_ = std::max(expired_files_, number_at(*detail, "file"));
  if (event != "signature" || !key_) return;
  const auto signature = crypto::from_base64(text_at(*detail, "signature"));
  if (text_at(*detail, "key") != key_->id() || !signature ||
      !key_->verify(signed_text(record.number - 1, verdict_.last_hash), *signature)) {
    flaw(FlawKind::kSignature, record.number,
         {fmt::format("the signature of record {} does not hold under key {}", record.number,
                      key_->id()),
          fmt::format("第 {} 条的签名用密钥 {} 验证不通过", record.number, key_->id())});
    return;
  }
  ++verdict_.signatures;
  verdict_.unsigned_records = 0;
}

Verdict Verifier::finish(const std::optional<std::string>& head_file) {
  line_ = 0;
  if (first_file_ > expired_files_ + 1) {
    file_ = file_name(first_file_ - 1);
    flaw(FlawKind::kCut, verdict_.first,
         {"files before the first one are gone, and no record says that they were old",
          "首个文件之前的文件不在，且没有到期清理的记录"});
  }
  file_ = std::string{kHeadName};
  const auto head = head_file ? head_from_text(*head_file) : std::optional<Head>{};
  if (!head) {
    flaw(FlawKind::kHead, 0,
         {"there is no head, or it cannot be read: whether the end was cut cannot be told",
          "没有 head 文件或无法读取：无法判断末尾是否被截断"});
  } else if (head->number > verdict_.last) {
    flaw(FlawKind::kCut, verdict_.last + 1,
         {fmt::format("records {} to {} are gone from the end", verdict_.last + 1, head->number),
          fmt::format("末尾第 {} 至 {} 条记录不在", verdict_.last + 1, head->number)});
  } else if ((head->number == verdict_.last && head->hash != verdict_.last_hash) ||
             (head->number + 1 == verdict_.last && head->hash != hash_before_last_)) {
    flaw(FlawKind::kChanged, verdict_.last,
         {"the last record is another one than that which was written",
          "最后一条记录不是当初写入的那条"});
  } else if (head->number + 1 < verdict_.last) {
    // One record may be written and the head not yet: the power may go in between.
    flaw(FlawKind::kHead, verdict_.last,
         {fmt::format("the head is at record {}, the log ends with {}: records were put behind it",
                      head->number, verdict_.last),
          fmt::format("head 停在第 {} 条，日志却到第 {} 条：末尾被添加了记录", head->number,
                      verdict_.last)});
  }
  return std::move(verdict_);
}

Result<Verdict> verify_directory(const std::filesystem::path& directory,
                                 std::optional<crypto::PublicKey> key, Verifier::Visit visit) {
  const auto files = files_of(directory);
  if (files.empty()) {
    return fail(directory.string() + ": no audit log (audit-00000001.log and so on)",
                directory.string() + "：没有审计日志（audit-00000001.log 等）");
  }
  if (std::error_code ignored; !key && std::filesystem::exists(directory / kKeyName, ignored)) {
    auto own = crypto::PublicKey::load(directory / kKeyName);
    if (!own) return std::unexpected{std::move(own.error())};
    key = std::move(*own);
  }
  Verifier verifier{std::move(key), std::move(visit)};
  for (const auto& file : files) {
    const auto bytes = bytes_of(file.path);
    if (!bytes) {
      return fail(file.path.string() + ": cannot be read", file.path.string() + "：无法读取");
    }
    verifier.add_file(file.path.filename().string(), file.number, *bytes, &file == &files.back());
  }
  return verifier.finish(bytes_of(directory / kHeadName));
}

}  // namespace meiguan::audit
