#pragma once

// When two policies say differently of the same packets.

#include <cstdint>
#include <map>
#include <optional>
#include <tuple>

#include "controlplane/analysis/joint.h"
#include "dataplane/image/isolation.h"

namespace meiguan::analysis {

// A cell under an answer of isolation; kNone: nothing is let by.
struct Answer {
  image::Cell cell{image::kNone};
  image::Isolation isolation;
};

// The first instants at which only the policy after lets by, and only the one before.
struct WhenDiffers {
  std::optional<std::int64_t> gains;
  std::optional<std::int64_t> loses;
  // At other instants it may not be so, or by other rules.
  bool timed{false};
};

class JointTimes {
 public:
  // Every instant at or after `from` counts. `sides` must outlive it.
  JointTimes(const Sides<PolicySide>& sides, std::int64_t from) : sides_{sides}, from_{from} {}

  [[nodiscard]] WhenDiffers of(const Sides<Answer>& answers);

 private:
  [[nodiscard]] bool lets_by(std::size_t side, const Answer& answer,
                             const image::Moment& moment) const;
  [[nodiscard]] WhenDiffers sweep(const Sides<Answer>& answers) const;

  const Sides<PolicySide>& sides_;
  std::int64_t from_;
  std::map<std::tuple<image::Cell, std::uint8_t, image::Cell, std::uint8_t>, WhenDiffers> known_;
};

}  // namespace meiguan::analysis
