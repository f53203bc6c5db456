#pragma once

// How the runtime sees an mbuf: the frame in it, and a tag in its private area that travels with
// it through the rings between the threads.

#include <rte_mbuf.h>

#include <cstddef>
#include <cstdint>
#include <span>

#include "dataplane/fastpath/pipeline.h"

namespace meiguan::runtime {

struct PacketTag {
  fastpath::Fate fate;
  std::uint32_t generation{
      0};  // of the image that judged it: only with it do its ids mean anything
  std::uint32_t frame_bytes{0};  // as received
  // Of what the main thread has sent: the place in Shared::devices. Ports may have other numbers in
  // the next image, devices do not.
  std::uint16_t device{0};
};
inline constexpr std::uint16_t kTagBytes = 128;
static_assert(sizeof(PacketTag) <= kTagBytes && kTagBytes % RTE_MBUF_PRIV_ALIGN == 0);
static_assert(RTE_PKTMBUF_HEADROOM >= fastpath::Frame::kHeadroom);

[[nodiscard]] inline PacketTag& tag_of(rte_mbuf* packet) noexcept {
  return *static_cast<PacketTag*>(::rte_mbuf_to_priv(packet));
}

[[nodiscard]] inline std::uint8_t* data_of(rte_mbuf* packet) noexcept {
  return rte_pktmbuf_mtod(packet, std::uint8_t*);
}

[[nodiscard]] inline std::span<std::uint8_t> frame_of(rte_mbuf* packet) noexcept {
  return {data_of(packet), packet->data_len};
}

// Takes back what the pipeline made of the frame: its start may have moved by a VLAN tag.
inline void put_frame(rte_mbuf* packet, const fastpath::Frame& frame) noexcept {
  packet->data_off = static_cast<std::uint16_t>(frame.data -
                                                static_cast<std::uint8_t*>(packet->buf_addr));
  packet->data_len = static_cast<std::uint16_t>(frame.length);
  packet->pkt_len = frame.length;
}

}  // namespace meiguan::runtime
