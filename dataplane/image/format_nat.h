#pragma once

// What an image says of translations (policy.md section 6): a part of format.h.
//
//   destination --route of kind kNat--> NatPrefix --kind--> PublishRecord -> PublishEndpoint
//                                                           PoolRecord -> EgressRecord
//                                                           TranslateRecord
//                                                           NptRecord -> EgressRecord
//   source group x zone column --kSourceEgress--> EgressRecord -> PoolRecord, NptRecord
//
// Without a gateway there are no NatPrefixes; egresses, pools and translates are those of the whole
// tree then, so that isolation can be judged.

#include <array>
#include <cstdint>

#include "dataplane/net/address.h"

namespace meiguan::image {

enum class NatKind : std::uint8_t { kPublish, kPool, kTranslate, kNpt };

struct NatPrefix {
  NatKind kind;
  std::array<std::uint8_t, 3> reserved;
  std::uint32_t
      first;  // into the section of that kind: kPublishes, kPools, kTranslates, kNptPrefixes
  std::uint32_t count;  // all publishes of the address; of the other kinds 1
};
static_assert(sizeof(NatPrefix) == 12);

// A public address, protocol and span of ports (of ICMP: types; 0 to 65535 where all are meant),
// and where that leads: a flow keeps one of the endpoints.
struct PublishRecord {
  net::Address public_address;
  std::uint16_t space;    // that the endpoints lie in; the public address is of the shared one
  std::uint8_t protocol;  // 0: any
  std::uint8_t reserved;
  std::uint16_t first_port;
  std::uint16_t last_port;
  std::uint32_t service;
  std::uint32_t first_endpoint;  // into kPublishEndpoints
  std::uint32_t endpoints;       // one at least
  std::uint32_t reserved2;
};
static_assert(sizeof(PublishRecord) == 40);

struct PublishEndpoint {
  net::Address address;  // of the public address's family
  std::uint16_t port;    // 0: the port that the packet came with
  std::array<std::uint16_t, 3> reserved;
};
static_assert(sizeof(PublishEndpoint) == 24);

// Which packets from outside may use a mapping that is live (RFC 4787 section 5).
enum class Filtering : std::uint8_t {
  kAddressAndPortDependent,  // those of a flow only
  kAddressDependent,         // from addresses that the mapping was used towards
  kEndpointIndependent,      // all; isolation and rules are asked as ever
};

struct EgressRecord {
  std::uint32_t first_pool;  // into kPools: the IPv4 ones
  std::uint32_t pools;
  std::uint32_t first_npt;  // into kNptPrefixes: IPv6
  std::uint32_t npts;
  std::uint16_t first_port;  // of each pool address, to hand out
  std::uint16_t last_port;
  std::uint16_t block_ports;         // ports of a block; even, and the first port of each is
  std::uint16_t blocks_per_address;  // at most so many for one inside address
  Filtering filtering;
  std::array<std::uint8_t, 3> reserved;
};
static_assert(sizeof(EgressRecord) == 28);

struct PoolRecord {
  net::Address address;  // IPv4, first of the prefix
  std::uint8_t length;
  std::array<std::uint8_t, 3> reserved;
  std::uint32_t egress;
};
static_assert(sizeof(PoolRecord) == 24);

// RFC 6296: inside/length <-> outside/length, length at most 64.
struct NptRecord {
  net::Address inside;
  net::Address outside;
  std::uint8_t length;
  std::array<std::uint8_t, 3> reserved;
  std::uint32_t egress;
};
static_assert(sizeof(NptRecord) == 40);

// The egress that covers a source, for each family of addresses: the first in force that does and
// has a pool of the family.
struct SourceEgress {
  std::uint16_t v4;  // number of an EgressRecord or kNoEgress
  std::uint16_t v6;
};
static_assert(sizeof(SourceEgress) == 4);
inline constexpr std::uint16_t kNoEgress = 0xffff;

// inside/length of a private space <-> outside/length of the shared one, address by address.
struct TranslateRecord {
  net::Address inside;
  net::Address outside;
  std::uint16_t space;  // of the inside, never the shared one
  std::uint8_t length;
  std::array<std::uint8_t, 5> reserved;
};
static_assert(sizeof(TranslateRecord) == 40);

}  // namespace meiguan::image
