#include "controlplane/daemon/block_service.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <chrono>
#include <utility>

#include "controlplane/api/protocol.h"
#include "controlplane/lifecycle/block_protect.h"
#include "controlplane/policy/instant_text.h"
#include "controlplane/policy/message.h"
#include "controlplane/policy/utf8.h"

namespace meiguan::daemon {
namespace {

namespace json = boost::json;
using lifecycle::BlockChange;
using lifecycle::BlockEntries;
using lifecycle::BlockEntry;
using policy::say;

constexpr std::size_t kMostTold = 20;
constexpr image::UtcOffset kShanghai{std::numeric_limits<std::int64_t>::min(), 8 * 3600, 0};

std::int64_t wall_seconds() {
  return std::chrono::duration_cast<std::chrono::seconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

json::object refuse_with(const Text& text, const policy::Diagnostics& diagnostics) {
  auto answer = api::refusal(text);
  answer.emplace("diagnostics", api::to_json(diagnostics));
  return answer;
}

policy::Diagnostic told(Text message) {
  policy::Diagnostic diagnostic;
  diagnostic.message = std::move(message);
  return diagnostic;
}

bool flag(const json::object& request, std::string_view key) {
  const auto* const value = request.if_contains(key);
  return value != nullptr && value->is_bool() && value->get_bool();
}

}  // namespace

// A request with what it needs of the policy in force.
struct BlockService::Request {
  const json::object& object;
  const lifecycle::Bundle* bundle;
  lifecycle::BlockDefaults defaults;

