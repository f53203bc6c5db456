#include "tools/cli/diff_print.h"

#include <algorithm>
#include <boost/json.hpp>
#include <map>

#include "controlplane/analysis/names.h"
#include "controlplane/policy/instant_text.h"
#include "controlplane/policy/message.h"
#include "tools/cli/table.h"

namespace meiguan::cli {
namespace {

namespace json = boost::json;
using analysis::AccessChange;
using analysis::ChangeEnd;
using analysis::kAfter;
using analysis::kBefore;
using analysis::ObjectChange;

// Of units that change alike; JSON names all.
constexpr std::size_t kMostNamed = 8;

json::value text_or_null(std::string_view text) {
  return text.empty() ? json::value(nullptr) : json::value(text);
}

std::string_view word(ObjectChange::Kind kind) {
  switch (kind) {
    case ObjectChange::Kind::kAdded: return "added";
    case ObjectChange::Kind::kRemoved: return "removed";
    case ObjectChange::Kind::kChanged: break;
  }
  return "changed";
}

json::object to_json(const ObjectChange& change) {
  json::object object;
  object.emplace("change", word(change.kind));
  object.emplace("kind", change.object);
  object.emplace("id", change.id);
  object.emplace("where_before", text_or_null(change.where_before));
  object.emplace("where_after", text_or_null(change.where_after));
  json::array fields;
  for (const auto& field : change.fields) {
    fields.push_back(json::object{{"field", field.field},
                                  {"before", text_or_null(field.before)},
                                  {"after", text_or_null(field.after)}});
  }
  object.emplace("fields", std::move(fields));
  return object;
}

class Access {
 public:
  Access(const Context& context, const PolicyDiff& diff)
      : context_{context},
        diff_{diff},
        names_{analysis::Names{*diff.sides[0].catalog}, analysis::Names{*diff.sides[1].catalog}} {}

  [[nodiscard]] json::object to_json(const AccessChange& change) const {
    const auto is = [](const ChangeEnd& end, ChangeEnd::Kind kind) {
      return end.kind == kind ? json::value(end.id) : json::value(nullptr);
    };
    const auto& example = change.example;
    json::object object;
    object.emplace("change", change.gains ? "gains" : "loses");
    object.emplace("node", text_or_null(change.from.node));
    object.emplace("unit", is(change.from, ChangeEnd::Kind::kUnit));
    object.emplace("from_zone", example.from_zone);
    object.emplace("service", is(change.to, ChangeEnd::Kind::kService));
    object.emplace("to_unit", is(change.to, ChangeEnd::Kind::kUnit));
    object.emplace("to_zone", example.to_zone);
    json::object packet;
    packet.emplace("from", net::to_string(example.from));
    packet.emplace("to", analysis::to_string(example.to));
    packet.emplace("at", example.timed ? json::value(instant(example)) : json::value(nullptr));
    object.emplace("example", std::move(packet));
    object.emplace("before", decision_json(kBefore, example.decisions[kBefore]));
    object.emplace("after", decision_json(kAfter, example.decisions[kAfter]));
    return object;
  }

  // The same as to_json, flat.
  [[nodiscard]] Table to_table() const {
    Table table;
    table.schema = "meiguan.diff/v1";
    for (const char* const key :
         {"change", "node", "unit", "from_zone", "service", "to_unit", "to_zone", "from", "to",
          "at", "before_verdict", "before_reason", "before_rule", "before_where", "after_verdict",
          "after_reason", "after_rule", "after_where"}) {
      table.columns.push_back({key, {key, key}});
    }
    for (const auto& change : diff_.access.changes) {
      const auto object = to_json(change);
      auto& row = table.rows.emplace_back();
      for (const char* const key :
           {"change", "node", "unit", "from_zone", "service", "to_unit", "to_zone"}) {
        row.emplace_back(object.at(key));
      }
      for (const char* const key : {"from", "to", "at"}) {
        row.emplace_back(object.at("example").at(key));
      }
      for (const char* const side : {"before", "after"}) {
        for (const char* const key : {"verdict", "reason", "rule", "where"}) {
          row.emplace_back(object.at(side).at(key));
        }
      }
    }
    return table;
  }

