#include "tools/cli/prove_send.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <map>
#include <set>
#include <utility>

#include "controlplane/analysis/explain.h"
#include "controlplane/analysis/probe.h"
#include "controlplane/lifecycle/files.h"

namespace meiguan::cli {
namespace {

using analysis::Example;

constexpr std::size_t kMostTries = 100'000;

bool may_send(const image::Image& image, const Example& example) {
  if (example.unit.is_none()) return true;
  if (image.units()[example.unit.index()].admission == image::Admission::kOpen) return true;
  const SpaceId space{image.zones()[example.from_zone.index()].space};
  const auto* const terminal = image.terminal_at(space, example.from);
  return terminal != nullptr && terminal->unit == example.unit.value();
}

// Asks a gateway of examples until it judges one as the example says.
class Gateway {
 public:
  Gateway(const policy::Compiled& compiled, const image::Image& image)
      : compiled_{compiled}, image_{image} {}

  [[nodiscard]] bool is_tired() const { return asked_ >= kMostAsked || shown_ >= kMostShown; }
  // The port by which it comes in, where the gateway agrees.
  std::optional<PortId> port_that_agrees(const Example& example) {
    ++shown_;
    const std::pair source{example.from_zone, example.from};
    if (hopeless_.contains(source)) return std::nullopt;
    const std::uint16_t space = image_.zones()[example.from_zone.index()].space;
    bool admitted = false;
    for (std::size_t i = 0; i < image_.ports().size(); ++i) {
      if (image_.ports()[i].space != space) continue;
      const PortId in{static_cast<PortId::rep>(i)};
      const auto answer = ask(example, in);
      if (!answer || answer->unit != example.unit) continue;
      admitted = true;
      if (answer->decision.reason == example.decision.reason &&
          answer->decision.rule == example.decision.rule) {
        return in;
      }
    }
    if (!admitted && ++refused_[source] >= kMostRefused) hopeless_.insert(source);
    return std::nullopt;
  }

 private:
  static constexpr std::size_t kMostAsked = 3000;
  static constexpr std::size_t kMostShown = 1'000'000;
  static constexpr std::size_t kMostRefused = 3;  // of one source

  Result<analysis::Explanation> ask(const Example& example, PortId in) {
    ++asked_;
    analysis::Question question;
    question.from = example.from;
    question.to = example.to;
    question.in = in;
    question.at = std::max<std::int64_t>(example.at, 0);
    return analysis::explain(image_, compiled_.catalog, question);
  }

  const policy::Compiled& compiled_;
  const image::Image& image_;
  std::size_t asked_{0};
  std::size_t shown_{0};
  std::map<std::pair<ZoneId, net::Address>, std::size_t> refused_;
  std::set<std::pair<ZoneId, net::Address>> hopeless_;
};

// pcap is written in this machine's byte order, as its magic says.
template <typename T>
void put(std::string& bytes, T value) {
  std::array<char, sizeof value> raw{};
  std::memcpy(raw.data(), &value, sizeof value);
  bytes.append(raw.data(), raw.size());
}

std::vector<std::uint8_t> frame_of(const image::Image& image, const Sendable& packet) {
  const Example& example = packet.example;
  analysis::Probe probe{example.from, example.to, {2, 0, 0, 0, 0, 2}, {2, 0, 0, 0, 0, 1}, 0};
  const SpaceId space{image.zones()[example.from_zone.index()].space};
  const auto* const terminal = image.terminal_at(space, example.from);
  if (terminal != nullptr && terminal->has_mac != 0) probe.source_mac = terminal->mac;
  if (packet.in.is_some()) {
    const image::PortRecord& port = image.ports()[packet.in.index()];
    if (port.has_mac != 0) probe.destination_mac = port.mac;
    probe.vlan = port.vlan;
  }
  return analysis::build_frame(probe);
}

}  // namespace

Sendable choose_sendable(analysis::Assertions& assertions, std::size_t number,
                         const policy::Compiled& compiled, const image::Image& image) {
  std::optional<Sendable> first;
  std::optional<Sendable> chosen;
  const bool has_gateway = image.meta().has_gateway != 0;
  // One address of each kind first, then more of them.
  for (const std::size_t most : {std::size_t{1}, std::size_t{30}}) {
    Gateway gateway{compiled, image};
    std::size_t tries = 0;
    const bool found = assertions.each_example(number, most, [&](const Example& example) {
      if (!first) first = Sendable{example, {}, false};
      if (++tries > kMostTries && !has_gateway) return true;
      if (!may_send(image, example)) return false;
      if (!has_gateway) {
        chosen = Sendable{example, {}, true};
      } else if (const auto port = gateway.port_that_agrees(example)) {
        chosen = Sendable{example, *port, true};
      }
      return chosen.has_value() || gateway.is_tired();
    });
    if (found && chosen) return *chosen;
  }
  return *first;
}

Result<void> write_capture(const std::string& path, const image::Image& image,
                           const std::vector<Sendable>& packets) {
  std::string bytes;
  put(bytes, std::uint32_t{0xa1b2c3d4});  // microseconds
  put(bytes, std::uint16_t{2});
  put(bytes, std::uint16_t{4});
  put(bytes, std::int32_t{0});
  put(bytes, std::uint32_t{0});
  put(bytes, std::uint32_t{262144});
  put(bytes, std::uint32_t{1});  // Ethernet
  for (const Sendable& packet : packets) {
    const auto frame = frame_of(image, packet);
    const auto length = static_cast<std::uint32_t>(frame.size());
    // The format's seconds have 32 bits.
    put(bytes,
        static_cast<std::uint32_t>(std::clamp<std::int64_t>(packet.example.at, 0, 0xffff'ffff)));
    put(bytes, std::uint32_t{0});
    put(bytes, length);
    put(bytes, length);
    bytes.append(frame.begin(), frame.end());
  }
  return lifecycle::write_atomically(path, std::string_view{bytes});
}

}  // namespace meiguan::cli
