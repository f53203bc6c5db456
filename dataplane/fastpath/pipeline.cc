#include "dataplane/fastpath/pipeline.h"

#include <algorithm>
#include <cstring>
#include <random>

#include "dataplane/fastpath/count.h"
#include "dataplane/fastpath/limit_values.h"
#include "dataplane/fastpath/parse.h"
#include "dataplane/fastpath/prefetch.h"
#include "dataplane/fastpath/rewrite.h"
#include "dataplane/fastpath/stage_profile.h"
#include "dataplane/fastpath/worker_state.h"

namespace meiguan::fastpath {
namespace {

constexpr std::size_t kFetchLag = 16;  // measured: 16 to 48 are alike, 6 waits

// Copied as it is: cleared field by field it would be a `rep stos`, which takes 30 cycles to begin.
const PacketInfo kBlank{};

std::uint64_t random_unless(std::uint64_t wanted) {
  if (wanted != 0) return wanted;
  std::random_device random;
  return std::uint64_t{random()} << 32 | random();
}

HashSeed seed_of(const PipelineOptions& options) {
  return HashSeed::from(random_unless(options.hash_seed));
}

std::uint32_t translations_of(const PipelineOptions& options) {
  return options.translations != 0 ? options.translations : options.flow_capacity / 2 + 1;
}

std::uint32_t helpers_of(const PipelineOptions& options) {
  return options.helpers != 0 ? options.helpers : options.flow_capacity / 256 + 16;
}

NatOptions nat_options(const PipelineOptions& options) {
  const std::uint32_t blocks = options.port_blocks != 0 ? options.port_blocks
                                                        : options.flow_capacity / 64 + 16;
  return {translations_of(options), {blocks, blocks / 4 + 16, options.worker, options.workers}};
}

}  // namespace

Pipeline::Impl::Impl(const PipelineOptions& wanted, const CounterBlock& counter_block,
                     EventRing* events, const NeighbourTable* neighbour_table)
    : options{wanted},
      counters{counter_block},
      neighbours{neighbour_table},
      log{counter_block, events, wanted.denial_events_per_second},
      flows{wanted.flow_capacity, seed_of(wanted), translations_of(wanted)},
      fragments{wanted.fragments, seed_of(wanted)},
      limits{{.flow_capacity = flows.capacity(),
              .workers = wanted.workers,
              .seed = random_unless(wanted.hash_seed)},
             counter_block.capacity()},
      attacks{flows.capacity(), random_unless(wanted.hash_seed)},
      cookies{flows.capacity(), random_unless(wanted.hash_seed), wanted.workers},
      nat{nat_options(wanted), seed_of(wanted), log},
      identifications{HashSeed::from(random_unless(wanted.hash_seed)), wanted.worker,
                      wanted.workers},
      helpers{helpers_of(wanted),
              static_cast<std::uint32_t>(counter_block.capacity().units + image::kMaxPorts),
              seed_of(wanted)},
      report_span{wanted.periodic_report_ms == 0
                      ? 0
                      : std::max(flow_time(wanted.periodic_report_ms), FlowTime{1})} {}

void Pipeline::Impl::parse_frames(const BurstContext& context, std::span<const Frame> frames,
                                  std::span<Fate> fates) noexcept {
  const std::size_t port_count = context.image.ports().size();
  for (std::size_t i = 0; i < frames.size(); ++i) {
    // The record's lines can be fetched once its bucket's has come: a few frames later, so that
    // neither waits and the line fill buffers are never asked for all at once.
    if (i >= kFetchLag) fetch_flow(i - kFetchLag);
    const Frame& frame = frames[i];
    PacketInfo& info = infos[i];
    Fate& fate = fates[i];
    std::memcpy(&info, &kBlank, sizeof info);
    fate = Fate{};
    frame_bytes[i] = frame.length;
    if (frame.port.index() >= port_count) [[unlikely]] {
      info.reason = Reason::kNoImage;  // the image in force knows no such port
      fate.reason = info.reason;
      continue;
    }
    parse({frame.data, frame.length}, info);
    fate.in = frame.port;
    if (info.tagged && info.vlan() != 0) [[unlikely]] {
      const PortId sub_port = ports.sub_port(context.image, context.generation, frame.port,
                                             info.vlan());
      if (info.reason == Reason::kVlanNested) {
        // The frame as such is wrong, whoever listens to its outer tag.
      } else if (sub_port.is_none()) {
        info.reason = Reason::kVlanUnexpected;
      } else {
        fate.in = sub_port;
      }
    }
    fate.reason = info.reason;
    fate.protocol = info.protocol;
    fate.l3_offset = info.l3_offset;
    fate.ip_bytes = info.ip_bytes;
    if (!info.well_formed() || !info.is_ip()) [[unlikely]]
      continue;
    info.key.space = context.image.ports()[fate.in.index()].space;
    hashes[i] = flows.hash(info.key);
    flows.prefetch(hashes[i]);
  }
  // The last ones' are fetched while the first packets are judged; a short burst has no such time.
  fetched = frames.size() - std::min(frames.size(), kFetchLag);
  if (fetched == 0) fetch_flows_up_to(frames.size());
}

void Pipeline::Impl::rewrite_frames(const BurstContext& context, std::span<Frame> frames,
                                    std::span<Fate> fates) noexcept {
  NextLink next;
  for (std::size_t i = 0; i < frames.size(); ++i) {
    Fate& fate = fates[i];
    if (fate.step != NextStep::kSend) {
      if (fate.step == NextStep::kAnswer) [[unlikely]] {
        answer_syn(frames[i], infos[i], cookies.cookie(infos[i], context.now));
      }
      continue;
    }
    if (fate.out != next.out || fate.next_hop != next.hop) find_link(context, fate, next);
    if (!next.up) [[unlikely]] {
      fate.reason = Reason::kPortDown;
      fate.step = NextStep::kDrop;
      continue;
    }
    if (!next.resolved) fate.step = NextStep::kResolve;
    rewrite(frames[i], infos[i], next.link);
  }
}

void Pipeline::Impl::account(const BurstContext& context, std::span<const Fate> fates) noexcept {
  EndedAlike run;  // most frames of a burst come in by one port and are allowed
  for (std::size_t i = 0; i < fates.size(); ++i) {
    const Fate& fate = fates[i];
    if (has_ended(fate.step)) [[likely]] {
      if (!run.has(fate)) [[unlikely]] {
        count_ended(counters, run);
        run = EndedAlike{fate.reason, fate.in};
      }
      run.add(frame_bytes[i]);
      count_parties(counters, fate);
    }
    if (verdict_of(fate.reason) == Verdict::kDrop && fate.step != NextStep::kHold) [[unlikely]] {
      log.denial(infos[i], fate, space_of(context.image, fate.in), context.now);
    }
    if (trace && fate.step != NextStep::kHold) [[unlikely]] {
      log.packet(infos[i], fate, space_of(context.image, fate.in), sequence, context.now);
    }
    ++sequence;
  }
  count_ended(counters, run);
}

Pipeline::Pipeline(const PipelineOptions& options, CounterBlock counters, EventRing* events,
                   const NeighbourTable* neighbours)
    : impl_{std::make_unique<Impl>(options, counters, events, neighbours)} {}
Pipeline::~Pipeline() = default;

void Pipeline::process(const image::Image& image, const image::Moment& moment,
                       std::uint32_t generation, Tick now, std::span<Frame> frames,
                       std::span<Fate> fates) noexcept {
  Impl& impl = *impl_;
  impl.now = std::max(impl.now, now);
  if (generation != impl.limits.generation()) [[unlikely]] {
    impl.limits.begin(image, generation);
    impl.attacks.begin(attack_thresholds(image), impl.options.workers);
  }
  const BurstContext context{
      image, moment, generation, impl.now, flow_time(impl.now), impl.limits.polices()};
  if (generation != impl.timeouts_generation) [[unlikely]] {
    impl.timeouts.take(image);
    impl.timeouts_generation = generation;
  }
  fates = fates.first(frames.size());
  if (generation != impl.fragment_generation) [[unlikely]]
    impl.renew_fragments(context);
  StageClock clock;
  impl.parse_frames(context, frames, fates);
  clock.done(Stage::kParse);
  impl.judge_packets(context, frames, fates);
  clock.done(Stage::kJudge);
  impl.rewrite_frames(context, frames, fates);
  clock.done(Stage::kRewrite);
  impl.account(context, fates);
  clock.done(Stage::kAccount);
}

void Pipeline::expire(Tick now) noexcept {
  StageClock clock;
  impl_->expire(now);
  clock.done(Stage::kExpire);
}

void Pipeline::Impl::expire(Tick tick) noexcept {
  now = std::max(now, tick);
  log.flush_denials(now);
  fragments.expire(now);
  nat.expire(flow_time(now), now);
  constexpr std::uint32_t kMostBlockedSteps = 256;
  if (blocked_hand != FlowTable::kNone) [[unlikely]]
    end_blocked_flows(kMostBlockedSteps);
  helpers.expire(flow_time(now), [&](std::uint32_t number) { forget(number); });
  // Once round in 1.024 s, in small steps; what a call leaves is done by the next ones.
  constexpr std::uint64_t kMostSteps = 256;
  const std::uint64_t round = std::uint64_t{flows.capacity()} << 10;
  const Tick elapsed = std::min<Tick>(now - rotated, 1024);
  rotated = now;
  rotation_due = std::min(rotation_due + elapsed * flows.capacity(), round);
  const std::uint64_t steps = std::min(rotation_due >> 10, kMostSteps);
  if (steps == 0) return;
  rotation_due -= steps << 10;
  const FlowTime flow_now = flow_time(now);
  const auto prepare = [&](const FlowRecord& flow) {
    if (!timeouts.is_idle(flow, flow_now)) return;
    flows.prefetch(flows.hash(flow.key));
    (void)limits.claim(flow.key);
    attacks.prefetch(flow.key);
  };
  flows.rotate(static_cast<std::uint32_t>(steps), flow_now, prepare, [&](FlowRecord& flow) {
    if (timeouts.is_idle(flow, flow_now)) {
      end_flow(flow, now, FlowEnd::kIdle);
      return;
    }
    const FlowTime age = flows.looked_at(flow) - flow.start;
    if (report_span != 0 && age != 0 && age % report_span == 0) {
      tell(EventKind::kFlowPeriodic, flow, now);
    }
    flows.look_at(flow, next_look(flow, flow_now));
  });
}

void Pipeline::end_all(Tick now, FlowEnd end) noexcept {
  impl_->now = std::max(impl_->now, now);
  for (std::uint32_t i = 0; i < impl_->flows.used(); ++i) {
    FlowRecord& flow = impl_->flows.record(i);
    if (flow.live()) impl_->end_flow(flow, impl_->now, end);
  }
  impl_->fragments.give_up_all(true);
  impl_->log.flush_all(impl_->now);
}

std::size_t Pipeline::released(std::span<Frame> frames, std::span<Fate> fates) noexcept {
  std::size_t count = 0;
  HeldFragment part;
  while (count < std::min(frames.size(), fates.size()) && impl_->fragments.take_released(part)) {
    if (!part.counted) impl_->account_released(part);
    frames[count] = part.frame;
    fates[count++] = part.fate;
  }
  return count;
}

bool Pipeline::may_hold(std::span<const std::uint8_t> frame) noexcept {
  PacketInfo info;
  parse(frame, info);
  return info.kind == PacketKind::kFragment;
}

void Pipeline::set_port_mac(PortId port, const net::MacAddress& mac) noexcept {
  impl_->ports.set_mac(port, mac);
}

void Pipeline::set_port_up(PortId port, bool up) noexcept { impl_->ports.set_up(port, up); }

void Pipeline::set_blocks(const image::Blocks* blocks, std::span<Counter> hits,
                          std::uint32_t revision) noexcept {
  impl_->blocks = blocks;
  impl_->block_hits = hits;
  if (revision != impl_->block_revision) impl_->blocked_hand = 0;
  impl_->block_revision = revision;
}

void Pipeline::set_trace(bool on) noexcept { impl_->trace = on; }

std::uint32_t Pipeline::owner_hash(std::span<const std::uint8_t> frame) noexcept {
  PacketInfo info;
  parse(frame, info);
  if (!info.well_formed() || !info.is_ip()) return 0;
  if (FragmentPart part; read_fragment(frame, info, part)) {
    // Ports come with the first one only: datagrams are gathered by what all of them know, and then
    // handed to the flow's owner. Of IPv6 only the first fragment's next header counts.
    info.key.source_port = static_cast<std::uint16_t>(part.identification);
    info.key.destination_port = static_cast<std::uint16_t>(part.identification >> 16);
    if (info.family == net::Family::kIpv6) info.key.protocol = 0;
  }
  return owner_of(info.key);
}

std::uint32_t Pipeline::live_flows() const noexcept { return impl_->flows.live(); }

std::uint32_t Pipeline::list_flows(std::uint32_t cursor, std::span<Event> out,
                                   std::size_t& count) const noexcept {
  count = 0;
  const FlowTable& flows = impl_->flows;
  for (; cursor < flows.used(); ++cursor) {
    if (count == out.size()) return cursor;
    const FlowRecord& flow = flows.record(cursor);
    if (!flow.live()) continue;
    out[count++] = event_of_flow(EventKind::kFlowPeriodic, flow,
                                 flow.translated() ? &flows.translation(flow) : nullptr, impl_->now,
                                 FlowEnd::kNone);
  }
  return 0;
}

}  // namespace meiguan::fastpath
