#include "controlplane/policy/compile_uncompiled.h"

#include <fmt/core.h>

#include <string_view>

namespace meiguan::policy {

std::optional<Error> refuse_uncompiled(const CheckedPolicy& policy) {
  const auto refuse = [&](const Place& place, std::string_view english, std::string_view chinese) {
    return Error{Text{fmt::format("{}: {} not supported yet", policy.where(place), english),
                      fmt::format("{}：本版本尚不支持{}（not supported yet）", policy.where(place),
                                  chinese)}};
  };
  for (const Service& service : policy.services) {
    if (!service.offered_to.empty()) {
      return refuse(service.place, "`offered_to` is", " `offered_to`");
    }
  }
  return std::nullopt;
}

}  // namespace meiguan::policy
