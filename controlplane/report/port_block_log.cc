#include "controlplane/report/port_block_log.h"

#include <boost/json.hpp>
#include <limits>
#include <utility>

namespace meiguan::report {
namespace {

namespace json = boost::json;
using fastpath::EventKind;

std::int64_t ms_of(WallTime time) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count();
}
WallTime time_of(std::int64_t ms) { return WallTime{std::chrono::milliseconds{ms}}; }

std::string text_at(const json::object& line, std::string_view key) {
  const auto* const value = line.if_contains(key);
  return value != nullptr && value->is_string() ? std::string{value->get_string()} : std::string{};
}

std::optional<std::int64_t> number_at(const json::object& line, std::string_view key,
                                      std::int64_t most) {
  const auto* const value = line.if_contains(key);
  if (value == nullptr || !value->is_int64()) return std::nullopt;
  const auto number = value->get_int64();
  if (number < 0 || number > most) return std::nullopt;
  return number;
}

// What is written of an event, and read again. Errors: it is no such line.
json::object line_of(const fastpath::Event& event, const std::string& unit, WallTime at) {
  return {{"at_ms", ms_of(at)},
          {"event", event.kind == EventKind::kBlockTaken ? "taken" : "returned"},
          {"inside", net::to_string(event.source)},
          {"space", event.space.value()},
          {"unit", unit},
          {"outside", net::to_string(event.destination)},
          {"first_port", event.source_port},
          {"last_port", event.destination_port}};
}
std::optional<fastpath::Event> event_of(const json::object& line) {
  constexpr std::int64_t kMostPort = 65'535;
  const auto kind = text_at(line, "event");
  const auto inside = net::parse_address(text_at(line, "inside"));
  const auto outside = net::parse_address(text_at(line, "outside"));
  const auto space = number_at(line, "space", std::numeric_limits<std::uint16_t>::max());
  const auto first = number_at(line, "first_port", kMostPort);
  const auto last = number_at(line, "last_port", kMostPort);
  if ((kind != "taken" && kind != "returned") || !inside || !outside || !space || !first || !last) {
    return std::nullopt;
  }
  fastpath::Event event;
  event.kind = kind == "taken" ? EventKind::kBlockTaken : EventKind::kBlockReturned;
  event.source = *inside;
  event.destination = *outside;
  event.space = SpaceId{static_cast<std::uint16_t>(*space)};
  event.source_port = static_cast<std::uint16_t>(*first);
  event.destination_port = static_cast<std::uint16_t>(*last);
  return event;
}

}  // namespace

Result<std::unique_ptr<PortBlockLog>> PortBlockLog::open(const std::filesystem::path& directory,
                                                         std::uint64_t cap_bytes, UnitOf unit_of) {
  auto ring = FlowRing::open(directory, cap_bytes);
  if (!ring) return std::unexpected{ring.error()};
  return std::unique_ptr<PortBlockLog>{new PortBlockLog{std::move(*ring), std::move(unit_of)}};
}

void PortBlockLog::attached(const std::string& data_plane, WallTime at) {
  data_plane_ = data_plane;
  append({{"at_ms", ms_of(at)}, {"event", "data-plane"}}, at);
}

void PortBlockLog::take(const fastpath::Event& event, WallTime at) {
  append(line_of(event, unit_of_(event.space, event.source), at), at);
}

void PortBlockLog::append(boost::json::object line, WallTime at) {
  line.emplace("data_plane", data_plane_);
  ring_->append(ms_of(at), json::serialize(line));
}

PortBlockLog::Past PortBlockLog::read(WallTime since, WallTime until) {
  Past past;
  PortBlockBook book;
  std::string data_plane;
  ring_->flush();
  const auto read = ring_->read(ms_of(since), ms_of(until), [&](std::string_view text) {
    boost::system::error_code error;
    const auto value = json::parse(text, error);
    if (error || !value.is_object()) return true;
    const auto& line = value.get_object();
    const auto at = number_at(line, "at_ms", std::numeric_limits<std::int64_t>::max());
    if (!at || *at >= ms_of(until)) return true;
    if (const auto now = text_at(line, "data_plane"); now != data_plane) {
      book.end_all(time_of(*at));
      data_plane = now;
    }
    if (const auto event = event_of(line)) {
      book.take(*event, time_of(*at), text_at(line, "unit"));
    }
    return true;
  });
  past.forgotten = book.forgotten();
  past.damaged = read.damaged;
  past.blocks = book.list();
  // A file's block may hold lines of before.
  std::erase_if(past.blocks,
                [&](const PortBlockHeld& b) { return b.returned && *b.returned < since; });
  return past;
}

}  // namespace meiguan::report
