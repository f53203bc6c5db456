#pragma once

// The sentences of explain that both ways of asking share.

#include <span>

#include "controlplane/analysis/explain.h"
#include "controlplane/analysis/names.h"
#include "dataplane/fastpath/decide.h"

namespace meiguan::analysis {

inline constexpr std::string_view kPass = "pass";
inline constexpr std::string_view kDrop = "drop";
inline constexpr std::string_view kLocal = "local";
inline constexpr std::string_view kNotAsked = "not-asked";

// "czj-360121 南昌县财政局", or that there is no unit.
[[nodiscard]] Text describe_unit(const Names& names, UnitId unit);
// What stands at the destination: unit and most specific service.
[[nodiscard]] Text describe_target(const Names& names, UnitId unit, ServiceId service);
// What the isolation table answered, and between which zones.
[[nodiscard]] Text describe_isolation(image::Isolation isolation, const Text& between);
// The deciding rule with its place and comment, and the audit rules that it came past.
[[nodiscard]] Text describe_rules(const Names& names, const image::Moment& moment,
                                  const fastpath::Access& access);

// What a helper of the service lets through beside the flow itself, where it reads this protocol.
[[nodiscard]] std::optional<Text> describe_helper(const image::Image& image, ServiceId service,
                                                  std::uint8_t protocol);

// When what the rules say of a packet changes for the first time after `at`: see
// Explanation::until.
[[nodiscard]] std::optional<std::int64_t> changes_at(const image::Image& image,
                                                     const fastpath::Subject& subject,
                                                     const fastpath::Target& target,
                                                     std::int64_t at);

// Explain without a gateway (explain_objects.cc) and with one (explain_gateway.cc).
[[nodiscard]] Result<Explanation> explain_by_objects(const image::Image& image, const Names& names,
                                                     const Question& question);
[[nodiscard]] Result<Explanation> explain_at_gateway(const image::Image& image, const Names& names,
                                                     const Question& question);

}  // namespace meiguan::analysis
