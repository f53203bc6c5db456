// Another set of ports and workers than those that are open.

#include <utility>

#include "dataplane/runtime/dataplane.h"
#include "dataplane/runtime/log.h"

namespace meiguan::runtime {

Outcome<void> Dataplane::reopen(std::shared_ptr<const LoadedImage> loaded, Take how) {
  log_warning("the image asks for other ports or workers: all ports are closed and opened anew",
              "映像要求其他端口或工作线程：正在关闭并重新打开全部端口");
  const auto before = in_force_->loaded;
  const auto shut = [this] {
    stop_workers();
    close_ports();
    shared_.in_force.store(nullptr, std::memory_order_release);
    shared_.stop.store(false, std::memory_order_relaxed);
    in_force_.reset();
    neighbours_.emplace(options_.neighbours);
  };
  shut();
  how.may_reopen = false;
  auto taken = take(std::move(loaded), how);
  if (taken) return taken;
  shut();
  if (auto back = take(before, {.keep = false}); !back) {
    log(Level::kError, back.error().message);
    log(Level::kError, {"the ports of before cannot be opened either: nothing is forwarded",
                        "原有端口也无法重新打开：不再转发任何报文"});
  }
  return taken;
}

}  // namespace meiguan::runtime
