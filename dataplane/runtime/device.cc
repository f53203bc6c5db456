#include "dataplane/runtime/device.h"

#include <fmt/format.h>
#include <rte_dev.h>
#include <rte_errno.h>
#include <rte_ethdev.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "dataplane/runtime/kernel_link.h"
#include "dataplane/runtime/log.h"

namespace meiguan::runtime {
namespace {

using image::DeviceKind;

constexpr std::uint16_t kDescriptors = 1024;
constexpr std::uint16_t kAfXdpDescriptors = 2048;

bool uses_interface(DeviceKind kind) noexcept {
  return kind == DeviceKind::kAfXdp || kind == DeviceKind::kAfPacket;
}

std::unexpected<Failure> no_interface(const Device::Wanted& wanted) {
  return environment(
      fmt::format("port {}: there is no network interface '{}'; create it, or correct `device` in "
                  "the gateway file",
                  wanted.port, wanted.target),
      fmt::format("端口 {}：没有网络接口“{}”；请创建该接口，或改正网关文件中的 device", wanted.port,
                  wanted.target));
}

// One step of setting a device up has failed with `error` (positive).
std::unexpected<Failure> refused(const Device::Wanted& wanted, const char* english,
                                 const char* chinese, int error) {
  const char* why = ::rte_strerror(error);
  if (error == EPERM || error == EACCES) {
    return environment(
        fmt::format("port {}: no permission to {} '{}': run as root, or with CAP_NET_ADMIN, "
                    "CAP_NET_RAW and CAP_BPF",
                    wanted.port, english, wanted.target),
        fmt::format("端口 {}：没有权限{}“{}”：请以 root 运行，或授予 CAP_NET_ADMIN、CAP_NET_RAW、"
                    "CAP_BPF",
                    wanted.port, chinese, wanted.target));
  }
  return environment(fmt::format("port {}: cannot {} '{}': {}", wanted.port, english, wanted.target,
                                 why),
                     fmt::format("端口 {}：无法{}“{}”：{}", wanted.port, chinese, wanted.target,
                                 why));
}

net::MacAddress to_mac(const rte_ether_addr& address) noexcept {
  net::MacAddress mac;
  std::copy(std::begin(address.addr_bytes), std::end(address.addr_bytes), mac.begin());
  return mac;
}

}  // namespace

std::uint32_t buffers_of(const Device::Wanted& wanted) noexcept {
  std::uint32_t buffers = wanted.workers * 2 * kDescriptors;
  if (wanted.kind == DeviceKind::kAfXdp) buffers += wanted.workers * 4 * kAfXdpDescriptors;
  // net_pcap with infinite_rx keeps the whole capture in buffers.
  if (wanted.target.find("infinite_rx=1") != std::string::npos) buffers += 1U << 17;
  return buffers;
}

Outcome<void> Device::check(const Wanted& wanted) {
  auto args = device_args({wanted.kind, wanted.target, wanted.index, 1, wanted.mtu});
  if (!args) return std::unexpected{args.error()};
  if (uses_interface(wanted.kind) && !kernel_link::look(wanted.target)) {
    return no_interface(wanted);
  }
  return {};
}

Outcome<std::unique_ptr<Device>> Device::open(const Wanted& wanted, rte_mempool* pool) {
  std::unique_ptr<Device> device{new Device{wanted}};
  if (auto checked = check(wanted); !checked) return std::unexpected{checked.error()};
  if (uses_interface(wanted.kind)) {
    if (auto prepared = device->prepare_interface(); !prepared) {
      return std::unexpected{prepared.error()};
    }
  }
  const auto bring_up = [&](DeviceKind kind) -> Outcome<void> {
    if (auto done = device->create(kind); !done) return done;
    if (auto done = device->set_up(pool); !done) return done;
    return device->set_up_address();
  };
  // Worked by two cores, the kernel's AF_XDP socket was seen to stop delivering for good.
  if (wanted.kind == DeviceKind::kAfXdp && wanted.workers > 1) {
    log_warning(fmt::format("port {}: af_xdp serves one worker, this gateway has {}; using "
                            "af_packet",
                            wanted.port, wanted.workers),
                fmt::format("端口 {}：af_xdp 只支持一个工作线程，本网关有 {} 个；改用 af_packet",
                            wanted.port, wanted.workers));
  }
  const bool as_packet = wanted.kind == DeviceKind::kAfXdp && wanted.workers > 1;
  auto done = bring_up(as_packet ? DeviceKind::kAfPacket : wanted.kind);
  if (!done && wanted.kind == DeviceKind::kAfXdp && !as_packet) {
    log_warning(fmt::format("{}; falling back to af_packet", done.error().message.english),
                fmt::format("{}；改用 af_packet", done.error().message.chinese));
    device->destroy();
    done = bring_up(DeviceKind::kAfPacket);
  }
  if (!done) return std::unexpected{done.error()};
  device->interface_ = kernel_link::index(wanted.target);
  device->watch_link();
  log_info(fmt::format("port {}: {} {}, MAC {}, {} receive and {} transmit queues", wanted.port,
                       device->args_.name, wanted.target, net::to_string(device->mac_),
                       device->receive_queues_, device->transmit_queues_),
           fmt::format("端口 {}：{} {}，MAC {}，接收队列 {} 个，发送队列 {} 个", wanted.port,
                       device->args_.name, wanted.target, net::to_string(device->mac_),
                       device->receive_queues_, device->transmit_queues_));
  return device;
}

// The interface itself: up, its MTU large enough, frames left whole.
Outcome<void> Device::prepare_interface() {
  const auto state = kernel_link::look(wanted_.target);
  if (!state) return no_interface(wanted_);
  if (!kernel_link::bring_up(wanted_.target)) {
    return refused(wanted_, "bring up interface", "启用接口", errno);
  }
  if (state->mtu < wanted_.mtu && !kernel_link::set_mtu(wanted_.target, wanted_.mtu)) {
    return refused(wanted_, fmt::format("give an MTU of {} to", wanted_.mtu).c_str(),
                   fmt::format("把 MTU 设为 {}：", wanted_.mtu).c_str(), errno);
  }
  kernel_link::keep_frames_whole(wanted_.target, wanted_.has_sub_ports);
  return {};
}

Outcome<void> Device::create(DeviceKind kind) {
  kind_ = kind;
  unsigned queues = wanted_.workers;
  if (kind == DeviceKind::kAfXdp) {
    // Frames of a queue that nobody reads here would go to the kernel, past the gateway.
    const auto state = kernel_link::look(wanted_.target);
    const unsigned channels = state ? state->queues : 1;
    if (channels > queues) {
      return environment(fmt::format("port {}: '{}' has {} queues for {} workers; set as many with "
                                     "'ethtool -L {} combined {}'",
                                     wanted_.port, wanted_.target, channels, queues, wanted_.target,
                                     queues),
                         fmt::format("端口 {}：“{}”有 {} 个队列，而工作线程为 {} 个；请执行 "
                                     "ethtool -L {} combined {}",
                                     wanted_.port, wanted_.target, channels, queues, wanted_.target,
                                     queues));
    }
    queues = channels;
  }
  auto args = device_args({kind, wanted_.target, wanted_.index, queues, wanted_.mtu});
  if (!args) return std::unexpected{args.error()};
  args_ = std::move(*args);
  through_kernel_ = uses_interface(kind) || kind == DeviceKind::kTap;

  const int result = ::rte_eal_hotplug_add(args_.bus.c_str(), args_.name.c_str(),
                                           args_.arguments.c_str());
  if (result != 0) return refused(wanted_, "create the device of", "创建设备", -result);
  created_ = true;
  if (::rte_eth_dev_get_port_by_name(args_.name.c_str(), &id_) != 0) {
    return configuration(fmt::format("port {}: '{}' is not an Ethernet port of DPDK", wanted_.port,
                                     wanted_.target),
                         fmt::format("端口 {}：“{}”不是 DPDK 以太网端口", wanted_.port,
                                     wanted_.target));
  }
  return {};
}

Outcome<void> Device::set_up(rte_mempool* pool) {
  rte_eth_dev_info info{};
  if (const int error = ::rte_eth_dev_info_get(id_, &info); error != 0) {
    return refused(wanted_, "ask about", "查询", -error);
  }
  const auto most = static_cast<std::uint16_t>(wanted_.workers);
  receive_queues_ = std::min(most, info.max_rx_queues);
  transmit_queues_ = std::min(most, info.max_tx_queues);

  rte_eth_conf conf{};
  if (receive_queues_ > 1 && info.flow_type_rss_offloads != 0) {
    // The queue only spreads the work of receiving; who owns a flow is settled by the worker.
    conf.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
    conf.rx_adv_conf.rss_conf.rss_hf = (RTE_ETH_RSS_IP | RTE_ETH_RSS_TCP | RTE_ETH_RSS_UDP |
                                        RTE_ETH_RSS_SCTP) &
                                       info.flow_type_rss_offloads;
  }
  const bool large = wanted_.mtu > RTE_ETHER_MTU;
  if (large && kind_ != DeviceKind::kAfPacket && info.max_mtu < wanted_.mtu) {
    return configuration(
        fmt::format("port {}: '{}' carries an MTU of {} at most; the gateway file asks for {}",
                    wanted_.port, wanted_.target, info.max_mtu, wanted_.mtu),
        fmt::format("端口 {}：“{}”的 MTU 最大为 {}，网关文件要求 {}", wanted_.port, wanted_.target,
                    info.max_mtu, wanted_.mtu));
  }
  // Where the frames come from the kernel it is the interface's MTU that holds, set above.
  if (large && kind_ == DeviceKind::kPci) conf.rxmode.mtu = wanted_.mtu;
  if ((info.tx_offload_capa & RTE_ETH_TX_OFFLOAD_MBUF_FAST_FREE) != 0) {
    // All frames are of one pool and nobody else holds them.
    conf.txmode.offloads |= RTE_ETH_TX_OFFLOAD_MBUF_FAST_FREE;
  }
  if (const int error = ::rte_eth_dev_configure(id_, receive_queues_, transmit_queues_, &conf);
      error != 0) {
    return refused(wanted_, "configure", "配置", -error);
  }
  std::uint16_t receive = through_kernel_ ? kAfXdpDescriptors : kDescriptors;
  std::uint16_t transmit = receive;
  (void)::rte_eth_dev_adjust_nb_rx_tx_desc(id_, &receive, &transmit);
  const int node = ::rte_eth_dev_socket_id(id_);
  const unsigned socket = node < 0 ? 0U : static_cast<unsigned>(node);
  for (std::uint16_t q = 0; q < receive_queues_; ++q) {
    if (const int error = ::rte_eth_rx_queue_setup(id_, q, receive, socket, nullptr, pool);
        error != 0) {
      return refused(wanted_, "set up a receive queue of", "设置接收队列", -error);
    }
  }
  for (std::uint16_t q = 0; q < transmit_queues_; ++q) {
    if (const int error = ::rte_eth_tx_queue_setup(id_, q, transmit, socket, nullptr); error != 0) {
      return refused(wanted_, "set up a transmit queue of", "设置发送队列", -error);
    }
  }
  if (const int error = ::rte_eth_dev_start(id_); error != 0) {
    return refused(wanted_, "start", "启动", -error);
  }
  started_ = true;
  if (kind_ == DeviceKind::kAfPacket) sockets_.find(kernel_link::index(wanted_.target));
  return {};
}

Outcome<void> Device::set_up_address() {
  rte_ether_addr address{};
  (void)::rte_eth_macaddr_get(id_, &address);
  if (kind_ == DeviceKind::kTap) {
    // The kernel is the station at the other end, and the device's address is its.
    mac_ = wanted_.mac;
    if (!wanted_.has_mac) {
      mac_ = to_mac(address);
      mac_[5] ^= 1;
    }
    (void)::rte_eth_promiscuous_enable(id_);
    return {};
  }
  if (wanted_.has_mac && to_mac(address) != wanted_.mac) {
    std::copy(wanted_.mac.begin(), wanted_.mac.end(), std::begin(address.addr_bytes));
    int error = ::rte_eth_dev_default_mac_addr_set(id_, &address);
    if (error != 0 && uses_interface(kind_)) {
      error = kernel_link::set_mac(wanted_.target, wanted_.mac) ? 0 : -errno;
    }
    // Without a filter of its own a device need not know; net_pcap and its like have none.
    if (error != 0 && kind_ == DeviceKind::kPci) {
      return refused(wanted_, "set the MAC of", "设置 MAC", -error);
    }
  }
  mac_ = wanted_.has_mac ? wanted_.mac : to_mac(address);

  // Neighbour discovery comes by multicast; a device without such a filter says "not supported".
  if (kind_ != DeviceKind::kPci || ::rte_eth_allmulticast_enable(id_) != 0) {
    (void)::rte_eth_promiscuous_enable(id_);
    promiscuous_ = kind_ == DeviceKind::kPci;
  }
  return {};
}

void Device::destroy() noexcept {
  (void)sockets_.dropped();  // the last that can be known of them
  sockets_.forget();
  if (started_) (void)::rte_eth_dev_stop(id_);
  started_ = false;
  if (!created_) return;
  (void)::rte_eth_dev_close(id_);
  (void)::rte_eal_hotplug_remove(args_.bus.c_str(), args_.name.c_str());
  created_ = false;
}

Device::~Device() { destroy(); }

bool Device::step_aside() {
  aside_ = true;
  if (kind_ != DeviceKind::kAfPacket) return true;
  net::MacAddress other = mac_;
  other[0] ^= 0x02;  // locally administered or not: a station that nobody sends to
  const auto state = kernel_link::look(wanted_.target);
  if (!state) return true;  // it is gone, and its frames with it
  if (state->mac != other && !kernel_link::set_mac(wanted_.target, other)) return false;
  return kernel_link::stop_arp(wanted_.target);
}

void Device::watch_link() {
  bool now = true;
  if (!is_open()) return;
  if (uses_interface(wanted_.kind)) {
    const auto state = kernel_link::look(wanted_.target);
    now = state && state->up && state->carrier;
  } else {
    rte_eth_link link{};
    if (::rte_eth_link_get_nowait(id_, &link) == 0) now = link.link_status == RTE_ETH_LINK_UP;
  }
  if (now == up()) return;
  up_.store(now, std::memory_order_relaxed);
  if (now) {
    log_info(fmt::format("port {}: the link is up", wanted_.port),
             fmt::format("端口 {}：链路已连通", wanted_.port));
  } else {
    log_warning(fmt::format("port {}: the link is down", wanted_.port),
                fmt::format("端口 {}：链路已断开", wanted_.port));
  }
}

Device::Statistics Device::statistics() noexcept {
  if (!is_open()) return {};
  rte_eth_stats stats{};
  if (::rte_eth_stats_get(id_, &stats) != 0) return {};
  return {stats.imissed + stats.rx_nombuf + sockets_.dropped(), stats.ierrors + stats.oerrors};
}

}  // namespace meiguan::runtime
