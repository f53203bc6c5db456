#include "controlplane/policy/catalog.h"

#include <fmt/core.h>
#include <boost/json.hpp>

namespace meiguan::policy {
namespace {

namespace json = boost::json;

constexpr std::string_view kSchema = "meiguan.catalog/v1";

template <typename Id>
json::value id_value(Id id) {
  if (id.is_none()) return nullptr;
  return std::uint64_t{id.value()};
}

// Reads fields and remembers whether any was missing or of another type.
class FieldReader {
 public:
  explicit FieldReader(const json::value& value) : object_{value.if_object()} {}

  [[nodiscard]] std::string text(std::string_view key) {
    const json::value* v = find(key);
    const json::string* s = v == nullptr ? nullptr : v->if_string();
    if (s == nullptr) return bad<std::string>();
    return std::string{*s};
  }
  // Nothing where the key is not there: catalogs of earlier versions do not have it.
  [[nodiscard]] std::string later_text(std::string_view key) {
    return find(key) == nullptr ? std::string{} : text(key);
  }
  [[nodiscard]] bool flag(std::string_view key) {
    const json::value* v = find(key);
    const bool* b = v == nullptr ? nullptr : v->if_bool();
    return b == nullptr ? bad<bool>() : *b;
  }
  // A number below `limit`, or none.
  template <typename Id>
  [[nodiscard]] Id id(std::string_view key, std::size_t limit) {
    const json::value* v = find(key);
    if (v == nullptr) return bad<Id>();
    if (v->is_null()) return Id{};
    const auto number = json::try_value_to<std::uint64_t>(*v);
    if (!number || *number >= limit) return bad<Id>();
    return Id{static_cast<typename Id::rep>(*number)};
  }
  [[nodiscard]] bool good() const { return good_ && object_ != nullptr; }

 private:
  [[nodiscard]] const json::value* find(std::string_view key) const {
    return object_ == nullptr ? nullptr : object_->if_contains(key);
  }
  template <typename T>
  T bad() {
    good_ = false;
    return T{};
  }

  const json::object* object_;
  bool good_{true};
};

std::unexpected<Error> damaged(std::string_view what) {
  return fail(fmt::format("the catalog is damaged: {}", what),
              fmt::format("名录文件已损坏：{}", what));
}

// Calls `read(element reader)` for each element; false when the list or an element is bad.
template <typename F>
bool each(const json::object& root, std::string_view key, F&& read) {
  const json::value* list = root.if_contains(key);
  if (list == nullptr || !list->is_array()) return false;
  for (const json::value& element : list->get_array()) {
    FieldReader reader{element};
    read(reader);
    if (!reader.good()) return false;
  }
  return true;
}

}  // namespace

std::string to_json(const Catalog& catalog) {
  json::array nodes;
  for (const CatalogNode& node : catalog.nodes) {
    nodes.push_back(
        json::object{{"code", node.code}, {"name", node.name}, {"parent", id_value(node.parent)}});
  }
  json::array zones;
  for (const std::string& zone : catalog.zones) zones.push_back(json::object{{"id", zone}});
  json::array units;
  for (const CatalogUnit& unit : catalog.units) {
    units.push_back(json::object{{"in_use", unit.in_use},
                                 {"id", unit.id},
                                 {"name", unit.name},
                                 {"node", id_value(unit.node)}});
  }
  json::array services;
  for (const CatalogService& service : catalog.services) {
    services.push_back(json::object{{"in_use", service.in_use},
                                    {"id", service.id},
                                    {"name", service.name},
                                    {"node", id_value(service.node)}});
  }
  json::array rules;
  for (const CatalogRule& rule : catalog.rules) {
    rules.push_back(json::object{{"in_use", rule.in_use},
                                 {"full_name", rule.full_name},
                                 {"where", rule.where},
                                 {"action", rule.action},
                                 {"phase", rule.phase},
                                 {"ticket", rule.ticket},
                                 {"owner", rule.owner},
                                 {"comment", rule.comment},
                                 {"log", rule.log},
                                 {"schedule", rule.schedule},
                                 {"not_before", rule.not_before},
                                 {"expires", rule.expires}});
  }
  json::array ports;
  for (const CatalogPort& port : catalog.ports) {
    ports.push_back(json::object{{"name", port.name}, {"zone", port.zone}});
  }
  return json::serialize(json::object{{"schema", kSchema},
                                      {"nodes", std::move(nodes)},
                                      {"zones", std::move(zones)},
                                      {"units", std::move(units)},
                                      {"services", std::move(services)},
                                      {"rules", std::move(rules)},
                                      {"ports", std::move(ports)}});
}

Result<Catalog> catalog_from_json(std::string_view text) {
  boost::system::error_code error;
  const json::value parsed = json::parse(text, error);
  const json::object* root = error ? nullptr : parsed.if_object();
  if (root == nullptr) return damaged("it is not JSON");
  const json::value* schema = root->if_contains("schema");
  if (schema == nullptr || !schema->is_string() || schema->get_string() != kSchema) {
    return damaged("its schema");
  }
  Catalog catalog;
  const bool good =
      each(*root, "nodes",
           [&](FieldReader& f) {
             // Parents come before children.
             catalog.nodes.push_back(
                 {f.text("code"), f.text("name"), f.id<NodeId>("parent", catalog.nodes.size())});
           }) &&
      each(*root, "zones", [&](FieldReader& f) { catalog.zones.push_back(f.text("id")); }) &&
      each(*root, "units",
           [&](FieldReader& f) {
             catalog.units.push_back({f.flag("in_use"), f.text("id"), f.text("name"),
                                      f.id<NodeId>("node", catalog.nodes.size())});
           }) &&
      each(*root, "services",
           [&](FieldReader& f) {
             catalog.services.push_back({f.flag("in_use"), f.text("id"), f.text("name"),
                                         f.id<NodeId>("node", catalog.nodes.size())});
           }) &&
      each(*root, "rules",
           [&](FieldReader& f) {
             catalog.rules.push_back({f.flag("in_use"), f.text("full_name"), f.text("where"),
                                      f.text("action"), f.text("phase"), f.text("ticket"),
                                      f.text("owner"), f.text("comment"), f.flag("log"),
                                      f.later_text("schedule"), f.later_text("not_before"),
                                      f.later_text("expires")});
           }) &&
      each(*root, "ports", [&](FieldReader& f) {
        catalog.ports.push_back({f.text("name"), f.text("zone")});
      });
  if (!good) return damaged("a field");
  return catalog;
}

}  // namespace meiguan::policy
