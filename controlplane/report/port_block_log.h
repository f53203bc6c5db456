#pragma once

// The log of port blocks on disk (RFC 6888 REQ-4 and 14; RFC 6269 12): who held a public address
// and port months ago. A line for each block taken and returned, and for each data plane that was
// read: what an earlier one held ended with it.

#include <boost/json/object.hpp>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "controlplane/report/flow_ring.h"
#include "controlplane/report/port_block_book.h"
#include "dataplane/base/result.h"

namespace meiguan::report {

class PortBlockLog {
 public:
  // The id of the unit at an inside address, by the policy in force; empty for none.
  using UnitOf = std::function<std::string(SpaceId, const net::Address&)>;

  // `cap_bytes` on disk; the oldest lines go first.
  [[nodiscard]] static Result<std::unique_ptr<PortBlockLog>> open(
      const std::filesystem::path& directory, std::uint64_t cap_bytes, UnitOf unit_of);

  // `data_plane`: another value for another one (Segment::identity).
  void attached(const std::string& data_plane, WallTime at);
  // An event of kind kBlockTaken or kBlockReturned.
  void take(const fastpath::Event& event, WallTime at);
  void flush() { ring_->flush(); }

  struct Past {
    std::vector<PortBlockHeld>
        blocks;                  // as PortBlockBook::list, of those held at any time asked for
    std::uint64_t forgotten{0};  // were too many to hand out
    std::uint64_t damaged{0};    // blocks of the file that could not be read
  };
  // What was held between two instants as far as it is told from `since` on; of what was taken
  // before, the return tells.
  [[nodiscard]] Past read(WallTime since, WallTime until);
  [[nodiscard]] std::uint64_t lost() const { return ring_->lost(); }

 private:
  PortBlockLog(std::unique_ptr<FlowRing> ring, UnitOf unit_of)
      : ring_{std::move(ring)}, unit_of_{std::move(unit_of)} {}

  void append(boost::json::object line, WallTime at);

  std::unique_ptr<FlowRing> ring_;
  std::string data_plane_;
  UnitOf unit_of_;
};

}  // namespace meiguan::report
