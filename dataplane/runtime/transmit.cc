#include "dataplane/runtime/transmit.h"

#include <rte_ethdev.h>

#include "dataplane/fastpath/pipeline.h"

namespace meiguan::runtime {

void Transmit::send() noexcept {
  std::uint16_t sent = 0;
  if (device_->up()) {
    if (shared_) ::rte_spinlock_lock(&device_->transmit_lock());
    sent = ::rte_eth_tx_burst(device_->id(), queue_, packets_.data(), waiting_);
    // Once more: a device that was full a moment ago may have freed descriptors by this very call.
    if (sent < waiting_) {
      sent = static_cast<std::uint16_t>(
          sent + ::rte_eth_tx_burst(device_->id(), queue_, packets_.data() + sent,
                                    static_cast<std::uint16_t>(waiting_ - sent)));
    }
    if (shared_) ::rte_spinlock_unlock(&device_->transmit_lock());
  }
  std::uint16_t i = 0;
  while (i < sent) {
    // Runs of frames for one port are counted at once.
    const PortId out = out_[i];
    std::uint64_t packets = 0;
    std::uint64_t bytes = 0;
    for (; i < sent && out_[i] == out; ++i) {
      ++packets;
      bytes += bytes_[i];
    }
    fastpath::count_sent(counters_, out, packets, bytes);
  }
  if (sent < waiting_) {
    ::rte_pktmbuf_free_bulk(packets_.data() + sent, waiting_ - sent);
    for (i = sent; i < waiting_; ++i) counters_.port(out_[i]).transmit_failed.add(1);
  }
  waiting_ = 0;
}

}  // namespace meiguan::runtime
