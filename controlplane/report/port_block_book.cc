#include "controlplane/report/port_block_book.h"

#include <algorithm>
#include <utility>

namespace meiguan::report {
namespace {

PortBlockHeld block_of(const fastpath::Event& event, std::string unit) {
  return {.inside = event.source,
          .space = event.space,
          .outside = event.destination,
          .first_port = event.source_port,
          .last_port = event.destination_port,
          .taken = std::nullopt,
          .returned = std::nullopt,
          .unit = std::move(unit)};
}

}  // namespace

bool PortBlockHeld::concerns(const net::Address& address,
                             std::optional<std::uint16_t> port) const noexcept {
  if (address == inside && !port) return true;
  return address == outside && (!port || (*port >= first_port && *port <= last_port));
}

void PortBlockBook::take(const fastpath::Event& event, WallTime at, std::string unit) {
  const Place place{event.destination, event.source_port};
  const auto found = held_.find(place);
  if (event.kind == fastpath::EventKind::kBlockTaken) {
    // Held already: the event of its return was lost, and by now it is somebody else's.
    if (found != held_.end()) end(std::move(found->second), at);
    PortBlockHeld block = block_of(event, std::move(unit));
    block.taken = at;
    held_.insert_or_assign(place, std::move(block));
  } else if (event.kind == fastpath::EventKind::kBlockReturned) {
    // Unknown: it was taken before anybody looked.
    end(found != held_.end() ? found->second : block_of(event, std::move(unit)), at);
    if (found != held_.end()) held_.erase(found);
  }
}

void PortBlockBook::end(PortBlockHeld block, WallTime at) {
  block.returned = at;
  returned_.push_front(std::move(block));
  if (returned_.size() <= kReturnedKept) return;
  returned_.pop_back();
  ++forgotten_;
}

std::vector<PortBlockHeld> PortBlockBook::list() const {
  std::vector<PortBlockHeld> all;
  all.reserve(held_.size() + returned_.size());
  for (const auto& [place, block] : held_) all.push_back(block);
  std::ranges::stable_sort(all, std::ranges::greater{}, &PortBlockHeld::taken);
  all.insert(all.end(), returned_.begin(), returned_.end());
  return all;
}

void PortBlockBook::end_all(WallTime at) {
  for (const auto& [place, block] : held_) end(block, at);
  held_.clear();
}

}  // namespace meiguan::report