  // Changes by node, then by the units that change alike.
  void print(Out& out) const {
    std::map<std::string, std::map<ChangeEnd, std::vector<const AccessChange*>>> nodes;
    for (const auto& change : diff_.access.changes) {
      nodes[change.from.node][change.from].push_back(&change);
    }
    for (const auto& [code, units] : nodes) {
      out.line(code.empty() ? std::string{context_.tr("(no unit)", "（不属于单位）")}
                            : code + " " + units.begin()->first.node_name);
      std::map<std::vector<std::pair<bool, ChangeEnd>>, std::vector<const ChangeEnd*>> alike;
      for (const auto& [unit, changes] : units) {
        std::vector<std::pair<bool, ChangeEnd>> key;
        for (const auto* const change : changes) key.emplace_back(change->gains, change->to);
        alike[key].push_back(&unit);
      }
      for (const auto& [key, same] : alike) print_alike(same, units.at(*same.front()), out);
    }
    print_sum(out);
  }

 private:
  void print_alike(const std::vector<const ChangeEnd*>& units,
                   const std::vector<const AccessChange*>& changes, Out& out) const {
    std::string line = "  ";
    for (std::size_t i = 0; i < std::min(units.size(), kMostNamed); ++i) {
      if (i > 0) line += context_.tr(", ", "、");
      line += title(*units[i]);
    }
    if (units.size() > kMostNamed) {
      line += context_.tr({fmt::format(" and {} more", units.size() - kMostNamed),
                           fmt::format(" 等 {} 个单位", units.size())});
    }
    out.line(line);
    for (const auto* const change : changes) {
      const auto& example = change->example;
      std::string text = fmt::format("    {} {}: {} -> {}", change->gains ? '+' : '-',
                                     title(change->to), net::to_string(example.from),
                                     analysis::to_string(example.to));
      if (example.timed) text += context_.tr(" at ", " 于 ") + instant(example);
      out.line(text);
      out.line(fmt::format("        {}{}", context_.tr("before: ", "之前："),
                           decision_text(kBefore, example.decisions[kBefore])));
      out.line(fmt::format("        {}{}", context_.tr("after:  ", "之后："),
                           decision_text(kAfter, example.decisions[kAfter])));
    }
  }

  void print_sum(Out& out) const {
    std::size_t gains = 0;
    for (const auto& change : diff_.access.changes) gains += change.gains ? 1 : 0;
    const std::size_t loses = diff_.access.changes.size() - gains;
    out.line(context_.tr({fmt::format("access: {} gained, {} lost", gains, loses),
                          fmt::format("访问：新增 {} 项，失去 {} 项", gains, loses)}));
  }

  [[nodiscard]] std::string title(const ChangeEnd& end) const {
    switch (end.kind) {
      case ChangeEnd::Kind::kUnit: return end.id == end.name ? end.id : end.id + " " + end.name;
      case ChangeEnd::Kind::kService:
        return context_.tr("service ", "业务系统 ") +
               (end.id == end.name ? end.id : end.id + " " + end.name);
      case ChangeEnd::Kind::kZone: break;
    }
    return context_.tr("zone ", "区域 ") + end.id;
  }
  [[nodiscard]] std::string instant(const analysis::ChangeExample& example) const {
    return policy::instant_text(diff_.sides[kAfter].image->utc_offsets(), example.at);
  }
  [[nodiscard]] json::object decision_json(std::size_t side,
                                           const fastpath::Decision& decision) const {
    const auto* const reason = fastpath::find_reason(decision.reason);
    const auto* const rule = names_[side].rule(decision.rule);
    json::object object;
    object.emplace("verdict", fastpath::name_of(decision.verdict()));
    object.emplace("reason", reason != nullptr ? reason->name : std::string_view{});
    object.emplace("rule", text_or_null(names_[side].rule_name(decision.rule)));
    object.emplace("where", rule != nullptr ? text_or_null(rule->where) : json::value(nullptr));
    return object;
  }
  [[nodiscard]] std::string decision_text(std::size_t side,
                                          const fastpath::Decision& decision) const {
    const auto* const reason = fastpath::find_reason(decision.reason);
    std::string text{reason != nullptr ? reason->name : std::string_view{}};
    if (const auto* const rule = names_[side].rule(decision.rule)) {
      text += fmt::format(", {} ({})", rule->full_name, rule->where);
    }
    return text;
  }

