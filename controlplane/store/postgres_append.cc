// How batches come into PostgreSQL: packs that change are fetched, and all come by COPY into tables
// of the transaction, from there with one statement for each table.

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <map>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "controlplane/store/postgres_store.h"
#include "controlplane/store/rule_lists.h"

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

bool PostgresStore::put_dictionary() {
  for (const auto& [table, chunk] :
       {std::pair{"names", numbering_.new_names()}, std::pair{"groups", numbering_.new_groups()}}) {
    if (chunk.bytes.empty()) continue;
    CopyRows rows;
    rows.begin(2);
    rows.add(chunk.first);
    rows.add(chunk.bytes);
    if (!connection_->copy_in(fmt::format("COPY {} FROM STDIN (FORMAT binary)", table),
                              rows.take())) {
      return false;
    }
  }
  return true;
}

bool PostgresStore::fetch_packs(PlacedPacks& packs, std::size_t resolution, CopyRows& rows) {
  std::map<std::pair<std::int64_t, std::uint32_t>, std::string> found;
  std::string wanted;
  for (const auto& [key, sums] : packs.nodes) {
    fmt::format_to(std::back_inserter(wanted), "{}({},{})", wanted.empty() ? "" : ",", key.first,
                   key.second);
  }
  if (wanted.empty()) return true;
  const bool fetched = connection_->copy_out(
      fmt::format("COPY (SELECT p.time, p.node, p.sums FROM (VALUES {}) AS w (time, node) "
                  "JOIN packs_{} p ON p.time = w.time::bigint AND p.node = w.node::bigint) "
                  "TO STDOUT (FORMAT binary)",
                  wanted, kResolution[resolution].name),
      [&](const CopiedRow& row) {
        found[{row.integer(0), static_cast<std::uint32_t>(row.integer(1))}] = row.bytes(2);
        return true;
      });
  if (!fetched) return false;
  for (auto& [key, sums] : packs.nodes) {
    auto& pack = found[key];
    if (!add_to_pack(pack, std::move(sums))) return false;
    rows.begin(4);
    rows.add(static_cast<std::int64_t>(resolution));
    rows.add(key.first);
    rows.add(std::int64_t{key.second});
    rows.add(pack);
  }
  return true;
}

bool PostgresStore::fetch_times(PlacedPacks& packs, std::size_t resolution, CopyRows& rows) {
  std::map<std::int64_t, std::pair<std::string, std::string>> found;
  std::vector<std::int64_t> wanted;
  for (const auto& [time, all] : packs.times) wanted.push_back(time);
  const bool fetched = connection_->copy_out(
      fmt::format("COPY (SELECT time, watches, whole FROM times_{} WHERE time IN ({})) TO STDOUT "
                  "(FORMAT binary)",
                  kResolution[resolution].name, fmt::join(wanted, ",")),
      [&](const CopiedRow& row) {
        found[row.integer(0)] = {std::string{row.bytes(1)}, std::string{row.bytes(2)}};
        return true;
      });
  if (!fetched) return false;
  for (auto& [time, all] : packs.times) {
    auto& [watches, whole] = found[time];
    if (!add_to_pack(watches, std::move(all.watches)) ||
        !add_to_pack(whole, std::move(all.whole))) {
      return false;
    }
    rows.begin(4);
    rows.add(static_cast<std::int64_t>(resolution));
    rows.add(time);
    rows.add(watches);
    rows.add(whole);
  }
  return true;
}

bool PostgresStore::put_packs(std::span<const Batch* const> batches) {
  if (batches.empty()) return true;
  CopyRows nodes;
  CopyRows times;
  for (std::size_t i = 0; i < kResolutions; ++i) {
    PlacedPacks packs;
    for (const auto* const batch : batches) {
      packs.add({batch, bucket_of(batch->minute, kResolution[i].step, options_.offset)},
                numbering_);
    }
    for (const auto& [time, all] : packs.times) {
      if (!make_part(i, time)) return false;
    }
    if (!fetch_packs(packs, i, nodes) || !fetch_times(packs, i, times)) return false;
  }
  if (!put_dictionary() ||
      !connection_->copy_in("COPY incoming FROM STDIN (FORMAT binary)", nodes.take()) ||
      !connection_->copy_in("COPY incoming_times FROM STDIN (FORMAT binary)", times.take())) {
    return false;
  }
  for (std::size_t i = 0; i < kResolutions; ++i) {
    if (!run(fmt::format("INSERT INTO packs_{} SELECT time, node, sums FROM incoming "
                         "WHERE resolution = {} ORDER BY time, node "
                         "ON CONFLICT (time, node) DO UPDATE SET sums = excluded.sums",
                         kResolution[i].name, i)) ||
        !run(fmt::format("INSERT INTO times_{} SELECT time, watches, whole FROM incoming_times "
                         "WHERE resolution = {} ON CONFLICT (time) DO UPDATE "
                         "SET watches = excluded.watches, whole = excluded.whole",
                         kResolution[i].name, i))) {
      return false;
    }
  }
  return true;
}

