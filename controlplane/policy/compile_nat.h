#pragma once

// What the image says of translations, limits and time-outs.

#include <cstdint>
#include <map>
#include <vector>

#include "controlplane/policy/compile_atoms.h"
#include "controlplane/policy/compile_catalog.h"
#include "controlplane/policy/compile_selectors.h"
#include "controlplane/policy/model.h"
#include "dataplane/base/result.h"
#include "dataplane/image/format.h"
#include "dataplane/image/writer.h"

namespace meiguan::policy {

// A public prefix of the shared space and the number of its NatPrefix.
struct NatRoute {
  net::Prefix prefix;
  std::uint32_t number{0};
};

struct NatPlan {
  std::vector<image::NatPrefix> prefixes;  // none without a gateway
  std::vector<image::PublishRecord> publishes;
  std::vector<image::PublishEndpoint> endpoints;
  std::vector<image::EgressRecord> egresses;
  std::vector<image::PoolRecord> pools;
  std::vector<image::NptRecord> npts;
  std::vector<image::SourceEgress> source_egress;
  std::vector<image::TranslateRecord> translates;
  std::vector<NatRoute> routes;
};

// `gateway` may be null: then all of the tree is in force, and nothing leads anywhere.
// Errors: more egresses than an image holds.
[[nodiscard]] Result<NatPlan> plan_nat(const CheckedPolicy& policy, const CheckedGateway* gateway,
                                       const Ids& ids, const AddressPlan& addresses,
                                       const SourcePoints& sources, const ZoneColumns& columns);
void put_nat(const NatPlan& plan, image::Writer& writer);

// Equal limits and equal time-outs are stored once.
class LimitPlan {
 public:
  // Of no limits at all: image::kNoLimits.
  [[nodiscard]] std::uint16_t number_of(const Limits& limits);
  // Of none given: 0.
  [[nodiscard]] std::uint8_t number_of(const Timeouts& timeouts);
  // Errors: more than an image holds; then the numbers have no meaning.
  [[nodiscard]] Result<void> put(image::Writer& writer) const;

 private:
  std::map<Limits, std::size_t> limit_numbers_;
  std::vector<image::LimitRecord> limits_;
  std::map<Timeouts, std::size_t> timeout_numbers_;
  std::vector<image::TimeoutRecord> timeouts_{image::TimeoutRecord{}};
};

}  // namespace meiguan::policy
