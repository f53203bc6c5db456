// How batches come into PostgreSQL: by COPY into tables of the transaction, and from there with one
// statement for each table.

#include <fmt/format.h>

#include <map>
#include <optional>
#include <utility>

#include "controlplane/store/merge.h"
#include "controlplane/store/postgres_store.h"

namespace meiguan::store {

bool PostgresStore::judge_all(std::span<const Batch> batches, std::vector<Applied>& said) {
  std::map<std::string, std::optional<Watermark>> marks;
  for (const auto& batch : batches) {
    const auto source = batch.source();
    auto known = marks.find(source);
    if (known == marks.end()) {
      const auto mark = connection_->run("SELECT epoch, sequence FROM watermarks WHERE node = $1",
                                         {source});
      if (!mark.ok()) return false;
      known = marks.emplace(source, std::nullopt).first;
      if (mark.rows() == 1) {
        known->second = Watermark{static_cast<std::uint64_t>(mark.integer(0, 0)),
                                  static_cast<std::uint64_t>(mark.integer(0, 1))};
      }
    }
    said.push_back(judge(known->second, batch));
    if (said.back() == Applied::kNow) known->second = Watermark{batch.epoch, batch.sequence};
  }
  return true;
}

bool PostgresStore::put_rows(std::span<const Batch* const> batches) {
  std::vector<PlacedRow> minutes;
  for (const auto* const batch : batches) {
    for (const auto& row : batch->rows) {
      std::int64_t group = 0;
      if (!group_id(row.key, group)) return false;
      minutes.push_back({batch->minute, group, row.sums});
    }
  }
  std::string text;
  for (std::size_t i = 0; i < kResolutions; ++i) {
    auto rows = minutes;
    for (auto& row : rows) row.time = bucket_of(row.time, kResolution[i].step, options_.offset);
    merge(rows);
    for (const auto& [time, group, s] : rows) {
      fmt::format_to(std::back_inserter(text), "{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\t{}\n", i, time,
                     group, s.packets, s.bytes, s.started, s.ended, s.peak_packets, s.peak_bytes);
    }
    for (const auto* const batch : batches) {
      if (!make_part(i, bucket_of(batch->minute, kResolution[i].step, options_.offset))) {
        return false;
      }
    }
  }
  if (!connection_->copy_in("COPY incoming FROM STDIN", text)) return false;
  for (std::size_t i = 0; i < kResolutions; ++i) {
    if (!run(fmt::format(
            "INSERT INTO rows_{0} AS r SELECT time, grp, packets, bytes, started, ended, "
            "peak_packets, peak_bytes FROM incoming WHERE resolution = {1} ORDER BY time, grp "
            "ON CONFLICT (time, grp) DO UPDATE "
            "SET packets = r.packets + excluded.packets, bytes = r.bytes + excluded.bytes, "
            "started = r.started + excluded.started, ended = r.ended + excluded.ended, "
            "peak_packets = greatest(r.peak_packets, excluded.peak_packets), "
            "peak_bytes = greatest(r.peak_bytes, excluded.peak_bytes)",
            kResolution[i].name, i)) ||
        !put_watches(batches, i)) {
      return false;
    }
  }
  return true;
}

bool PostgresStore::put_watches(std::span<const Batch* const> batches, std::size_t resolution) {
  std::map<std::pair<std::int64_t, std::string>, Watch> watches;
  for (const auto* const batch : batches) {
    if (batch->stream != Stream::kBulk) continue;
    const auto time = bucket_of(batch->minute, kResolution[resolution].step, options_.offset);
    watches[{time, batch->node}].add(batch->watch);
  }
  std::string text;
  for (const auto& [key, watch] : watches) {
    fmt::format_to(std::back_inserter(text), "{}\t{}\t{}\t{}\t{}\n", key.first,
                   copy_field(key.second), watch.watched_ms, watch.events_lost, watch.folded);
  }
  return run("TRUNCATE incoming_watches") &&
         connection_->copy_in("COPY incoming_watches FROM STDIN", text) &&
         run(fmt::format("INSERT INTO watches_{} AS w SELECT * FROM incoming_watches "
                         "ON CONFLICT (time, node) DO UPDATE "
                         "SET watched_ms = w.watched_ms + excluded.watched_ms, "
                         "events_lost = w.events_lost + excluded.events_lost, "
                         "folded = w.folded + excluded.folded",
                         kResolution[resolution].name));
}

bool PostgresStore::put_hits(std::span<const Batch* const> batches) {
  std::string text;
  for (const auto* const batch : batches) {
    for (const auto& row : batch->hits) {
      fmt::format_to(std::back_inserter(text), "{}\t{}\t{}\t{}\t{}\t{}\n", copy_field(batch->node),
                     copy_field(row.rule), row.hits, row.audited, batch->minute,
                     batch->watch.watched_ms);
    }
  }
  if (text.empty()) return true;
  return connection_->copy_in(
             "COPY incoming_hits (node, rule, hits, audited, minute, watched_ms) FROM STDIN",
             text) &&
         run("INSERT INTO hits AS h SELECT node, rule, sum(hits), sum(audited), "
             "min(minute) FILTER (WHERE hits + audited > 0), "
             "max(minute) FILTER (WHERE hits + audited > 0), min(minute), max(minute), "
             "sum(watched_ms) FROM incoming_hits GROUP BY node, rule "
             "ON CONFLICT (node, rule) DO UPDATE SET hits = h.hits + excluded.hits, "
             "audited = h.audited + excluded.audited, first = least(h.first, excluded.first), "
             "last = greatest(h.last, excluded.last), "
             "watched_since = least(h.watched_since, excluded.watched_since), "
             "watched_until = greatest(h.watched_until, excluded.watched_until), "
             "watched_ms = h.watched_ms + excluded.watched_ms");
}

bool PostgresStore::put_marks(std::span<const Batch* const> batches) {
  struct Mark {
    Watermark mark;
    std::uint64_t lost{0};
  };
  std::map<std::string, Mark> marks;
  for (const auto* const batch : batches) {
    auto& mark = marks[batch->source()];
    mark.mark = {batch->epoch, batch->sequence};
    mark.lost += batch->lost;
  }
  for (const auto& [source, mark] : marks) {
    if (!run("INSERT INTO watermarks VALUES ($1,$2::bigint,$3::bigint) ON CONFLICT (node) "
             "DO UPDATE SET epoch = excluded.epoch, sequence = excluded.sequence",
             {source, fmt::format("{}", mark.mark.epoch), fmt::format("{}", mark.mark.sequence)})) {
      return false;
    }
    if (mark.lost > 0 && !run("INSERT INTO lost AS l VALUES ($1,$2::bigint) ON CONFLICT (node) "
                              "DO UPDATE SET batches = l.batches + excluded.batches",
                              {source, fmt::format("{}", mark.lost)})) {
      return false;
    }
  }
  return true;
}

Result<std::vector<Applied>> PostgresStore::append(std::span<const Batch> batches) {
  const std::lock_guard lock{mutex_};
  if (!connect()) return std::unexpected{error_};
  std::vector<Applied> said;
  if (!run("BEGIN") || !run(kPostgresLock) || !judge_all(batches, said)) return failed();
  std::vector<const Batch*> wanted;
  for (std::size_t i = 0; i < batches.size(); ++i) {
    if (said[i] == Applied::kNow) wanted.push_back(&batches[i]);
  }
  if (!put_rows(wanted) || !put_hits(wanted) || !put_marks(wanted) || !run("COMMIT")) {
    return failed();
  }
  return said;
}

Result<std::optional<Watermark>> PostgresStore::watermark(const std::string& source) {
  const std::lock_guard lock{mutex_};
  if (!connect()) return std::unexpected{error_};
  const auto mark = connection_->run("SELECT epoch, sequence FROM watermarks WHERE node = $1",
                                     {source});
  if (!mark.ok()) return failed();
  if (mark.rows() == 0) return std::nullopt;
  return Watermark{static_cast<std::uint64_t>(mark.integer(0, 0)),
                   static_cast<std::uint64_t>(mark.integer(0, 1))};
}

Result<std::vector<Source>> PostgresStore::sources() {
  const std::lock_guard lock{mutex_};
  if (!connect()) return std::unexpected{error_};
  const auto rows = connection_->run(
      "SELECT node, epoch, sequence, coalesce(batches, 0) FROM watermarks "
      "LEFT JOIN lost USING (node) ORDER BY node COLLATE \"C\"");
  if (!rows.ok()) return failed();
  std::vector<Source> all;
  for (int i = 0; i < rows.rows(); ++i) {
    all.push_back({std::string{rows.text(i, 0)},
                   {static_cast<std::uint64_t>(rows.integer(i, 1)),
                    static_cast<std::uint64_t>(rows.integer(i, 2))},
                   static_cast<std::uint64_t>(rows.integer(i, 3))});
  }
  return all;
}

}  // namespace meiguan::store
