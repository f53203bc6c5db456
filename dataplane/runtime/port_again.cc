// Ports whose network interface goes away and comes back, while all others go on.

#include <fmt/format.h>

#include "dataplane/runtime/dataplane.h"
#include "dataplane/runtime/kernel_link.h"
#include "dataplane/runtime/log.h"

namespace meiguan::runtime {

bool Device::lost() const {
  return interface_ != 0 && kernel_link::index(wanted_.target) != interface_;
}

void Device::shut() noexcept {
  up_.store(false, std::memory_order_relaxed);
  open_.store(false, std::memory_order_release);
}

Outcome<void> Device::open_again(rte_mempool* pool) {
  const net::MacAddress before = mac_;
  const std::uint16_t queues = receive_queues_;
  const auto opened = [&]() -> Outcome<void> {
    if (auto done = prepare_interface(); !done) return done;
    if (auto done = create(kind_); !done) return done;
    if (auto done = set_up(pool); !done) return done;
    // Workers know their queues and the port's MAC from before.
    if (receive_queues_ != queues) {
      return environment(
          fmt::format("port {}: '{}' has {} receive queues now, {} before: restart the "
                      "data plane",
                      wanted_.port, wanted_.target, receive_queues_, queues),
          fmt::format("端口 {}：“{}”现有 {} 个接收队列，原为 {} 个：请重启数据面", wanted_.port,
                      wanted_.target, receive_queues_, queues));
    }
    return set_up_address();
  }();
  if (!opened) {
    destroy();
    receive_queues_ = queues;
    mac_ = before;
    return opened;
  }
  if (mac_ != before) (void)kernel_link::set_mac(wanted_.target, before);
  mac_ = before;
  interface_ = kernel_link::index(wanted_.target);
  if (aside_) (void)step_aside();
  open_.store(true, std::memory_order_release);
  watch_link();
  return {};
}

void Dataplane::watch_links() {
  bool gone = false;
  for (const auto& device : shared_.devices) {
    const std::string& port = device->wanted().port;
    if (device->is_open() && device->lost()) {
      log_error(
          fmt::format("port {}: the interface '{}' is gone; the port is closed until it is back",
                      port, device->wanted().target),
          fmt::format("端口 {}：接口“{}”已消失；在其恢复之前端口关闭", port,
                      device->wanted().target));
      device->shut();
      if (!workers_.empty()) {
        const std::uint64_t token = ::rte_rcu_qsbr_start(shared_.qsbr);
        (void)::rte_rcu_qsbr_check(shared_.qsbr, token, true);
      }
      device->release();
    }
    if (!device->is_open() && kernel_link::index(device->wanted().target) != 0) {
      if (auto opened = device->open_again(pool_); !opened) {
        log(Level::kError, opened.error().message);
      } else {
        log_info(fmt::format("port {}: the interface is back, the port is open again", port),
                 fmt::format("端口 {}：接口已恢复，端口重新打开", port));
      }
    }
    gone = gone || !device->is_open();
    device->watch_link();
  }
  if (gone) {
    alarms_ |= channel::kAlarmPortGone;
  } else {
    alarms_ &= ~channel::kAlarmPortGone;
  }
}

}  // namespace meiguan::runtime