  const Context& context_;
  const PolicyDiff& diff_;
  analysis::Sides<analysis::Names> names_;
};

// A row for each field that differs; an object that came or went has one.
Table objects_table(const PolicyDiff& diff) {
  Table table;
  table.schema = "meiguan.diff/v1";
  for (const char* const key :
       {"change", "kind", "id", "field", "before", "after", "where_before", "where_after"}) {
    table.columns.push_back({key, {key, key}});
  }
  for (const auto& change : diff.objects) {
    const auto add = [&](std::string_view field, std::string_view before, std::string_view after) {
      table.rows.push_back({json::value(word(change.kind)), json::value(change.object),
                            json::value(change.id), text_or_null(field), text_or_null(before),
                            text_or_null(after), text_or_null(change.where_before),
                            text_or_null(change.where_after)});
    };
    if (change.fields.empty()) add({}, {}, {});
    for (const auto& field : change.fields) add(field.field, field.before, field.after);
  }
  return table;
}

void print_objects(const Context& context, const PolicyDiff& diff, Out& out) {
  for (const auto& change : diff.objects) {
    const char sign = change.kind == ObjectChange::Kind::kAdded     ? '+'
                      : change.kind == ObjectChange::Kind::kRemoved ? '-'
                                                                    : '~';
    const auto& where = change.where_after.empty() ? change.where_before : change.where_after;
    out.line(fmt::format("{} {}{}{} ({})", sign, change.object, change.id.empty() ? "" : " ",
                         change.id, where));
    for (const auto& field : change.fields) {
      const auto shown = [](const std::string& text) {
        return text.empty() ? std::string{"-"} : policy::one_line(text);
      };
      out.line(
          fmt::format("    {}: {} -> {}", field.field, shown(field.before), shown(field.after)));
    }
  }
  if (diff.objects.empty()) out.line(context.tr("no object differs", "没有不同的对象"));
}

}  // namespace

int print_diff(const Context& context, Format format, const PolicyDiff& diff, Out& out) {
  if (format == Format::kTable) {
    if (diff.semantic) {
      Access{context, diff}.print(out);
    } else {
      print_objects(context, diff, out);
    }
    return kYes;
  }
  if (format == Format::kCsv) {
    return cli::print(diff.semantic ? Access{context, diff}.to_table() : objects_table(diff),
                      context, format, out);
  }
  if (format == Format::kJsonl) {
    if (diff.semantic) {
      const Access access{context, diff};
      for (const auto& change : diff.access.changes) {
        out.line(json::serialize(access.to_json(change)));
      }
    } else {
      for (const auto& change : diff.objects) out.line(json::serialize(to_json(change)));
    }
    return kYes;
  }
  json::object document;
  document.emplace("schema", "meiguan.diff/v1");
  document.emplace("same", diff.semantic ? diff.access.changes.empty() : diff.objects.empty());
  json::array objects;
  for (const auto& change : diff.objects) objects.push_back(to_json(change));
  document.emplace("objects", std::move(objects));
  if (diff.semantic) {
    const Access access{context, diff};
    json::array changes;
    for (const auto& change : diff.access.changes) changes.push_back(access.to_json(change));
    document.emplace("access", std::move(changes));
    document.emplace("access_complete", diff.access.all);
  }
  out.line(json::serialize(document));
  return kYes;
}

}  // namespace meiguan::cli
