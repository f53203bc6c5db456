#pragma once

#include <optional>
#include <vector>

#include "controlplane/policy/model.h"
#include "controlplane/policy/names.h"
#include "controlplane/policy/prefix_index.h"
#include "controlplane/policy/reporter.h"
#include "controlplane/policy/source.h"
#include "controlplane/policy/table_view.h"

namespace meiguan::policy {

// What a gateway file says before names are resolved; the names stand beside the objects.
struct DraftPort {
  GatewayPort port;
  Place name_place;
  std::optional<Place> device_place;  // where one is given that can be read
  std::optional<Word> parent;
  std::optional<Integer> vlan;
  std::optional<Word> zone;
  std::optional<Integer> mtu;
  std::vector<Place> address_places;  // one for each address
  bool has_bad_address{false};        // one could not be read
  Place tap_place;
};

struct DraftLocal {
  GatewayLocal local;
  std::optional<Word> port;
};

struct DraftRoute {
  GatewayRoute route;
  bool has_prefix{false};
  Place prefix_place;
  Place via_place;
  bool has_bad_via{false};
  std::optional<Word> port;
  std::optional<Word> space;
};

struct DraftNeighbour {
  GatewayNeighbour neighbour;
  bool has_address{false};
  Place address_place;
  std::optional<Word> port;
};

struct GatewayDraft {
  std::optional<Place> gateway_place;  // of [gateway]
  std::optional<Word> node;
  std::uint16_t workers{1};
  std::vector<DraftPort> ports;
  std::vector<DraftRoute> routes;
  std::vector<DraftNeighbour> neighbours;
  std::vector<DraftLocal> locals;
  image::GatewayLimits limits;
  Place kernel_routes;  // where `routes = "kernel"` is written; line 0: nowhere
};

// The only maker of CheckedGateway.
struct GatewayChecker {
  [[nodiscard]] static CheckedGateway empty() { return CheckedGateway(); }
};

// Checks what can be seen in the file alone.
[[nodiscard]] GatewayDraft read_gateway(const SourceFile& file, Reporter& reporter);

// Reads [limits] (read_limits.cc).
void read_gateway_limits(TableView& table, GatewayDraft& draft, Reporter& reporter);

// Resolves and checks the rest. What comes back is a gateway only where `reporter` has no errors.
[[nodiscard]] CheckedGateway check_gateway(const SourceFile& file, GatewayDraft draft,
                                           const CheckedPolicy& policy, Reporter& reporter);

// The state of one check.
struct GatewayChecking {
  GatewayChecking(CheckedGateway& gateway_, GatewayDraft& draft_, const CheckedPolicy& policy_,
                  Reporter& reporter_)
      : gateway{gateway_}, draft{draft_}, policy{policy_}, reporter{reporter_} {}

  CheckedGateway& gateway;
  GatewayDraft& draft;
  const CheckedPolicy& policy;
  Reporter& reporter;

  NameTable nodes{Text{"node", "节点"}};
  NameTable zones{Text{"zone", "区域"}};
  NameTable ports{Text{"port", "端口"}};
  // The connected subnets: a PrefixIndex entry's unit is the port's number, its number that of the
  // address.
  PrefixIndex subnets;
  bool has_bad_port{false};  // subnets may be missing: nobody shall say that one is not connected

  // The address space of a port; nothing where its zone is not known.
  [[nodiscard]] std::optional<SpaceId> space_of(PortId port) const {
    const ZoneId zone = gateway.ports[port.index()].zone;
    if (zone.is_none()) return std::nullopt;
    return policy.zones[zone.index()].space;
  }
};

void check_ports(GatewayChecking& checking);
void check_routes(GatewayChecking& checking);
void check_neighbours(GatewayChecking& checking);
// TAPs of ports, and [[local]] (gateway_local.cc).
void check_local(GatewayChecking& checking);
// Reads `tap` of a [[port]], `routes` of [gateway], and a [[local]].
void read_tap(TableView& table, DraftPort& draft, Reporter& reporter);
void read_routes_source(TableView& table, GatewayDraft& draft, Reporter& reporter);
void read_local(TableView& table, GatewayDraft& gateway, Reporter& reporter);
// Whether it can be the name of one of the kernel's interfaces.
[[nodiscard]] bool is_interface_name(std::string_view name);
// What the policy translates against what the gateway has (gateway_nat.cc).
void check_gateway_nat(GatewayChecking& checking);

}  // namespace meiguan::policy
