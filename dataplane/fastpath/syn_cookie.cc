#include "dataplane/fastpath/syn_cookie.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "dataplane/net/checksum.h"
#include "dataplane/net/wire.h"

namespace meiguan::fastpath {
namespace {

// What a client may have sent with its SYN (RFC 7413) is not acknowledged by any cookie, either.
constexpr std::uint32_t kNear = 1U << 20;
constexpr std::uint32_t kFar = 1U << 31;

std::size_t cells_for(std::uint32_t flow_capacity) {
  return std::bit_ceil(std::clamp<std::size_t>(flow_capacity / 8, 1024, 1U << 16));
}

}  // namespace

SynCookies::SynCookies(std::uint32_t flow_capacity, std::uint64_t secret, std::uint32_t workers)
    : key_{sip_hash(SipKey{secret, 1}, std::array<std::uint64_t, 1>{2}),
           sip_hash(SipKey{secret, 3}, std::array<std::uint64_t, 1>{4})},
      key_before_{key_},
      rate_{FlowRate::of(kAnswersPerSecond, std::max(workers, 1U))},
      verified_until_{cells_for(flow_capacity), HashSeed::from(secret + 5)} {}

std::uint32_t SynCookies::cookie_of(const SipKey& key, const FlowKey& flow) noexcept {
  return static_cast<std::uint32_t>(sip_hash(key, flow.words()));
}

void SynCookies::pass_time(Tick now) noexcept {
  if (now < key_until_) return;
  // After a life of silence, even the newer key is too old.
  const bool both = now - key_until_ >= kKeyLife;
  for (int i = 0; i < (both ? 2 : 1); ++i) {
    key_before_ = key_;
    key_ = {sip_hash(key_, std::array<std::uint64_t, 1>{6}),
            sip_hash(key_, std::array<std::uint64_t, 1>{7})};
  }
  key_until_ = now + kKeyLife;
}

bool SynCookies::is_verified(const FlowKey& key, Tick now) const noexcept {
  for (const std::uint32_t place : verified_until_.places(key.source, key.space)) {
    if (now >= verified_until_[place]) return false;
  }
  return true;
}

std::uint32_t SynCookies::cookie(const PacketInfo& syn, Tick now) noexcept {
  pass_time(now);
  const std::uint32_t cookie = cookie_of(key_, syn.key);
  return cookie - syn.tcp_sequence <= kNear ? cookie ^ kFar : cookie;
}

bool SynCookies::may_answer(Tick now) noexcept {
  const RateTime at = rate_time(now);
  if (!rate_.has_room(next_answer_, at)) return false;
  next_answer_ = rate_.after_one(next_answer_, at);
  last_answer_ = now;
  answered_ = true;
  return true;
}

bool SynCookies::verify(const PacketInfo& reset, Tick now) noexcept {
  pass_time(now);
  bool right = false;
  for (const SipKey& key : {key_, key_before_}) {
    const std::uint32_t cookie = cookie_of(key, reset.key);
    right = right || reset.tcp_sequence == cookie || reset.tcp_sequence == (cookie ^ kFar);
  }
  if (!right) return false;
  for (const std::uint32_t place : verified_until_.places(reset.key.source, reset.key.space)) {
    verified_until_[place] = now + kVerifiedFor;
  }
  return true;
}

void answer_syn(Frame& frame, const PacketInfo& info, std::uint32_t cookie) noexcept {
  net::TcpHeader tcp{};
  tcp.source_port = net::Be16::from_host(info.key.destination_port);
  tcp.destination_port = net::Be16::from_host(info.key.source_port);
  // It is answered by its acknowledgment number alone; this one tells nothing.
  tcp.sequence = net::Be32::from_host(~cookie);
  tcp.acknowledgment = net::Be32::from_host(cookie);
  tcp.offset_reserved = sizeof tcp / 4 << 4;
  tcp.flags = net::TcpHeader::kSyn | net::TcpHeader::kAck;
  std::array<std::uint8_t, sizeof tcp> segment;
  std::memcpy(segment.data(), &tcp, sizeof tcp);
  const std::uint64_t sum = net::sum_words(segment,
                                           net::sum_pseudo_header(info.family, info.key.destination,
                                                                  info.key.source,
                                                                  net::protocol::kTcp, sizeof tcp));
  tcp.checksum = net::finish_checksum(sum);

  std::uint8_t* const packet = frame.data + info.l3_offset;
  std::size_t header_bytes = 0;
  constexpr std::uint8_t kHops = 64;
  if (info.family == net::Family::kIpv4) {
    net::Ipv4Header ip{};
    ip.version_length = 0x45;
    ip.total_length = net::Be16::from_host(sizeof ip + sizeof tcp);
    ip.fragment = net::Be16::from_host(0x4000);  // do not fragment
    ip.ttl = kHops;
    ip.protocol = net::protocol::kTcp;
    std::memcpy(ip.source.data(), info.key.destination.wire(), ip.source.size());
    std::memcpy(ip.destination.data(), info.key.source.wire(), ip.destination.size());
    std::array<std::uint8_t, sizeof ip> header;
    std::memcpy(header.data(), &ip, sizeof ip);
    ip.checksum = net::checksum(header);
    std::memcpy(packet, &ip, sizeof ip);
    header_bytes = sizeof ip;
  } else {
    net::Ipv6Header ip{};
    ip.version_class_label = net::Be32::from_host(std::uint32_t{6} << 28);
    ip.payload_length = net::Be16::from_host(sizeof tcp);
    ip.next_header = net::protocol::kTcp;
    ip.hop_limit = kHops;
    ip.source = info.key.destination.bytes();
    ip.destination = info.key.source.bytes();
    std::memcpy(packet, &ip, sizeof ip);
    header_bytes = sizeof ip;
  }
  // A SYN has at least these two headers, so that the answer lies inside it.
  std::memcpy(packet + header_bytes, &tcp, sizeof tcp);
  net::EthernetHeader ethernet;
  std::memcpy(&ethernet, frame.data, sizeof ethernet);
  std::swap(ethernet.source, ethernet.destination);
  std::memcpy(frame.data, &ethernet, sizeof ethernet);
  frame.length = static_cast<std::uint32_t>(info.l3_offset + header_bytes + sizeof tcp);
}

}  // namespace meiguan::fastpath
