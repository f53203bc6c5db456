#pragma once

// What objects say, in the words of the language.

#include <fmt/format.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "controlplane/policy/model.h"

namespace meiguan::analysis {

[[nodiscard]] constexpr std::string_view word(policy::ZoneKind kind) {
  switch (kind) {
    case policy::ZoneKind::kInternet: return "internet";
    case policy::ZoneKind::kDmz: return "dmz";
    case policy::ZoneKind::kExtranet: return "extranet";
    case policy::ZoneKind::kExchange: return "exchange";
    case policy::ZoneKind::kPrivate: return "private";
    case policy::ZoneKind::kManagement: break;
  }
  return "management";
}
[[nodiscard]] constexpr std::string_view word(policy::Phase phase) {
  switch (phase) {
    case policy::Phase::kMandatory: return "mandatory";
    case policy::Phase::kLocal: return "local";
    case policy::Phase::kBaseline: break;
  }
  return "baseline";
}
[[nodiscard]] constexpr std::string_view word(policy::Action action) {
  switch (action) {
    case policy::Action::kAllow: return "allow";
    case policy::Action::kDeny: return "deny";
    case policy::Action::kAudit: break;
  }
  return "audit";
}
[[nodiscard]] constexpr std::string_view word(policy::Helper helper) {
  switch (helper) {
    case policy::Helper::kFtp: return "ftp";
    case policy::Helper::kSip: return "sip";
    case policy::Helper::kOff: break;
  }
  return "";
}
[[nodiscard]] constexpr std::string_view word(policy::Filtering filtering) {
  switch (filtering) {
    case policy::Filtering::kAddressAndPortDependent: return "address-and-port-dependent";
    case policy::Filtering::kAddressDependent: return "address-dependent";
    case policy::Filtering::kEndpointIndependent: break;
  }
  return "endpoint-independent";
}

// What is limited, with numbers; bandwidth in bits of a second.
[[nodiscard]] inline std::string limits_text(const policy::Limits& l) {
  std::string text;
  const auto add = [&](std::string_view key, std::uint64_t value) {
    if (value != 0) text += fmt::format("{}{} {}", text.empty() ? "" : ", ", key, value);
  };
  add("flows", l.flows);
  add("new_per_second", l.new_per_second);
  add("half_open", l.half_open);
  add("bandwidth", l.bandwidth);
  return text;
}
[[nodiscard]] inline std::string timeouts_text(const policy::Timeouts& t) {
  std::string text;
  for (std::size_t i = 0; i < t.size(); ++i) {
    if (t[i] == 0) continue;
    text += fmt::format("{}{} {}s", text.empty() ? "" : ", ", policy::kTimeoutKeys[i], t[i]);
  }
  return text;
}

}  // namespace meiguan::analysis
