#pragma once

// What statistics are made of: rows of sums under names. Names are whole and last over reloads
// ("360000/budget-for-finance"); an empty one says that there is none.

#include <algorithm>
#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "dataplane/fastpath/reason.h"

namespace meiguan::store {

// What a row can be told apart by, in the order of Key::names.
enum class Dimension : std::uint8_t {
  kNode,
  kUnit,  // the initiator's
  kPeer,  // the responder's unit
  kService,
  kFromZone,
  kToZone,
  kReason,
  kRule,
  // The two that are no names of the policy's:
  kFamily,     // "ipv4", "ipv6"
  kDirection,  // "request", "reply"
  // And one that follows from the reason: "forward", "drop", "local".
  kVerdict,
};
inline constexpr std::size_t kDimensions = 11;
inline constexpr std::size_t kKeyNames = 10;  // all but the verdict
inline constexpr std::array<std::string_view, kDimensions> kDimensionNames{
    "node",   "unit", "peer",   "service",   "from_zone", "to_zone",
    "reason", "rule", "family", "direction", "verdict"};

// Stands for everything that went beyond a limit of keys.
inline constexpr std::string_view kOther = "(other)";
// What counters know and no event told: lost events, packets that have none.
inline constexpr std::string_view kUntold = "(untold)";

struct Key {
  std::array<std::string, kKeyNames> names;

  [[nodiscard]] std::string& operator[](Dimension d) { return names[static_cast<std::size_t>(d)]; }
  [[nodiscard]] std::string_view operator[](Dimension d) const {
    if (d == Dimension::kVerdict) return verdict();
    return names[static_cast<std::size_t>(d)];
  }
  // Of the reason; a reason without a name here reads as a drop.
  [[nodiscard]] std::string_view verdict() const {
    const auto* const info = fastpath::find_reason(
        names[static_cast<std::size_t>(Dimension::kReason)]);
    return fastpath::name_of(info != nullptr ? info->verdict : fastpath::Verdict::kDrop);
  }
  auto operator<=>(const Key&) const = default;
};

// Bytes are those of IP packets. Signed: what was told and turned out otherwise is taken back.
struct Sums {
  std::int64_t packets{0};
  std::int64_t bytes{0};
  std::int64_t started{0};  // flows
  std::int64_t ended{0};
  // Highest of any ten seconds within, per second.
  std::int64_t peak_packets{0};
  std::int64_t peak_bytes{0};

  void add(const Sums& other) noexcept {
    packets = sum(packets, other.packets);
    bytes = sum(bytes, other.bytes);
    started = sum(started, other.started);
    ended = sum(ended, other.ended);
    peak_packets = peak_packets > other.peak_packets ? peak_packets : other.peak_packets;
    peak_bytes = peak_bytes > other.peak_bytes ? peak_bytes : other.peak_bytes;
  }
  bool operator==(const Sums&) const = default;

 private:
  // Numbers of a hostile child wrap; they do not end the process.
  [[nodiscard]] static std::int64_t sum(std::int64_t a, std::int64_t b) noexcept {
    return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) + static_cast<std::uint64_t>(b));
  }
};

struct Row {
  Key key;
  Sums sums;
};

// How well a span of a node's time was watched.
struct Watch {
  std::int64_t watched_ms{0};   // of its time; less than all: incomplete
  std::int64_t events_lost{0};  // told of by counters alone
  std::int64_t folded{0};       // additions that went to the row of all others

  void add(const Watch& other) noexcept {
    watched_ms += other.watched_ms;
    events_lost += other.events_lost;
    folded += other.folded;
  }
  bool operator==(const Watch&) const = default;
};

// New since the rule's last report; `first` and `last` are seconds since 1970.
struct RuleHits {
  std::string rule;
  std::int64_t hits{0};     // first packets that it decided
  std::int64_t audited{0};  // first packets that came past it
};

// Something at a node that an operator should look at.
struct Alarm {
  std::string name;       // "flow-table-full"
  std::string kind;       // "limit", "attack"
  std::string about;      // may be empty
  std::int64_t since{0};  // by the node's clock, seconds since 1970
  std::int64_t packets{0};
  auto operator<=>(const Alarm&) const = default;
};

// Names of the rules in force at a node, in order, each once.
using RuleList = std::vector<std::string>;
// Tells lists apart; never 0, and fits a database's integers.
[[nodiscard]] std::uint64_t fingerprint_of(const RuleList& rules);

// What a node reports it reports in streams, so that one may go ahead of another.
enum class Stream : std::uint8_t {
  kBulk,    // forwarded traffic, what was watched, hits of rules
  kDenied,  // rows of packets that were dropped
  kAlarms,  // each time all alarms that stand then
  kFlows,   // records of flows that ended
};
inline constexpr std::size_t kStreams = 4;
// What a stream's name has behind the node's: no code of a node has a #.
inline constexpr std::array<std::string_view, kStreams> kStreamMarks{"", "#denied", "#alarms",
                                                                     "#flows"};

// Records of flows, as lines of text.
struct FlowLines {
  std::string text;  // each line with its end
  std::uint32_t count{0};
  std::int64_t first_ms{0};  // when the first and the last of them ended, since 1970
  std::int64_t last_ms{0};

  void add(std::string_view line, std::int64_t ended_ms) {
    first_ms = count == 0 ? ended_ms : std::min(first_ms, ended_ms);
    last_ms = count == 0 ? ended_ms : std::max(last_ms, ended_ms);
    ++count;
    text.append(line).push_back('\n');
  }
  bool operator==(const FlowLines&) const = default;
};

// What one node says of one minute, or a part of it: rows of the same minute add up. The same
// (node, stream, epoch, sequence) is the same batch and counts once, however often it comes; within
// an epoch sequences begin at 1 and have no gaps but those that a batch declares.
struct Batch {
  std::string node;
  Stream stream{Stream::kBulk};
  std::uint64_t epoch{0};
  std::uint64_t sequence{0};
  std::int64_t minute{0};  // seconds since 1970, a multiple of 60
  Watch watch;
  std::vector<Row> rows;  // each key at most once
  // Of rules with news. Where `rules` is 0, as it was in earlier versions, of every rule in force.
  std::vector<RuleHits> hits;
  std::uint64_t rules{0};                // fingerprint of those in force
  std::shared_ptr<const RuleList> list;  // those; null: they were told before
  std::vector<Alarm> alarms;             // of kAlarms: all that stand
  std::int64_t told{0};                  // of kAlarms: when they do, in `minute`
  FlowLines flows;                       // of kFlows; the store keeps the watermark alone
  // So many right before it were dropped by who sends it and will never come; less than `sequence`.
  std::uint64_t lost{0};

  // What watermarks go by: node and stream.
  [[nodiscard]] std::string source() const {
    return node + std::string{kStreamMarks[static_cast<std::size_t>(stream)]};
  }
  // Whether it is rows, which roll-ups are made of.
  [[nodiscard]] bool has_rows() const {
    return stream == Stream::kBulk || stream == Stream::kDenied;
  }
};

}  // namespace meiguan::store
