#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "controlplane/policy/catalog.h"
#include "dataplane/base/strong_id.h"

namespace meiguan::analysis {

// The names of ids. An id that the catalog does not have reads as nothing: an event or a counter
// may be older than the catalog.
class Names {
 public:
  explicit Names(const policy::Catalog& catalog) noexcept : catalog_{&catalog} {}

  [[nodiscard]] const policy::CatalogUnit* unit(UnitId id) const noexcept {
    return find(catalog_->units, id);
  }
  [[nodiscard]] const policy::CatalogService* service(ServiceId id) const noexcept {
    return find(catalog_->services, id);
  }
  [[nodiscard]] const policy::CatalogRule* rule(RuleId id) const noexcept {
    return find(catalog_->rules, id);
  }
  [[nodiscard]] const policy::CatalogPort* port(PortId id) const noexcept {
    return find(catalog_->ports, id);
  }
  [[nodiscard]] std::string_view unit_id(UnitId id) const noexcept {
    const auto* const found = unit(id);
    return found != nullptr ? std::string_view{found->id} : std::string_view{};
  }
  [[nodiscard]] std::string_view service_id(ServiceId id) const noexcept {
    const auto* const found = service(id);
    return found != nullptr ? std::string_view{found->id} : std::string_view{};
  }
  [[nodiscard]] std::string_view rule_name(RuleId id) const noexcept {
    const auto* const found = rule(id);
    return found != nullptr ? std::string_view{found->full_name} : std::string_view{};
  }
  [[nodiscard]] std::string_view port_name(PortId id) const noexcept {
    const auto* const found = port(id);
    return found != nullptr ? std::string_view{found->name} : std::string_view{};
  }
  [[nodiscard]] std::string_view zone_id(ZoneId id) const noexcept {
    return id.index() < catalog_->zones.size() ? std::string_view{catalog_->zones[id.index()]}
                                               : std::string_view{};
  }
  [[nodiscard]] std::optional<ZoneId> find_zone(std::string_view id) const noexcept {
    for (std::size_t i = 0; i < catalog_->zones.size(); ++i) {
      if (catalog_->zones[i] == id) return ZoneId{static_cast<ZoneId::rep>(i)};
    }
    return std::nullopt;
  }
  [[nodiscard]] std::optional<PortId> find_port(std::string_view name) const noexcept {
    for (std::size_t i = 0; i < catalog_->ports.size(); ++i) {
      if (catalog_->ports[i].name == name) return PortId{static_cast<PortId::rep>(i)};
    }
    return std::nullopt;
  }

 private:
  template <typename T, typename Id>
  [[nodiscard]] static const T* find(const std::vector<T>& all, Id id) noexcept {
    return id.is_some() && id.index() < all.size() ? &all[id.index()] : nullptr;
  }
  const policy::Catalog* catalog_;
};

}  // namespace meiguan::analysis
