#include "dataplane/runtime/dataplane.h"

#include <fmt/format.h>
#include <rte_errno.h>
#include <rte_launch.h>
#include <rte_lcore.h>
#include <rte_malloc.h>
#include <rte_mbuf.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

#include "dataplane/base/service_manager.h"
#include "dataplane/fastpath/limit_values.h"
#include "dataplane/runtime/clock.h"
#include "dataplane/runtime/log.h"
#include "dataplane/runtime/packet.h"

namespace meiguan::runtime {
namespace {

constexpr unsigned kHandoverRing = 4096;
constexpr unsigned kExceptionRing = 2048;
constexpr unsigned kOwnFramesRing = 2048;
constexpr unsigned kPoolCache = 256;
constexpr std::uint32_t kBurst = fastpath::kMaxBurst;
constexpr std::uint32_t kLeastBuffers = 1U << 14;
constexpr fastpath::Tick kLinkInterval = 500;
constexpr fastpath::Tick kTickInterval = 50;
constexpr fastpath::Tick kTapInterval = 2000;
constexpr fastpath::Tick kRoutesInterval = 20;

// Rings and pools are named in one process only.
rte_ring* make_ring(const char* name, unsigned size, unsigned flags) {
  return ::rte_ring_create(name, size, SOCKET_ID_ANY, flags);
}

std::unexpected<Failure> no_room(const char* english, const char* chinese) {
  return environment(
      fmt::format("no room in packet memory for {}: reserve more huge pages (vm.nr_hugepages), or "
                  "give a larger --memory with --no-huge",
                  english),
      fmt::format("报文内存不足，无法建立{}：请增加大页（vm.nr_hugepages），或在 --no-huge 时"
                  "增大 --memory",
                  chinese));
}

int run_worker(void* worker) {
  static_cast<Worker*>(worker)->run();
  return 0;
}

bool same_device(const Device::Wanted& a, const Device::Wanted& b) noexcept {
  return a.kind == b.kind && a.target == b.target && a.has_mac == b.has_mac && a.mac == b.mac;
}

}  // namespace

std::vector<Device::Wanted> wanted_devices(const image::Image& image) {
  std::vector<Device::Wanted> wanted;
  const auto ports = image.ports();
  for (std::size_t i = 0; i < ports.size(); ++i) {
    const image::PortRecord& port = ports[i];
    if (port.device_kind == image::DeviceKind::kSubPort) continue;
    Device::Wanted device;
    device.port = std::string{port.name.data(), ::strnlen(port.name.data(), port.name.size())};
    device.kind = port.device_kind;
    device.target = device_target(
        {port.device.data(), ::strnlen(port.device.data(), port.device.size())});
    device.has_mac = port.has_mac != 0;
    device.mac = port.mac;
    for (const image::PortRecord& other : ports) {
      if (other.parent != i) continue;
      device.mtu = std::max(device.mtu, other.mtu);
      device.has_sub_ports = device.has_sub_ports || other.vlan != 0;
    }
    device.index = static_cast<unsigned>(wanted.size());
    device.workers = image.meta().workers;
    wanted.push_back(std::move(device));
  }
  return wanted;
}

Dataplane::Dataplane(const Options& options, Segments segments)
    : options_{options},
      segments_{std::move(segments)},
      started_{monotonic_ms()},
      neighbours_{std::in_place, options.neighbours},
      kernel_routes_{options.routes},
      alive_interval_{watchdog_interval()} {}

Dataplane::~Dataplane() {
  stop_workers();
  exceptions_.reset();
  close_ports();
}

Outcome<void> Dataplane::start() {
  auto server = ChannelServer::listen(options_.run_dir, [this](channel::Message& request) {
    return answer(request);
  });
  if (!server) return std::unexpected{server.error()};
  server_.emplace(std::move(*server));

  start_with_blocks();
  if (blocks_lost_) return {};
  return start_with_image();
}

Outcome<void> Dataplane::start_with_image() {
  auto first = first_image(options_);
  if (!first) return std::unexpected{first.error()};
  if (first->damaged) {
    alarms_ |= channel::kAlarmImageDamaged;
    log(Level::kError,
        {fmt::format("the last good image is damaged; {}",
                     first->loaded ? "the one before it is taken" : "there is no other"),
         fmt::format("上次生效的映像已损坏；{}",
                     first->loaded ? "改用再前一次的映像" : "没有其他映像可用")});
  }
  if (first->loaded == nullptr) {
    log_info("no image yet: waiting for the control plane to publish one; nothing is forwarded",
             "尚无映像：等待控制面发布；此前不转发任何报文");
    return {};
  }
  if (first->is_last) kept_ = first->loaded->image().checksum();
  return take(std::move(first->loaded), {.keep = !first->damaged});
}

Outcome<void> Dataplane::take(std::shared_ptr<const LoadedImage> loaded, Take how) {
  if (blocks_lost_) {
    return configuration(
        fmt::format("the last block list is damaged: send a block list first, or remove {}",
                    (options_.state_dir / kLastBlocks).string()),
        fmt::format("上次的封禁名单已损坏：请先发送封禁名单，或删除 {}",
                    (options_.state_dir / kLastBlocks).string()));
  }
  if (auto fits = check_capacity(loaded->image(), segments_.capacity()); !fits) return fits;
  const bool first = in_force_ == nullptr;
  if (first) {
    if (auto opened = open_ports(loaded->image()); !opened) {
      close_ports();
      return opened;
    }
  }
  auto next = place(loaded);
  if (!next && !first && how.may_reopen) return reopen(std::move(loaded), how);
  if (next && how.keep) {
    // Before it is in force: what is not kept would be gone with the next start.
    if (auto kept = keep((*next)->image()); !kept) next = environment(kept.error());
  }
  if (!next) {
    if (first) close_ports();
    return std::unexpected{next.error()};
  }
  const unsigned workers = (*next)->image().meta().workers;
  put_in_force(std::move(*next));
  if (first) {
    const auto fragments = fastpath::fragment_room(in_force_->image());
    if (auto started = start_workers(workers, fragments); !started) return started;
    exceptions_->announce(monotonic_ms());
    tell_service_manager("STATUS=forwarding");
  }
  log_info(fmt::format("image {:016x} is in force as generation {}: {} ports, {} units, {} rules",
                       in_force_->image().checksum(), in_force_->generation,
                       in_force_->image().ports().size(), in_force_->image().units().size(),
                       in_force_->image().rules().size()),
           fmt::format("映像 {:016x} 已生效（第 {} 代）：端口 {}，单位 {}，规则 {}",
                       in_force_->image().checksum(), in_force_->generation,
                       in_force_->image().ports().size(), in_force_->image().units().size(),
                       in_force_->image().rules().size()));
  return {};
}

Outcome<void> Dataplane::open_ports(const image::Image& image) {
  const unsigned workers = image.meta().workers;
  if (workers == 0 || workers > segments_.workers()) {
    return configuration(
        fmt::format("the gateway file asks for {} workers, but there are cores for {}: lower "
                    "`workers`, or give more cores with --worker-cores",
                    workers, segments_.workers()),
        fmt::format("网关文件要求 {} 个工作线程，但只有 {} 个核可用：请减小 workers，或用 "
                    "--worker-cores 指定更多的核",
                    workers, segments_.workers()));
  }
  const auto wanted = wanted_devices(image);
  std::uint32_t buffers = kExceptionRing + kOwnFramesRing + Neighbours::kHeldInAll +
                          workers * (kHandoverRing + 4 * kPoolCache + kBurst +
                                     fastpath::fragment_room(image).fragments);
  std::uint16_t mtu = 1500;
  for (const Device::Wanted& device : wanted) {
    buffers += buffers_of(device);
    mtu = std::max(mtu, device.mtu);
  }
  buffers = options_.packets != 0 ? options_.packets : std::max(buffers, kLeastBuffers);
  const auto room = static_cast<std::uint16_t>(
      std::min(buffer_room(mtu) + RTE_PKTMBUF_HEADROOM, std::uint32_t{65'535} / 64 * 64));
  pool_ = ::rte_pktmbuf_pool_create("packets", buffers, kPoolCache, kTagBytes, room, SOCKET_ID_ANY);
  if (pool_ == nullptr) return no_room("packet buffers", "报文缓冲区");
  if (auto rings = make_rings(workers); !rings) return rings;
  for (const Device::Wanted& device : wanted) {
    auto opened = Device::open(device, pool_);
    if (!opened) return std::unexpected{opened.error()};
    shared_.devices.push_back(std::move(*opened));
  }
  exceptions_ = std::make_unique<Exceptions>(shared_, pool_, segments_.block(segments_.workers()),
                                             *neighbours_, options_.neighbours);
  return {};
}

Outcome<void> Dataplane::make_rings(unsigned workers) {
  shared_.exceptions = make_ring("exceptions", kExceptionRing, RING_F_SC_DEQ);
  shared_.own_frames = make_ring("own-frames", kOwnFramesRing, RING_F_SP_ENQ | RING_F_SC_DEQ);
  bool made = shared_.exceptions != nullptr && shared_.own_frames != nullptr;
  for (unsigned i = 0; workers > 1 && i < workers; ++i) {
    shared_.handovers.push_back(
        make_ring(fmt::format("handover-{}", i).c_str(), kHandoverRing, RING_F_SC_DEQ));
    made = made && shared_.handovers.back() != nullptr;
  }
  shared_.qsbr = static_cast<rte_rcu_qsbr*>(
      ::rte_zmalloc("qsbr", ::rte_rcu_qsbr_get_memsize(workers), RTE_CACHE_LINE_SIZE));
  made = made && shared_.qsbr != nullptr && ::rte_rcu_qsbr_init(shared_.qsbr, workers) == 0;
  if (!made) return no_room("the rings between threads", "线程间队列");
  return {};
}

// Where the image's ports lie on the devices. Errors: its devices are not those that are open.
Outcome<std::unique_ptr<InForce>> Dataplane::place(
    std::shared_ptr<const LoadedImage> loaded) const {
  const image::Image& image = loaded->image();
  const auto wanted = wanted_devices(image);
  auto in_force = std::make_unique<InForce>();
  in_force->generation = generation_ + 1;
  in_force->port_of_device.resize(shared_.devices.size());
  in_force->device_of_port.resize(image.ports().size());
  in_force->macs.resize(image.ports().size());

  bool same = wanted.size() == shared_.devices.size() &&
              (!in_force_ || in_force_->image().meta().workers == image.meta().workers);
  std::size_t number = 0;
  for (std::size_t i = 0; same && i < image.ports().size(); ++i) {
    if (image.ports()[i].device_kind == image::DeviceKind::kSubPort) continue;
    const Device::Wanted& device = wanted[number++];
    const auto open = std::ranges::find_if(shared_.devices, [&](const auto& other) {
      return same_device(other->wanted(), device) && other->wanted().mtu >= device.mtu &&
             other->wanted().has_sub_ports >= device.has_sub_ports;
    });
    if (open == shared_.devices.end()) {
      same = false;
      break;
    }
    const auto at = static_cast<std::uint16_t>(open - shared_.devices.begin());
    in_force->port_of_device[at] = PortId{static_cast<std::uint16_t>(i)};
    in_force->device_of_port[i] = at;
    in_force->macs[i] = (*open)->mac();
  }
  if (!same) {
    return configuration(
        "the image asks for other devices, a larger MTU, the first sub-ports of a port "
        "or another number of workers than are open; nothing has changed: with "
        "--reopen-ports all ports are opened anew, and live connections begin again",
        "映像要求的设备、MTU、首个子端口或工作线程数与已打开的不同；未作任何更改：加 "
        "--reopen-ports "
        "将重新打开全部端口，现有连接须重新建立");
  }
  for (std::size_t i = 0; i < image.ports().size(); ++i) {
    const std::size_t parent = image.ports()[i].parent;
    in_force->device_of_port[i] = in_force->device_of_port[parent];
    in_force->macs[i] = in_force->macs[parent];
  }
  const std::int64_t now = wall_seconds();
  in_force->moment = image::Moment{image, now};
  in_force->loaded = std::move(loaded);
  in_force->take_routes(kernel_routes_.routes_at(routed_ports(image)));
  // Numbers of address spaces are the image's own.
  in_force->take_blocks(blocks_, now, in_force_ ? in_force_->block_revision + 1 : 1);
  return in_force;
}

void Dataplane::put_in_force(std::unique_ptr<InForce> next) {
  const fastpath::Tick now = monotonic_ms();
  exceptions_->adopt(*next, now);
  kernel_routes_.want(routed_ports(next->image()), now);
  shared_.in_force.store(next.get(), std::memory_order_release);
  wait_for_workers();
  in_force_ = std::move(next);
  generation_ = in_force_->generation;
}

void Dataplane::wait_for_workers() {
  if (workers_.empty()) return;
  // Workers never wait for this thread, so the grace period ends within a burst.
  const std::uint64_t token = ::rte_rcu_qsbr_start(shared_.qsbr);
  (void)::rte_rcu_qsbr_check(shared_.qsbr, token, true);
}

void Dataplane::pass_time(std::int64_t wall_seconds) {
  if (!in_force_) return;
  auto next = after_time(*in_force_, wall_seconds);
  if (next == nullptr) return;
  const std::uint32_t generation = next->generation;
  const bool changed = generation != in_force_->generation;
  put_in_force(std::move(next));
  if (!changed) return;
  log_info(fmt::format("schedules or dates have passed: generation {} is in force", generation),
           fmt::format("时间表或日期已到：第 {} 代生效", generation));
}

Outcome<void> Dataplane::start_workers(unsigned workers,
                                       const fastpath::FragmentOptions& fragments) {
  for (unsigned i = 0; i < workers; ++i) {
    workers_.push_back(std::make_unique<Worker>(i, workers, shared_, segments_.block(i),
                                                &segments_.ring(i), *neighbours_, options_.flows,
                                                fragments));
  }
  for (unsigned i = 0; i < workers; ++i) {
    if (::rte_eal_remote_launch(run_worker, workers_[i].get(), i + 1) != 0) {
      return environment("a worker does not start", "工作线程无法启动");
    }
  }
  return {};
}

void Dataplane::stop_workers() {
  end_capture(channel::CaptureEnd::kReopened);
  shared_.stop.store(true, std::memory_order_relaxed);
  if (!workers_.empty()) ::rte_eal_mp_wait_lcore();
  workers_.clear();
}

void Dataplane::close_ports() {
  exceptions_.reset();
  shared_.devices.clear();
  for (rte_ring* ring : shared_.handovers) ::rte_ring_free(ring);
  shared_.handovers.clear();
  ::rte_ring_free(std::exchange(shared_.exceptions, nullptr));
  ::rte_ring_free(std::exchange(shared_.own_frames, nullptr));
  ::rte_free(std::exchange(shared_.qsbr, nullptr));
  ::rte_mempool_free(std::exchange(pool_, nullptr));
}

void Dataplane::tell_alive(fastpath::Tick now) {
  if (!alive_interval_ || now < next_alive_) return;
  if (!workers_.empty()) {
    if (asked_of_workers_ && ::rte_rcu_qsbr_check(shared_.qsbr, *asked_of_workers_, false) != 1) {
      return;  // a worker hangs: the service manager will miss us
    }
    asked_of_workers_ = ::rte_rcu_qsbr_start(shared_.qsbr);
  }
  tell_service_manager("WATCHDOG=1");
  next_alive_ = now + static_cast<fastpath::Tick>(alive_interval_->count());
}

void Dataplane::run(int signals) {
  server_->watch(signals);
  tell_service_manager(in_force_
                           ? "READY=1\nSTATUS=forwarding"
                           : "READY=1\nSTATUS=waiting for the control plane; nothing is forwarded");
  fastpath::Tick next_tick = 0;
  fastpath::Tick next_look = 0;
  fastpath::Tick next_taps = 0;
  fastpath::Tick next_routes = 0;
  fastpath::Tick busy_until = 0;
  while (true) {
    const fastpath::Tick now = monotonic_ms();
    unsigned dealt = 0;
    tell_alive(now);
    if (exceptions_ && in_force_) {
      dealt = exceptions_->drain(now) + exceptions_->read_taps(now);
      if (now >= next_routes || kernel_routes_.busy()) {
        follow_routes(now);
        next_routes = now + kRoutesInterval;
      }
      if (now >= next_taps) {
        watch_taps();
        next_taps = now + kTapInterval;
      }
      if (now >= next_tick) {
        exceptions_->tick(now);
        pass_time(wall_seconds());
        watch_capture(now);
        next_tick = now + kTickInterval;
      }
      if (now >= next_look) {
        watch_links();
        next_look = now + kLinkInterval;
      }
    }
    if (dealt != 0) busy_until = now + 100;
    // A ring cannot wake this thread, so it looks often while something goes on.
    const auto wait = dealt != 0         ? std::chrono::microseconds{0}
                      : now < busy_until ? std::chrono::microseconds{200}
                                         : std::chrono::microseconds{1000};
    if (server_->serve(wait)) return;
  }
}

}  // namespace meiguan::runtime