  // The entries that it names, by `addresses` and by `text`, the contents of the file `file`.
  [[nodiscard]] std::expected<std::vector<BlockEntry>, policy::Diagnostics> entries(
      BlockChange& change) const {
    policy::Diagnostics wrong;
    std::vector<BlockEntry> all;
    const auto note = std::make_shared<const lifecycle::BlockNote>(defaults.note);
    // What names nothing must not mean that nothing is to be blocked.
    const auto* const named = object.if_contains("addresses");
    const auto* const file = object.if_contains("text");
    if ((named == nullptr || !named->is_array()) && (file == nullptr || !file->is_string())) {
      wrong.push_back(
          told({"`addresses`, a list, or `text` is missing", "缺少 `addresses`（列表）或 `text`"}));
    }
    if (const auto* const words = object.if_contains("addresses"); words && words->is_array()) {
      for (const auto& word : words->get_array()) {
        auto entry = lifecycle::read_block(word.is_string() ? std::string_view{word.get_string()}
                                                            : "",
                                           defaults);
        if (!entry) {
          wrong.push_back(told(std::move(entry.error().message)));
          continue;
        }
        entry->note = note;
        all.push_back(std::move(*entry));
      }
    }
    if (const auto* const text = object.if_contains("text"); text && text->is_string()) {
      std::size_t ended = 0;
      auto read = lifecycle::read_block_file(std::string_view{text->get_string()},
                                             api::string_at(object, "file"), defaults, ended);
      if (!read) {
        wrong.insert(wrong.end(), read.error().begin(), read.error().end());
      } else {
        std::ranges::move(*read, std::back_inserter(all));
      }
      change.ended += ended;
    }
    if (!wrong.empty()) return std::unexpected{std::move(wrong)};
    return all;
  }
};

BlockService::BlockService(const std::filesystem::path& state_dir, Link& link, Log log)
    : store_{state_dir}, link_{link}, log_{std::move(log)} {}

void BlockService::start() {
  const std::lock_guard lock{mutex_};
  auto loaded = store_.load(wall_seconds());
  entries_ = std::move(loaded.entries);
  seed_ = loaded.seed;
  known_ = loaded.known;
  fresh_ = loaded.fresh;
  alarms_ = std::move(loaded.alarms);
  for (const Text& alarm : alarms_) log_(alarm);
  if (!known_ || fresh_) return;  // the data plane keeps what it has
  auto bytes = entries_.image(seed_);
  const auto published = bytes ? link_.publish_blocks(
                                     std::make_shared<const image::AlignedBytes>(std::move(*bytes)))
                               : Result<bool>{std::unexpected{bytes.error()}};
  if (!published) {
    log_(published.error().message);
    alarms_.push_back(published.error().message);
  }
}

std::vector<Text> BlockService::alarms() const {
  const std::lock_guard lock{mutex_};
  return alarms_;
}

std::size_t BlockService::size() const {
  const std::lock_guard lock{mutex_};
  return entries_.size();
}

json::object BlockService::answer(const json::object& object, const api::Peer& peer,
                                  const lifecycle::Bundle* bundle) {
  Request request{object, bundle, {}};
  request.defaults.now = wall_seconds();
  request.defaults.offsets = bundle != nullptr
                                 ? std::span<const image::UtcOffset>{bundle->policy.utc_offsets}
                                 : std::span{&kShanghai, 1};
  auto& note = request.defaults.note;
  for (const auto& [key, text] : {std::pair{"reason", &note.reason},
                                  std::pair{"ticket", &note.ticket}, std::pair{"by", &note.by}}) {
    *text = api::string_at(object, key);
    if (text->size() > lifecycle::kMaxBlockNote || policy::find_invalid_utf8(*text) ||
        policy::has_control(*text)) {
      return refuse_with({"a note is wrong", "说明有误"},
                         {told(say("{} is one line of text of at most {} bytes",
                                   "{} 应为一行文字，最多 {} 字节", key,
                                   lifecycle::kMaxBlockNote))});
    }
  }
  // The kernel says who asks; `by` says on whose word.
  if (note.by.empty()) {
    note.by = peer.user;
  } else if (note.by != peer.user) {
    note.by += " (" + peer.user + ")";
  }
  request.defaults.zone = api::string_at(object, "zone");
  const auto until = api::string_at(object, "until");
  const auto span = api::string_at(object, "for");
  if (!until.empty() || !span.empty()) {
    const auto ends = until.empty() ? lifecycle::read_block_span(span, request.defaults)
                                    : lifecycle::read_block_end(until, request.defaults);
    if (!ends)
      return refuse_with({"the end is wrong", "到期时间有误"}, {told(ends.error().message)});
    request.defaults.ends = *ends;
  }
  const std::lock_guard lock{mutex_};
  const auto command = api::string_at(object, "command");
  if (command == "block-add") return add(request);
  if (command == "block-import") return import(request);
  if (command == "block-remove") return remove(request);
  if (command == "block-export") {
    BlockChange unused;
    return {{"ok", true},
            {"schema", "meiguan.block-export/v1"},
            {"text", lifecycle::write_block_file(entries_.at(request.defaults.now, unused),
                                                 request.defaults.offsets)}};
  }
  return list(request);
}

std::optional<json::object> BlockService::refuse_unknown() const {
  if (known_ && !(fresh_ && link_.has_foreign_blocks())) return std::nullopt;
  return api::refusal(
      {"the data plane has a block list that this control plane does not know; set the whole list "
       "with `meiguan block import FILE`",
       "数据面有一份控制面不知道的封禁名单；请用 `meiguan block import 文件` 设置整个名单"});
}

std::optional<json::object> BlockService::refuse_entries(
    const Request& request, const std::vector<BlockEntry>& entries) const {
  policy::Diagnostics wrong;
  std::size_t protections = 0;
  lifecycle::ProtectedList protection;
  if (request.bundle != nullptr) {
    const auto& gateway = request.bundle->gateway;
    protection = lifecycle::ProtectedList{
        lifecycle::protected_prefixes(request.bundle->policy, gateway ? &*gateway : nullptr)};
  }
  std::string good_zone;  // neighbours mostly have the same
  for (const BlockEntry& entry : entries) {
    if (!entry.zone.empty() && entry.zone != good_zone && request.bundle != nullptr) {
      const auto& zones = request.bundle->policy.zones;
      const auto zone = std::ranges::find(zones, entry.zone, &policy::Zone::id);
      if (zone == zones.end() || zone->space == kSharedSpace) {
        if (wrong.size() < kMostTold) {
          wrong.push_back(
              told(zone == zones.end()
                       ? say("{}: there is no zone `{}`", "{}：没有区域 `{}`",
                             lifecycle::to_string(entry), entry.zone)
                       : say("{}: zone `{}` shares its addresses with others; leave @{} away",
                             "{}：区域 `{}` 与其他区域共用地址空间，请去掉 @{}",
                             lifecycle::to_string(entry), entry.zone, entry.zone)));
        }
        continue;
      }
      good_zone = entry.zone;
    }
    if (flag(request.object, "force")) continue;
    const auto* const met = protection.meets(entry.zone, entry.prefix);
    if (met == nullptr) continue;
    if (++protections > kMostTold) continue;
    wrong.push_back(told(say("{} is protected: {}", "{} 受保护：{}", lifecycle::to_string(entry),
                             met->what.english)));
    wrong.back().message.chinese = fmt::format("{} 受保护：{}", lifecycle::to_string(entry),
                                               met->what.chinese);
  }
  if (wrong.empty()) return std::nullopt;
  if (protections == 0) {
    return refuse_with({"nothing was blocked", "没有封禁任何地址"}, wrong);
  }
  auto answer = refuse_with(
      say("{} of the addresses are protected; nothing was blocked; --force blocks them all the "
          "same",
          "其中 {} 个地址受保护，没有封禁任何地址；加 --force 则照样封禁", protections),
      wrong);
  answer.emplace("protected", protections);
  return answer;
}

Result<bool> BlockService::put_in_force(BlockEntries next) {
  auto bytes = next.image(seed_);
  if (!bytes) return std::unexpected{bytes.error()};
  if (auto saved = store_.save(next, seed_); !saved) return std::unexpected{saved.error()};
  const auto published = link_.publish_blocks(
      std::make_shared<const image::AlignedBytes>(std::move(*bytes)));
  if (!published) {
    // What is not in force must not come into force with the next start.
    if (auto back = store_.save(entries_, seed_); !back) log_(back.error().message);
    return published;
  }
  entries_ = std::move(next);
  known_ = true;
  fresh_ = false;
  alarms_.clear();
  return published;
}

json::object BlockService::changed(const Request& request, BlockEntries next, BlockChange change) {
  const std::size_t size = next.size();
  const auto published = put_in_force(std::move(next));
  if (!published) return api::refusal(published.error().message);
  const auto& note = request.defaults.note;
  log_(say("block list: {} added, {} merged, {} removed, {} ended, {} in all; by {}; ticket {}",
           "封禁名单：新增 {}，合并 {}，移除 {}，到期 {}，共 {} 条；操作人 {}；工单 {}",
           change.added, change.merged, change.removed, change.ended, size,
           note.by.empty() ? "-" : note.by, note.ticket.empty() ? "-" : note.ticket));
  return {{"ok", true},
          {"schema", "meiguan.block-change/v1"},
          {"added", change.added},
          {"merged", change.merged},
          {"removed", change.removed},
          {"ended", change.ended},
          {"entries", size},
          {"in_force", *published}};
}

json::object BlockService::add(const Request& request) {
  if (auto refused = refuse_unknown()) return std::move(*refused);
  BlockChange change;
  auto added = request.entries(change);
  if (!added) return refuse_with({"nothing was blocked", "没有封禁任何地址"}, added.error());
  if (auto refused = refuse_entries(request, *added)) return std::move(*refused);
  const BlockEntries there = entries_.at(request.defaults.now, change);
  BlockEntries next = there.with(std::move(*added), change);
  return changed(request, std::move(next), change);
}

json::object BlockService::import(const Request& request) {
  BlockChange change;
  auto all = request.entries(change);
  if (!all) return refuse_with({"the list stays as it was", "名单未改变"}, all.error());
  if (auto refused = refuse_entries(request, *all)) return std::move(*refused);
  BlockEntries next = BlockEntries{}.with(std::move(*all), change);
  change.removed = static_cast<std::size_t>(
      std::ranges::count_if(entries_.all(), [&](const BlockEntry& entry) {
        return next.find(entry.zone, entry.prefix) == nullptr;
      }));
  return changed(request, std::move(next), change);
}

json::object BlockService::remove(const Request& request) {
  if (auto refused = refuse_unknown()) return std::move(*refused);
  BlockChange change;
  std::vector<BlockEntry> removed;
  const auto ticket = api::string_at(request.object, "ticket");
  if (flag(request.object, "all")) {
    removed = entries_.all();
  } else if (!ticket.empty()) {
    std::ranges::copy_if(entries_.all(), std::back_inserter(removed),
                         [&](const BlockEntry& entry) { return entry.note->ticket == ticket; });
  } else {
    auto named = request.entries(change);
    if (!named) return refuse_with({"nothing was removed", "没有移除任何条目"}, named.error());
    removed = std::move(*named);
    policy::Diagnostics missing;
    for (const BlockEntry& entry : removed) {
      if (entries_.find(entry.zone, entry.prefix) != nullptr) continue;
      if (missing.size() == kMostTold) break;
      const auto holder = std::ranges::find_if(entries_.all(), [&](const BlockEntry& other) {
        return other.zone == entry.zone && other.prefix.contains(entry.prefix);
      });
      missing.push_back(
          told(holder == entries_.all().end()
                   ? say("{} is not an entry of the block list", "{} 不是封禁名单的条目",
                         lifecycle::to_string(entry))
                   : say("{} is not an entry of the block list; it is blocked by {}",
                         "{} 不是封禁名单的条目；它被 {} 封禁", lifecycle::to_string(entry),
                         lifecycle::to_string(*holder))));
    }
    if (!missing.empty()) {
      auto answer = refuse_with({"nothing was removed", "没有移除任何条目"}, missing);
      answer.emplace("missing", true);
      return answer;
    }
  }
  change.ended = 0;  // of a file: they are removed or not there
  const BlockEntries rest = entries_.without(removed, change);
  BlockEntries next = rest.at(request.defaults.now, change);
  return changed(request, std::move(next), change);
}

json::object BlockService::list(const Request& request) {
  BlockChange unused;
  const auto asked = request.entries(unused);
  if (!asked) return refuse_with({"this is no address", "地址有误"}, asked.error());
  const auto hits = link_.block_hits();
  std::vector<std::uint64_t> packets(hits ? entries_.size() : 0);
  if (hits) {
    for (const auto& hit : *hits) {
      if (hit.record < packets.size()) packets[hit.record] = hit.packets;
    }
  }
  const auto offsets = request.defaults.offsets;
  const auto time = [&](std::int64_t at) { return json::value(policy::instant_text(offsets, at)); };
  const auto or_null = [](const std::string& text) {
    return text.empty() ? json::value(nullptr) : json::value(text);
  };
  json::array rows;
  const auto& all = entries_.all();
  for (std::size_t i = 0; i < all.size(); ++i) {
    const BlockEntry& entry = all[i];
    if (entry.ends <= request.defaults.now) continue;
    const bool wanted = asked->empty() || std::ranges::any_of(*asked, [&](const BlockEntry& one) {
                          return one.zone == entry.zone && one.prefix.overlaps(entry.prefix);
                        });
    if (!wanted) continue;
    rows.push_back(
        json::object{{"prefix", net::to_string(entry.prefix)},
                     {"zone", or_null(entry.zone)},
                     {"reason", or_null(entry.note->reason)},
                     {"ticket", or_null(entry.note->ticket)},
                     {"by", or_null(entry.note->by)},
                     {"since", time(entry.since)},
                     {"ends",
                      entry.ends == image::kBlockForEver ? json::value(nullptr) : time(entry.ends)},
                     {"packets", hits ? json::value(packets[i]) : json::value(nullptr)}});
  }
  return {{"ok", true}, {"schema", "meiguan.block/v1"}, {"rows", std::move(rows)}};
}

}  // namespace meiguan::daemon
