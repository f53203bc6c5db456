// Any bytes as a frame: parse never reads past them (the sanitizers watch), and what it calls
// well-formed agrees with itself. Under libFuzzer, with clang:
//   ninja -C build-sanitized fuzzers && build-sanitized/tests/fuzz/parse_fuzz -max_len=2048

#include <cstddef>
#include <cstdint>
#include <span>

#include "dataplane/fastpath/parse.h"
#include "dataplane/fastpath/pipeline.h"
#include "dataplane/net/icmp_build.h"

namespace {

using namespace meiguan;

void require(bool holds) {
  if (!holds) __builtin_trap();
}

void check_info(std::span<const std::uint8_t> frame, const fastpath::PacketInfo& info) {
  require(fastpath::find_reason(info.reason) != nullptr);
  require(info.reason != fastpath::Reason::kNoImage);
  if (!info.well_formed()) return;
  require(info.kind != fastpath::PacketKind::kNotIp);
  require(info.is_ip() == (info.kind != fastpath::PacketKind::kArp));
  if (!info.is_ip()) return;
  require(std::size_t{info.l3_offset} + info.ip_bytes <= frame.size());
  require(info.ip_bytes >= (info.family == net::Family::kIpv4 ? 20 : 40));
  require(info.match_mask <= fastpath::match::kEither);
  require(info.without_flow == fastpath::Reason::kAllowed ||
          fastpath::verdict_of(info.without_flow) == fastpath::Verdict::kDrop);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::span<const std::uint8_t> frame{data, size};
  fastpath::PacketInfo info;
  fastpath::parse(frame, info);
  check_info(frame, info);
  // Bytes behind the frame are padding, and padding changes nothing.
  const bool has_owner = fastpath::Pipeline::owner_hash(frame) != 0;
  require(!has_owner || (info.well_formed() && info.is_ip()));

  // The builders read packets of strangers too.
  if (info.well_formed() && info.is_ip()) {
    std::uint8_t out[net::kMostIcmp6ErrorBytes];
    const auto own = info.family == net::Family::kIpv4
                         ? net::Address::v4(0x0a000001)
                         : net::Address::v6(
                               {0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1});
    const std::size_t bytes = net::build_icmp_error(out, net::IcmpProblem::kTimeExceeded, 0, own,
                                                    frame.subspan(info.l3_offset, info.ip_bytes));
    require(bytes <= sizeof out);
    if (bytes != 0) require(net::may_answer_with_error(frame.subspan(info.l3_offset)));
  }
  (void)net::may_answer_with_error(frame);
  return 0;
}
