#pragma once

// A node of a tree for tests: store, spool, and both sides of the uplink, on disk so that it can be
// killed and started again.

#include <filesystem>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "controlplane/store/store.h"
#include "controlplane/uplink/receiver.h"
#include "controlplane/uplink/sender.h"
#include "controlplane/uplink/spool.h"

namespace meiguan::uplink {

// 36 is above 3601, and that above 360121: a code is below those that it begins with.
inline bool is_below(const std::string& child, const std::string& node) {
  return node.starts_with(child) && child.starts_with("36");
}

class Tier {
 public:
  using Wire = std::function<Result<web::Answer>(std::string_view target, std::string_view body)>;

  Tier(std::filesystem::path directory, std::string code, std::uint64_t cap = 1 << 24)
      : directory_{std::move(directory)}, code_{std::move(code)}, cap_{cap} {
    start();
  }

  // As after a kill: what is in memory is gone.
  void start() {
    sender.reset();
    receiver.reset();
    spool.reset();
    store.reset();
    store = store::open_sqlite(directory_ / "stats", {}).value();
    spool = Spool::open({directory_ / "spool", cap_, segment_bytes}).value();
    recover();
    receiver = std::make_unique<Receiver>(Receiver::Settings{
        .belongs = is_below,
        .append = [this](std::span<const store::Batch> batches,
                         std::span<const std::string> records) { return take(batches, records); },
        .watermark = [this](const std::string& source) { return store->watermark(source); },
        .now_ms = [this] { return now_ms; },
        .log = [](const Text&) {},
        .states_file = directory_ / "states.json"});
    SenderSettings settings;
    settings.bytes_per_second = bytes_per_second;
    settings.group_bytes = group_bytes;
    sender = std::make_unique<Sender>(
        settings, *spool,
        [this](std::string_view target, std::string_view, std::string_view body,
               std::chrono::milliseconds) -> Result<web::Answer> {
          if (!wire) return fail("nobody there", "无人应答");
          return wire(target, body);
        },
        [this] {
          return boost::json::object{
              {"nodes", boost::json::array{boost::json::object{{"node", code_}}}}};
        },
        [this] { return now_ms; }, [](const Text&) {});
  }

  // What the spool has and the store has not: it stopped between the two.
  void recover() {
    spool->each([this](const Record& record) {
      if (const auto batch = unpack_batch(record)) static_cast<void>(store->append(*batch));
      return true;
    });
  }

  Result<std::vector<store::Applied>> take(std::span<const store::Batch> batches,
                                           std::span<const std::string> records) {
    if (auto done = spool->append(records); !done) return std::unexpected{done.error()};
    if (dies_behind_spool) return fail("killed", "已终止");
    return store->append(batches);
  }

  // A batch of this node's own.
  void report(const store::Batch& batch) {
    const auto record = pack_batch(batch).value();
    static_cast<void>(spool->append(std::span{&record, 1}));
    if (!dies_behind_spool) static_cast<void>(store->append(batch));
  }

  // What a child that shows a certificate of that name gets.
  Result<web::Answer> ask(const std::string& child, std::string_view target,
                          std::string_view body) {
    std::promise<Receiver::Answer> said;
    receiver->take(child, std::string{target}, std::string{body},
                   [&](Receiver::Answer answer) { said.set_value(std::move(answer)); });
    auto answer = said.get_future().get();
    return web::Answer{answer.status, "application/json", std::move(answer.body)};
  }

  void connect(Tier& parent) {
    wire = [this, &parent](std::string_view target, std::string_view body) {
      return parent.ask(code_, target, body);
    };
  }

  // Until nothing waits or nothing helps.
  void drain() {
    for (int i = 0; i < 1'000; ++i) {
      if (sender->round() != Sender::Round::kSent) return;
    }
  }

  // Packets by node, "360121=10 360122=3".
  [[nodiscard]] std::string sums() const {
    store::Query query;
    query.since = 1'795'276'800;
    query.until = query.since + store::kDay;
    query.now = query.since;
    query.by = {store::Dimension::kNode};
    const auto answer = store->query(query);
    if (!answer) return "error";
    std::string text;
    for (const auto& row : answer->rows) {
      if (!text.empty()) text += ' ';
      text += row.names[0] + "=" + std::to_string(row.sums.packets);
    }
    return text;
  }

  // Alarms of the test's time, "360121 10.0.0.1=5 0-67" with begin and end.
  [[nodiscard]] std::string alarms() const {
    constexpr std::int64_t kBegin = 1'795'276'800;
    const auto rows = store->alarms(0);
    if (!rows) return "error";
    std::string text;
    for (const auto& row : *rows) {
      if (!text.empty()) text += "; ";
      text += row.node + " " + row.alarm.about + "=" + std::to_string(row.alarm.packets) + " " +
              std::to_string(row.alarm.since - kBegin) + "-" +
              (row.until ? std::to_string(*row.until - kBegin) : "");
    }
    return text;
  }

  std::uint64_t segment_bytes{1 << 16};
  std::size_t group_bytes{1'000};
  std::uint64_t bytes_per_second{0};
  std::int64_t now_ms{1'795'280'000'000};
  bool dies_behind_spool{false};
  Wire wire;
  std::unique_ptr<store::Store> store;
  std::unique_ptr<Spool> spool;
  std::unique_ptr<Receiver> receiver;
  std::unique_ptr<Sender> sender;

 private:
  std::filesystem::path directory_;
  std::string code_;
  std::uint64_t cap_;
};

}  // namespace meiguan::uplink
