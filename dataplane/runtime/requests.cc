// The answers to the requests of the command channel.

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <ctime>
#include <span>

#include "dataplane/runtime/clock.h"
#include "dataplane/runtime/dataplane.h"
#include "dataplane/runtime/log.h"
#include "dataplane/runtime/request_payload.h"

namespace meiguan::runtime {
namespace {

constexpr fastpath::Tick kWorkerPatience = 500;

}  // namespace

Result<Descriptor> sealed_memfd_of(channel::Message& request, const Text& what) {
  Descriptor memfd{request.release_descriptor(0)};
  if (!memfd) {
    return fail(fmt::format("{} did not come with the request", what.english),
                fmt::format("请求未附带{}", what.chinese));
  }
  // What could still be written is not an image but a promise of one.
  constexpr int kSeals = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW;
  const int seals = ::fcntl(memfd.get(), F_GET_SEALS);
  if (seals < 0 || (seals & kSeals) != kSeals) {
    return fail(fmt::format("{} is not a memfd sealed against writing, shrinking and growing",
                            what.english),
                fmt::format("{}不是已封存（禁止写入、缩短、增长）的 memfd", what.chinese));
  }
  return memfd;
}

Result<Answer> Dataplane::answer(channel::Message& request) {
  switch (static_cast<channel::Request>(request.header.type)) {
    case channel::Request::kHello: return hello();
    case channel::Request::kPublish: return publish(request);
    case channel::Request::kStatus: return status();
    case channel::Request::kFlows: return flows(request);
    case channel::Request::kNeighbours: return neighbour_list(request);
    case channel::Request::kTrace: return trace(request);
    case channel::Request::kBlocks: return publish_blocks(request);
    case channel::Request::kBlockHits: return block_hits(request);
    case channel::Request::kKeep: return keep_in_force();
    case channel::Request::kCapture: return begin_capture(request);
    case channel::Request::kCaptureEnd: return asked_to_end_capture();
    case channel::Request::kRoutes: return route_list(request);
  }
  return fail(fmt::format("the data plane knows no request {}", request.header.type),
              fmt::format("数据面不认识请求 {}", request.header.type));
}

Result<Answer> Dataplane::hello() const {
  Answer answer;
  channel::HelloAnswer body{};
  body.pid = static_cast<std::uint64_t>(::getpid());
  body.segment_bytes = segments_.segment_bytes();
  body.ring_events = segments_.ring_events();
  body.ring_bytes = segments_.ring_bytes();
  body.workers = segments_.workers();
  answer.put(body);
  answer.descriptors = segments_.descriptors();
  return answer;
}

Result<Answer> Dataplane::publish(channel::Message& request) {
  channel::PublishRequest how{};
  if (!request.payload.empty()) {
    const auto asked = get<channel::PublishRequest>(request);
    if (!asked) return std::unexpected{asked.error()};
    how = *asked;
  }
  const auto memfd = sealed_memfd_of(request, {"the image", "映像"});
  if (!memfd) return std::unexpected{memfd.error()};
  auto loaded = LoadedImage::from_descriptor(memfd->get(), !options_.no_huge);
  if (!loaded) return std::unexpected{loaded.error()};
  const Take taking{.keep = (how.flags & channel::PublishRequest::kProvisional) == 0,
                    .may_reopen = (how.flags & channel::PublishRequest::kMayReopen) != 0};
  if (auto taken = take(std::move(*loaded), taking); !taken) {
    log(Level::kWarning, taken.error().message);
    return std::unexpected{Error{taken.error().message}};
  }
  Answer answer;
  answer.put(channel::PublishAnswer{in_force_->generation, 0, in_force_->image().checksum()});
  return answer;
}

Result<void> Dataplane::keep(const image::Image& image) {
  if (kept_ == image.checksum()) return {};
  auto kept = save_last_image(options_.state_dir, image.bytes(), kept_ != 0);
  if (kept) {
    kept_ = image.checksum();
    alarms_ &= ~(channel::kAlarmImageDamaged | channel::kAlarmImageNotKept);
  } else {
    alarms_ |= channel::kAlarmImageNotKept;
  }
  return kept;
}

Result<Answer> Dataplane::keep_in_force() {
  if (!in_force_) return fail("no image is in force", "没有生效的映像");
  if (auto kept = keep(in_force_->image()); !kept) return std::unexpected{kept.error()};
  return Answer{};
}

Result<Answer> Dataplane::status() const {
  Answer answer;
  channel::StatusAnswer body{};
  body.pid = static_cast<std::uint64_t>(::getpid());
  body.uptime_ms = monotonic_ms() - started_;
  body.workers = static_cast<std::uint32_t>(workers_.size());
  body.flow_capacity = options_.flows * body.workers;
  std::uint64_t created = 0;
  std::uint64_t ended = 0;
  for (std::uint32_t i = 0; i < body.workers; ++i) {
    const fastpath::BlockTotals& totals = segments_.block(i).totals();
    // In this order, so that a flow that begins and ends meanwhile does not make the number wrap.
    ended += totals.flows_ended.value();
    created += totals.flows_created.value();
  }
  body.alarms = alarms_;
  body.live_flows = static_cast<std::uint32_t>(created - ended);
  if (!in_force_) {
    answer.put(body);
    return answer;
  }
  const image::Image& image = in_force_->image();
  body.checksum = image.checksum();
  body.policy_digest = image.meta().policy_digest;
  body.generation = in_force_->generation;
  body.ports = static_cast<std::uint32_t>(image.ports().size());
  body.neighbours = static_cast<std::uint32_t>(exceptions_->neighbours().size());
  answer.put(body);
  for (std::size_t i = 0; i < image.ports().size(); ++i) {
    const image::PortRecord& port = image.ports()[i];
    Device& device = *shared_.devices[in_force_->device_of_port[i]];
    channel::PortState state{};
    std::copy(port.name.begin(), port.name.end(), state.name.begin());
    std::copy(in_force_->macs[i].begin(), in_force_->macs[i].end(), state.mac.begin());
    state.link_up = device.up() ? 1 : 0;
    state.is_sub_port = port.vlan != 0 ? 1 : 0;
    state.mtu = port.mtu;
    if (port.vlan == 0) {
      const Device::Statistics statistics = device.statistics();
      state.device_missed = statistics.missed;
      state.device_errors = statistics.errors;
    }
    for (std::uint32_t block = 0; block <= segments_.workers(); ++block) {
      state.transmit_failed += segments_.block(block)
                                   .port(PortId{static_cast<std::uint16_t>(i)})
                                   .transmit_failed.value();
    }
    answer.put(state);
  }
  const Machine::Counts& machine = exceptions_->machine();
  channel::MachineState passed{machine.received, machine.sent, machine.refused, machine.limited,
                               machine.unsent};
  for (std::uint32_t i = 0; i < body.workers; ++i) {
    passed.limited += segments_.block(i).totals().exceptions_lost.value();
  }
  answer.put(passed);
  answer.put(routes_state());
  return answer;
}

Result<Answer> Dataplane::flows(const channel::Message& request) {
  const auto body = get<channel::FlowsRequest>(request);
  if (!body) return std::unexpected{body.error()};
  if (body->worker >= workers_.size()) {
    return fail(fmt::format("there is no worker {}; they are numbered from 0 to {}", body->worker,
                            static_cast<std::ptrdiff_t>(workers_.size()) - 1),
                fmt::format("没有第 {} 号工作线程（共 {} 个，从 0 起）", body->worker,
                            workers_.size()));
  }
  FlowMailbox& mailbox = workers_[body->worker]->mailbox();
  const bool asked = mailbox.ask(body->cursor);
  const fastpath::Tick until = monotonic_ms() + kWorkerPatience;
  const timespec pause{0, 50'000};
  while (asked && !mailbox.answered() && monotonic_ms() < until) ::nanosleep(&pause, nullptr);
  if (!asked || !mailbox.answered()) {
    return fail("the worker has not answered in time; ask again", "工作线程未及时应答，请重试");
  }
  Answer answer;
  const auto events = mailbox.events();
  answer.put(
      channel::FlowsAnswer{mailbox.next_cursor(), static_cast<std::uint32_t>(events.size())});
  const auto bytes = std::as_bytes(events);
  answer.payload.insert(answer.payload.end(), bytes.begin(), bytes.end());
  return answer;
}

Result<Answer> Dataplane::neighbour_list(const channel::Message& request) const {
  const auto cursor = get<std::uint32_t>(request);
  if (!cursor) return std::unexpected{cursor.error()};
  constexpr std::size_t kMost = (channel::kMaxMessageBytes - sizeof(channel::MessageHeader) -
                                 sizeof(std::uint32_t)) /
                                sizeof(channel::NeighbourState);
  std::vector<Neighbours::Listed> listed;
  std::uint32_t next = 0;
  if (exceptions_) {
    listed = exceptions_->neighbours().list(*cursor, kMost);
    const std::size_t end = *cursor + listed.size();
    if (end < exceptions_->neighbours().size()) next = static_cast<std::uint32_t>(end);
  }
  Answer answer;
  answer.put(next);
  for (const Neighbours::Listed& neighbour : listed) {
    channel::NeighbourState state{};
    std::copy(neighbour.address.bytes().begin(), neighbour.address.bytes().end(),
              state.address.begin());
    std::copy(neighbour.mac.begin(), neighbour.mac.end(), state.mac.begin());
    state.port = neighbour.port.value();
    state.state = static_cast<std::uint8_t>(neighbour.kind);
    answer.put(state);
  }
  return answer;
}

Result<Answer> Dataplane::trace(const channel::Message& request) {
  const auto on = get<std::uint32_t>(request);
  if (!on) return std::unexpected{on.error()};
  shared_.trace.store(*on != 0, std::memory_order_relaxed);
  return Answer{};
}

}  // namespace meiguan::runtime
