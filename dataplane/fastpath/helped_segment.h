#pragma once

#include "dataplane/fastpath/hear_ftp.h"
#include "dataplane/fastpath/worker_state.h"

namespace meiguan::fastpath {

// What one segment of a control connection would do if it passes.
struct Pipeline::Impl::Segment {
  std::span<std::uint8_t> payload;
  Heard heard;
  bool reads{false};     // it has bytes that nobody has heard yet
  bool edits{false};     // the sender's changed text lies in it, be it the one of `change`
  bool changes{false};   // and that is new
  std::size_t at{0};     // where, in the payload
  SequenceShift change;  // what becomes of the sender's shift
  std::uint32_t expected{Expected::kNone};

  // How an end that was announced has to be told.
  net::Address told_address;
  std::uint16_t told_port{0};
};

}  // namespace meiguan::fastpath
