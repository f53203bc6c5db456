#include "controlplane/daemon/captures.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <chrono>
#include <cstring>
#include <random>
#include <utility>

#include "controlplane/analysis/names.h"
#include "controlplane/api/protocol.h"
#include "controlplane/crypto/digest.h"
#include "dataplane/fastpath/reason.h"

namespace meiguan::daemon {
namespace {

namespace json = boost::json;
using channel::CaptureEnd;

constexpr std::size_t kAnswerBytes = std::size_t{4} << 20;
constexpr std::size_t kMaxFilterBytes = 1024;
constexpr std::chrono::milliseconds kLookEvery{500};

// The clock of the data plane's main thread.
std::uint64_t monotonic_ms() {
  return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(
                                        std::chrono::steady_clock::now().time_since_epoch())
                                        .count());
}

// Not to be guessed: who knows it may read the packets.
std::string new_token() {
  std::random_device random;
  return fmt::format("{:08x}{:08x}{:08x}{:08x}", random(), random(), random(), random());
}

std::string_view word_of(CaptureEnd end) {
  switch (end) {
    case CaptureEnd::kGoesOn: return "";
    case CaptureEnd::kAsked: return "asked";
    case CaptureEnd::kTime: return "time";
    case CaptureEnd::kSilence: return "silence";
    case CaptureEnd::kReopened: break;
  }
  return "reopened";
}

std::optional<channel::CapturePoint> point_of(std::string_view word) {
  if (word == "rx") return channel::CapturePoint::kReceived;
  if (word == "tx") return channel::CapturePoint::kSent;
  if (word == "drop") return channel::CapturePoint::kDropped;
  return std::nullopt;
}

// A number of the request within bounds; `otherwise` where there is none.
std::optional<std::uint32_t> number_at(const json::object& request, std::string_view key,
                                       std::uint32_t otherwise, std::uint32_t most) {
  const auto* const value = request.if_contains(key);
  if (value == nullptr) return otherwise;
  boost::system::error_code error;
  const auto number = value->is_number() ? value->to_number<std::uint32_t>(error) : 0;
  return !value->is_number() || error || number > most ? std::nullopt : std::optional{number};
}

// The request as the data plane takes it.
Result<std::vector<std::byte>> payload_of(const json::object& request,
                                          const policy::Catalog& catalog) {
  channel::CaptureRequest wish;
  const auto point = point_of(api::string_at(request, "at"));
  const auto snap = number_at(request, "snap", channel::kMaxSnapBytes, channel::kMaxSnapBytes);
  const auto seconds = number_at(request, "seconds", channel::kMaxCaptureSeconds,
                                 channel::kMaxCaptureSeconds);
  const auto program = crypto::from_base64(api::string_at(request, "program"));
  if (!point || !snap || !seconds || !program ||
      program->size() % sizeof(channel::CaptureInstruction) != 0 ||
      api::string_at(request, "filter").size() > kMaxFilterBytes) {
    return fail("a capture needs `at` (rx, tx or drop), and numbers and a program within bounds",
                "抓包请求须有 at（rx、tx 或 drop），数值和程序须在允许范围内");
  }
  wish.point = *point;
  wish.snap_bytes = *snap;
  wish.seconds = *seconds;
  wish.instructions = static_cast<std::uint32_t>(program->size() /
                                                 sizeof(channel::CaptureInstruction));
  if (const auto name = api::string_at(request, "reason"); !name.empty()) {
    const auto* const reason = fastpath::find_reason(std::string_view{name});
    if (reason == nullptr) {
      return fail(fmt::format("there is no reason `{}`; `meiguan reason` lists them",
                              name.substr(0, 64)),
                  fmt::format("没有原因 `{}`；`meiguan reason` 可列出全部", name.substr(0, 64)));
    }
    wish.reason = static_cast<std::uint32_t>(reason->reason);
  }
  if (const auto id = api::string_at(request, "unit"); !id.empty()) {
    const auto unit = std::ranges::find_if(catalog.units, [&](const policy::CatalogUnit& one) {
      return one.in_use && one.id == id;
    });
    if (unit == catalog.units.end()) {
      return fail(fmt::format("the policy in force has no unit `{}`", id.substr(0, 64)),
                  fmt::format("现行策略中没有单位 `{}`", id.substr(0, 64)));
    }
    wish.unit = static_cast<std::uint32_t>(unit - catalog.units.begin());
  }
  std::vector<std::byte> payload(sizeof wish + program->size());
  std::memcpy(payload.data(), &wish, sizeof wish);
  std::memcpy(payload.data() + sizeof wish, program->data(), program->size());
  return payload;
}

json::object row_of(const report::LivePacket& packet, const lifecycle::Bundle& bundle) {
  const analysis::Names names{bundle.compiled.catalog};
  const auto& head = packet.head;
  json::object row{{"time", head.time}, {"bytes", head.frame_bytes}};
  const auto add = [&](const char* key, std::string_view text) {
    if (!text.empty()) row.emplace(key, text);
  };
  add("in", names.port_name(head.in));
  add("out", names.port_name(head.out));
  switch (head.step) {
    case channel::CapturedStep::kJudged:
      if (const auto* const info = fastpath::find_reason(head.reason)) add("reason", info->name);
      break;
    case channel::CapturedStep::kHeld: add("step", "held"); break;
    case channel::CapturedStep::kOwn: add("step", "own"); break;
  }
  add("rule", names.rule_name(head.rule));
  add("unit", names.unit_id(head.unit));
  add("to_unit", names.unit_id(head.to_unit));
  add("service", names.service_id(head.service));
  const auto* const port = names.port(head.in);
  if (const auto ports = bundle.image.ports(); port != nullptr && head.in.index() < ports.size()) {
    // A private zone has an address space of its own, which has its name.
    const bool shared = ports[head.in.index()].space == kSharedSpace.value();
    add("space", shared ? std::string_view{"shared"} : std::string_view{port->zone});
  }
  // reinterpret_cast: bytes as characters.
  row.emplace("data", crypto::base64({reinterpret_cast<const char*>(packet.frame.data()),
                                      packet.frame.size()}));
  return row;
}

}  // namespace

