// The kernel's interfaces behind the ports.

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "dataplane/runtime/exceptions.h"
#include "dataplane/runtime/log.h"

namespace meiguan::runtime {
namespace {

constexpr std::size_t kLargestFrame = 9216 + 64;
constexpr unsigned kFramesAtOnce = 64;  // of one TAP, before others have their turn

}  // namespace

bool Exceptions::has_machine(PortId in) const {
  return in.index() < tap_of_port_.size() && tap_of_port_[in.index()] != nullptr;
}

void Exceptions::to_machine(PortId in, std::span<const std::uint8_t> frame) {
  if (has_machine(in)) (void)tap_of_port_[in.index()]->write(frame);
}

unsigned Exceptions::read_taps(fastpath::Tick now) {
  unsigned taken = 0;
  tap_room_.resize(kLargestFrame);
  for (std::size_t i = 0; i < tap_of_port_.size(); ++i) {
    for (unsigned n = 0; tap_of_port_[i] != nullptr && n < kFramesAtOnce; ++n) {
      const auto frame = tap_of_port_[i]->read(tap_room_);
      if (frame.empty()) break;
      ++taken;
      stack_->from_machine(PortId{static_cast<std::uint16_t>(i)}, frame, in_force_->blocked, now);
    }
  }
  return taken;
}

bool Exceptions::watch_taps() {
  for (auto& [name, tap] : taps_) {
    if (tap.gone()) {
      std::ranges::replace(tap_of_port_, &tap, static_cast<Tap*>(nullptr));
    }
  }
  std::erase_if(taps_, [](const auto& entry) { return entry.second.gone(); });
  place_taps();
  return std::ranges::all_of(interfaces_->all(), [this](const Interface& port) {
    return port.tap.empty() || has_machine(port.id);
  });
}

void Exceptions::place_taps() {
  tap_of_port_.assign(interfaces_->all().size(), nullptr);
  std::erase_if(taps_, [this](const auto& entry) {
    return std::ranges::none_of(interfaces_->all(),
                                [&](const Interface& port) { return port.tap == entry.first; });
  });
  std::string problem;
  for (const Interface& port : interfaces_->all()) {
    if (port.tap.empty()) continue;
    Result<void> agreed;
    auto at = taps_.find(port.tap);
    if (!shared_.devices[device_of_port_[port.id.index()]]->step_aside()) {
      agreed =
          fail(fmt::format("port {}: the kernel does not give its interface another MAC, so that "
                           "it would take frames past the gateway: no TAP '{}'",
                           port.name, port.tap),
               fmt::format("端口 {}：内核拒绝更改接口 MAC，报文会绕过网关：不建立 TAP“{}”",
                           port.name, port.tap));
    } else if (at == taps_.end()) {
      auto opened = Tap::open(port);
      if (opened) {
        at = taps_.emplace(port.tap, std::move(*opened)).first;
      } else {
        agreed = std::unexpected{opened.error()};
      }
    } else {
      agreed = at->second.agree(port);
    }
    if (agreed) {
      tap_of_port_[port.id.index()] = &at->second;
      continue;
    }
    problem += agreed.error().message.english;
    if (tap_problem_ == problem) continue;
    log(Level::kError, agreed.error().message);
  }
  tap_problem_ = std::move(problem);
}

}  // namespace meiguan::runtime
