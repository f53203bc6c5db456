#include "controlplane/uplink/batch_record.h"

#include <xxhash.h>

#include <algorithm>
#include <cstring>

#include "controlplane/lifecycle/compress.h"

namespace meiguan::uplink {
namespace {

std::uint64_t checksum_of(RecordHeader header, std::string_view behind) {
  header.checksum = 0;
  return XXH3_64bits_withSeed(behind.data(), behind.size(), XXH3_64bits(&header, sizeof(header)));
}

std::unexpected<Error> no_record() {
  return fail("no whole batch, or a damaged one", "不是完整的批次，或批次已损坏");
}

bool is_code(std::string_view code) {
  return !code.empty() && code.size() <= kMaxNodeBytes && std::ranges::all_of(code, [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '-';
  });
}

bool is_possible(const RecordHeader& h) {
  constexpr std::uint64_t kMostNumbers = std::uint64_t{1} << 62U;  // fit a database's integers
  return h.magic == RecordHeader::kMagic && h.stream < store::kStreams && h.zero == 0 &&
         h.node_bytes <= kMaxNodeBytes && h.packed_bytes <= kMaxPackedBytes &&
         h.raw_bytes <= kMaxRawBytes && h.epoch < kMostNumbers && h.sequence > 0 &&
         h.sequence < kMostNumbers && h.lost < h.sequence;
}

std::string whole(RecordHeader header, std::string_view behind) {
  header.checksum = checksum_of(header, behind);
  std::string out(sizeof(header), '\0');
  std::memcpy(out.data(), &header, sizeof(header));
  return out.append(behind);
}

}  // namespace

std::string Record::source() const {
  store::Batch batch;
  batch.node = node;
  batch.stream = static_cast<store::Stream>(header.stream);
  return batch.source();
}

Result<std::string> pack_batch(const store::Batch& batch) {
  const auto content = content_of(batch);
  const auto packed = lifecycle::compressed(content);
  RecordHeader header;
  header.stream = static_cast<std::uint8_t>(batch.stream);
  header.node_bytes = static_cast<std::uint16_t>(batch.node.size());
  header.packed_bytes = static_cast<std::uint32_t>(packed.size());
  header.raw_bytes = static_cast<std::uint32_t>(content.size());
  header.epoch = batch.epoch;
  header.sequence = batch.sequence;
  header.lost = batch.lost;
  if (!is_code(batch.node) || packed.size() > kMaxPackedBytes || content.size() > kMaxRawBytes ||
      batch.rows.size() > kMaxRows || batch.hits.size() > kMaxRows ||
      (batch.list && batch.list->size() > kMaxRows) || batch.alarms.size() > kMaxAlarms ||
      batch.flows.text.size() > kMaxFlowBytes || !is_possible(header)) {
    return fail("a batch of " + std::to_string(batch.rows.size()) + " rows cannot be packed",
                "含 " + std::to_string(batch.rows.size()) + " 行的批次无法打包");
  }
  return whole(header, batch.node + packed);
}

Result<Record> take_record(std::string_view& bytes) {
  Record record;
  if (bytes.size() < sizeof(RecordHeader)) return no_record();
  std::memcpy(&record.header, bytes.data(), sizeof(RecordHeader));
  const auto& h = record.header;
  if (!is_possible(h)) return no_record();
  const auto behind = bytes.substr(sizeof(RecordHeader));
  if (behind.size() < std::size_t{h.node_bytes} + h.packed_bytes) return no_record();
  record.node = behind.substr(0, h.node_bytes);
  record.packed = behind.substr(h.node_bytes, h.packed_bytes);
  record.bytes = bytes.substr(0, sizeof(RecordHeader) + h.node_bytes + h.packed_bytes);
  if (checksum_of(h, record.bytes.substr(sizeof(RecordHeader))) != h.checksum ||
      !is_code(record.node)) {
    return no_record();
  }
  bytes.remove_prefix(record.bytes.size());
  return record;
}

std::string with_lost(const Record& record, std::uint64_t lost) {
  auto header = record.header;
  header.lost = lost;
  return whole(header, record.bytes.substr(sizeof(RecordHeader)));
}

Result<store::Batch> unpack_batch(const Record& record) {
  const auto content = lifecycle::decompressed(record.packed, record.header.raw_bytes);
  if (!content) return std::unexpected{content.error()};
  store::Batch batch;
  batch.stream = static_cast<store::Stream>(record.header.stream);
  batch.epoch = record.header.epoch;
  batch.sequence = record.header.sequence;
  batch.lost = record.header.lost;
  if (auto read = read_content(*content, std::string{record.node}, batch); !read) {
    return std::unexpected{read.error()};
  }
  return batch;
}

}  // namespace meiguan::uplink
