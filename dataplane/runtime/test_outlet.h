#pragma once

// An outlet that remembers, for tests.

#include <memory>
#include <string>
#include <vector>

#include "dataplane/net/reader.h"
#include "dataplane/net/wire.h"
#include "dataplane/runtime/outlet.h"

namespace meiguan::runtime::test {

struct TestPacket final : HeldPacket {
  explicit TestPacket(int n) : number{n} {}
  int number;
  std::vector<std::uint8_t> frame;
};

struct Sent {
  PortId out;
  std::vector<std::uint8_t> frame;

  [[nodiscard]] net::EthernetHeader ethernet() const {
    net::EthernetHeader header{};
    (void)net::Reader{frame}.read(header);
    return header;
  }
};

struct TestOutlet final : Outlet {
  void transmit(PortId out, std::span<const std::uint8_t> frame) override {
    sent.push_back({out, {frame.begin(), frame.end()}});
  }
  std::unique_ptr<HeldPacket> own_packet(PortId, std::span<const std::uint8_t> frame) override {
    auto packet = std::make_unique<TestPacket>(-1);
    packet->frame.assign(frame.begin(), frame.end());
    return packet;
  }
  bool has_machine(PortId in) const override { return in == machine; }
  void to_machine(PortId in, std::span<const std::uint8_t> frame) override {
    to_kernel.push_back({in, {frame.begin(), frame.end()}});
  }
  void forward(std::unique_ptr<HeldPacket> packet, const net::MacAddress& next_hop) override {
    auto& test = static_cast<TestPacket&>(*packet);
    if (test.number < 0) {
      own.push_back(test.frame);
    } else {
      forwarded.push_back(std::to_string(test.number) + " to " + net::to_string(next_hop));
    }
  }
  void give_up(std::unique_ptr<HeldPacket> packet, fastpath::Reason reason) override {
    const auto& test = static_cast<const TestPacket&>(*packet);
    given_up.push_back(std::to_string(test.number) + " " +
                       std::string{fastpath::find_reason(reason)->name});
  }

  PortId machine;  // the port with a TAP
  std::vector<Sent> to_kernel;
  std::vector<Sent> sent;
  std::vector<std::string> forwarded;
  std::vector<std::string> given_up;
  std::vector<std::vector<std::uint8_t>> own;
};

}  // namespace meiguan::runtime::test