Captures::Captures(Link& link) : link_{link}, thread_{[this] { watch(); }} {}

Captures::~Captures() {
  {
    const std::lock_guard lock{mutex_};
    stopping_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

json::object Captures::answer(const json::object& request, const access::Peer& peer,
                              const lifecycle::Bundle& bundle) {
  const auto command = api::string_at(request, "command");
  const std::lock_guard lock{mutex_};
  if (command == "capture") return begin(request, peer, bundle);
  if (!live_ || api::string_at(request, "token") != live_->token) {
    return api::refusal({"there is no such capture, or it is over", "没有该抓包，或已结束"});
  }
  if (command == "capture-read") return read(bundle);
  link_.end_capture();
  static_cast<void>(tell_if_over());
  return {{"ok", true}, {"schema", "meiguan.capture/v1"}};
}

json::object Captures::begin(const json::object& request, const access::Peer& peer,
                             const lifecycle::Bundle& bundle) {
  if (live_ && !tell_if_over()) {
    return api::refusal(
        {fmt::format("{} captures already; there is one capture at a time", live_->user),
         fmt::format("{} 正在抓包；同一时间只能有一个", live_->user)});
  }
  live_.reset();
  const auto payload = payload_of(request, bundle.compiled.catalog);
  if (!payload) return api::refusal(payload.error().message);
  const auto begun = link_.begin_capture(*payload);
  if (!begun) return api::refusal(begun.error().message);
  auto packets = report::LiveCapture::open(*begun);
  if (!packets) {
    link_.end_capture();
    return api::refusal(packets.error().message);
  }
  live_ = Live{new_token(), peer.user, std::move(*packets)};
  wake_.notify_all();
  return {{"ok", true}, {"schema", "meiguan.capture/v1"}, {"token", live_->token}};
}

json::object Captures::read(const lifecycle::Bundle& bundle) {
  const auto end = live_->packets.end(monotonic_ms());
  json::array rows;
  for (const auto& packet : live_->packets.read(kAnswerBytes, monotonic_ms())) {
    rows.push_back(row_of(packet, bundle));
  }
  live_->taken += rows.size();
  const bool more = live_->packets.more();
  json::object answer{{"ok", true},
                      {"schema", "meiguan.capture/v1"},
                      {"packets", std::move(rows)},
                      {"lost", live_->packets.lost()},
                      {"more", more}};
  // Seen before the packets were: these are the last.
  if (end == CaptureEnd::kGoesOn || more) return answer;
  answer.emplace("ended", word_of(end));
  static_cast<void>(tell_if_over());
  live_.reset();
  return answer;
}

bool Captures::tell_if_over() {
  const auto end = live_->packets.end(monotonic_ms());
  if (end == CaptureEnd::kGoesOn) return false;
  if (!std::exchange(live_->told, true) && tell_end_) {
    tell_end_({{"user", live_->user},
               {"why", word_of(end)},
               {"packets", live_->taken},
               {"lost", live_->packets.lost()}});
  }
  return true;
}

// A client that was killed does not ask again: somebody has to write down that it is over.
void Captures::watch() {
  std::unique_lock lock{mutex_};
  while (!stopping_) {
    if (!live_ || live_->told) {
      wake_.wait(lock);
    } else {
      wake_.wait_for(lock, kLookEvery);
      if (live_) static_cast<void>(tell_if_over());
    }
  }
}

}  // namespace meiguan::daemon
