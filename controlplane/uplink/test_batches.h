#pragma once

// Batches for tests.

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "controlplane/uplink/batch_record.h"

namespace meiguan::uplink {

inline constexpr std::int64_t kTestMinute = 1'795'276'800;

inline store::Batch sample_batch(const std::string& node, std::uint64_t sequence,
                                 std::int64_t packets) {
  store::Batch batch;
  batch.node = node;
  batch.epoch = 7;
  batch.sequence = sequence;
  batch.minute = kTestMinute;
  batch.watch = {60'000, 1, 2};
  store::Row row;
  row.key[store::Dimension::kNode] = node;
  row.key[store::Dimension::kUnit] = "czj-" + node;
  row.key[store::Dimension::kReason] = "allowed";
  row.key[store::Dimension::kFamily] = "ipv4";
  row.sums.packets = packets;
  row.sums.bytes = packets * 100;
  batch.rows.push_back(std::move(row));
  return batch;
}

// What stands at the node at so many minutes of the test's time.
inline store::Batch alarm_batch(const std::string& node, std::uint64_t sequence,
                                std::vector<store::Alarm> alarms) {
  store::Batch batch;
  batch.node = node;
  batch.stream = store::Stream::kAlarms;
  batch.epoch = 7;
  batch.sequence = sequence;
  batch.minute = kTestMinute + static_cast<std::int64_t>(sequence) * 60;
  batch.told = batch.minute + 7;
  batch.alarms = std::move(alarms);
  return batch;
}

inline store::Alarm sample_alarm(const std::string& about, std::int64_t packets) {
  return {"syn-flood", "attack", about, kTestMinute, packets};
}

// Records of so many flows that ended a second apart.
inline store::Batch flow_batch(const std::string& node, std::uint64_t sequence,
                               std::uint32_t flows = 1) {
  store::Batch batch;
  batch.node = node;
  batch.stream = store::Stream::kFlows;
  batch.epoch = 7;
  batch.sequence = sequence;
  batch.minute = kTestMinute;
  for (std::uint32_t i = 0; i < flows; ++i) {
    batch.flows.add(R"({"unit":"财政局","end_ms":)" + std::to_string(sequence) + "}",
                    (kTestMinute + i) * 1000);
  }
  return batch;
}

inline std::string packed(const store::Batch& batch) {
  auto bytes = pack_batch(batch);
  return bytes ? std::move(*bytes) : std::string{};
}

}  // namespace meiguan::uplink
