#pragma once

// What a database holds: the sums of a node and a time as one pack of bytes, by the numbers of
// their groups, and who was watched in a time as another. A pack is read a hundred times faster
// than as many rows, and written with one.
//
//   sums:    for each group, ascending: its number less the one before it, six sums
//   watches: for each node, ascending: its number less the one before it, three numbers
//
// All varints, the sums signed. Bytes from a disk are not trusted: what is no such pack is found.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "controlplane/store/row.h"
#include "controlplane/store/varint.h"

namespace meiguan::store {

struct GroupSums {
  std::uint32_t group{0};
  Sums sums;
};

struct NodeWatch {
  std::uint32_t node{0};
  Watch watch;
};

// The pack with these added to it; they come in any order and a group more than once. False: it is
// no pack, and is as it was.
[[nodiscard]] bool add_to_pack(std::string& pack, std::vector<GroupSums> sums);
[[nodiscard]] bool add_to_pack(std::string& pack, std::vector<NodeWatch> watches);

// Calls `take` for each; false: it is no pack, and what was taken is worth nothing.
template <typename Take>
[[nodiscard]] bool read_sums(std::string_view pack, const Take& take) {
  VarintReader in{pack};
  GroupSums one;
  while (in.left() > 0) {
    one.group += static_cast<std::uint32_t>(in.number());
    one.sums.packets = in.signed_number();
    one.sums.bytes = in.signed_number();
    one.sums.started = in.signed_number();
    one.sums.ended = in.signed_number();
    one.sums.peak_packets = in.signed_number();
    one.sums.peak_bytes = in.signed_number();
    if (in.failed() || !take(one)) return false;
  }
  return !in.failed();
}

template <typename Take>
[[nodiscard]] bool read_watches(std::string_view pack, const Take& take) {
  VarintReader in{pack};
  NodeWatch one;
  while (in.left() > 0) {
    one.node += static_cast<std::uint32_t>(in.number());
    one.watch.watched_ms = in.signed_number();
    one.watch.events_lost = in.signed_number();
    one.watch.folded = in.signed_number();
    if (in.failed() || !take(one)) return false;
  }
  return !in.failed();
}

}  // namespace meiguan::store
