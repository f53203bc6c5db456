#pragma once

// What flows have been told of already, so that each packet and byte counts once: an event says
// what its flow has in all, and only what is new since the last one is to be added.

#include <array>
#include <cstddef>
#include <cstdint>
#include <unordered_map>

#include "dataplane/fastpath/event.h"

namespace meiguan::report {

// Of both directions: packets, bytes from the initiator; packets, bytes of replies.
using FlowTotals = std::array<std::uint64_t, 4>;

struct FlowDelta {
  FlowTotals more{};
  std::uint64_t over_ms{0};  // the time in which it came
};

class FlowProgress {
 public:
  // At most `capacity` flows that last are followed.
  explicit FlowProgress(std::size_t capacity) : capacity_{capacity} {}

  // A data plane is read from now on. `running`: it ran before; then flows that began before the
  // ring's first event were told of to somebody else, and count from their next event on.
  void attach(bool running);
  // What a periodic or an end event adds.
  [[nodiscard]] FlowDelta take(const fastpath::Event& event, std::size_t ring);
  // For every event of the ring, in their order.
  void see(const fastpath::Event& event, std::size_t ring);

  [[nodiscard]] std::uint64_t unfollowed() const noexcept { return unfollowed_; }
  [[nodiscard]] std::size_t followed() const noexcept { return told_.size(); }

 private:
  struct Key {
    std::array<std::uint64_t, 2> hash{};
    bool operator==(const Key&) const = default;
  };
  struct KeyHash {
    std::size_t operator()(const Key& key) const noexcept { return key.hash[0]; }
  };
  struct Told {
    FlowTotals totals{};
    std::uint64_t at{0};  // the event's time
  };
  void prune(std::uint64_t now);
  [[nodiscard]] static Key key_of(const fastpath::Event& event, std::size_t ring);

  std::size_t capacity_;
  bool running_{false};
  std::array<std::uint64_t, 256> first_{};  // time of each ring's first event
  std::array<bool, 256> any_{};
  std::unordered_map<Key, Told, KeyHash> told_;
  std::uint64_t pruned_{0};  // time of the event at which it was last done
  std::uint64_t unfollowed_{0};
};

}  // namespace meiguan::report