bool PostgresStore::put_hits(std::span<const Batch* const> batches) {
  std::string text;
  for (const auto* const batch : batches) {
    for (const auto& row : batch->hits) {
      fmt::format_to(std::back_inserter(text), "{}\t{}\t{}\t{}\t{}\t{}\n", copy_field(batch->node),
                     copy_field(row.rule), row.hits, row.audited, batch->minute,
                     batch->rules == 0 ? batch->watch.watched_ms : 0);
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

// See put_lists().
struct PostgresStore::Lists {
  PostgresStore& store;

  [[nodiscard]] bool known(std::map<std::string, std::uint64_t>& nodes) const {
    std::vector<std::string_view> codes;  // which have no comma
    for (const auto& [node, fingerprint] : nodes) codes.push_back(node);
    const auto rows = store.connection_->run(
        "SELECT node, fingerprint FROM rule_lists WHERE node = ANY (string_to_array($1, ','))",
        {fmt::format("{}", fmt::join(codes, ","))});
    if (!rows.ok()) return false;
    for (int i = 0; i < rows.rows(); ++i) {
      nodes[std::string{rows.text(i, 0)}] = static_cast<std::uint64_t>(rows.integer(i, 1));
    }
    return true;
  }
  [[nodiscard]] bool fold(const std::string& node) const {
    return store.run(
               "INSERT INTO hits AS h SELECT w.node, rule, 0, 0, NULL, NULL, w.first, w.last, "
               "w.watched_ms FROM rule_watches w JOIN rule_lists l USING (node), "
               "unnest(string_to_array(l.rules, E'\\n')) AS rule WHERE w.node = $1 "
               "ON CONFLICT (node, rule) DO UPDATE SET "
               "watched_since = least(h.watched_since, excluded.watched_since), "
               "watched_until = greatest(h.watched_until, excluded.watched_until), "
               "watched_ms = h.watched_ms + excluded.watched_ms",
               {node}) &&
           store.run("DELETE FROM rule_watches WHERE node = $1", {node});
  }
  [[nodiscard]] bool adopt(const std::string& node, std::uint64_t fingerprint,
                           const std::string& rules) const {
    return store.run(
        "INSERT INTO rule_lists VALUES ($1,$2::bigint,$3) ON CONFLICT (node) "
        "DO UPDATE SET fingerprint = excluded.fingerprint, rules = excluded.rules",
        {node, fmt::format("{}", fingerprint), rules});
  }
  [[nodiscard]] bool watched(const std::map<std::string, ListWatch>& nodes) const {
    std::array<std::string, 4> columns;
    for (const auto& [node, watch] : nodes) {
      const char* const comma = columns[0].empty() ? "" : ",";
      columns[0] += comma + node;
      columns[1] += fmt::format("{}{}", comma, watch.first);
      columns[2] += fmt::format("{}{}", comma, watch.last);
      columns[3] += fmt::format("{}{}", comma, watch.watched_ms);
    }
    return store.run(
        "INSERT INTO rule_watches AS w SELECT * FROM unnest("
        "string_to_array($1, ','), string_to_array($2, ',')::bigint[], "
        "string_to_array($3, ',')::bigint[], string_to_array($4, ',')::bigint[]) "
        "ON CONFLICT (node) DO UPDATE SET first = least(w.first, excluded.first), "
        "last = greatest(w.last, excluded.last), "
        "watched_ms = w.watched_ms + excluded.watched_ms",
        {columns[0], columns[1], columns[2], columns[3]});
  }
};

// What a batch does not tell of any more is over since then.
bool PostgresStore::put_alarms(std::span<const Batch* const> batches) {
  for (const auto* const batch : batches) {
    if (batch->stream != Stream::kAlarms) continue;
    if (!run("UPDATE alarms SET until = greatest($2::bigint, since) "
             "WHERE node = $1 AND until IS NULL",
             {batch->node, fmt::format("{}", batch->told)})) {
      return false;
    }
    for (const auto& alarm : batch->alarms) {
      if (!run("INSERT INTO alarms VALUES ($1,$2,$3,$4::bigint,$5,$6::bigint,NULL) "
               "ON CONFLICT (node, name, about, since) DO UPDATE SET until = NULL, "
               "kind = excluded.kind, packets = excluded.packets",
               {batch->node, alarm.name, alarm.about, fmt::format("{}", alarm.since), alarm.kind,
                fmt::format("{}", alarm.packets)})) {
        return false;
      }
    }
    if (!run("DELETE FROM alarms WHERE node = $1 AND until <= (SELECT until FROM alarms "
             "WHERE node = $1 AND until IS NOT NULL ORDER BY until DESC LIMIT 1 "
             "OFFSET $2::bigint)",
             {batch->node, fmt::format("{}", kMostPastAlarms)})) {
      return false;
    }
  }
  return true;
}

bool PostgresStore::settle_longest(std::span<const Batch* const> batches) {
  if (settled_ || batches.empty()) return true;
  const auto known = connection_->run("SELECT FROM longest");
  if (!known.ok()) return false;
  if (known.rows() == 0) {
    const auto any = connection_->run("SELECT FROM times_1d LIMIT 1");
    if (!any.ok()) return false;
    const auto since = longest_since(any.rows() == 0, batches.front()->minute, options_);
    if (!run("INSERT INTO longest VALUES ($1::bigint)", {fmt::format("{}", since)})) return false;
  }
  settled_ = true;
  return true;
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
  if (!run("BEGIN") || !run(kPostgresLock) || !load_dictionary() || !judge_all(batches, said)) {
    return failed();
  }
  std::vector<const Batch*> wanted;
  for (std::size_t i = 0; i < batches.size(); ++i) {
    if (said[i] == Applied::kNow) wanted.push_back(&batches[i]);
  }
  std::vector<const Batch*> with_rows;
  std::ranges::copy_if(wanted, std::back_inserter(with_rows), &Batch::has_rows);
  if (!settle_longest(with_rows) || !put_packs(with_rows) || !put_hits(wanted) ||
      !put_lists(wanted, Lists{*this}) || !put_alarms(wanted) || !put_marks(wanted) ||
      !run("COMMIT")) {
    return failed();
  }
  numbering_.saved();
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
