// meiguan policy show --effective

#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <limits>
#include <memory>

#include "controlplane/analysis/effective.h"
#include "controlplane/analysis/names.h"
#include "controlplane/policy/instant_text.h"
#include "controlplane/policy/suggest.h"
#include "dataplane/image/moment.h"
#include "tools/cli/load.h"
#include "tools/cli/out.h"
#include "tools/cli/policy_commands.h"
#include "tools/cli/table.h"

namespace meiguan::cli {
namespace {

namespace json = boost::json;
using analysis::Party;
using analysis::PartyKind;

struct Options {
  std::string path;
  bool effective{false};
  std::string unit;
  std::string service;
  std::string at;
};

struct Named {
  std::string_view kind;
  std::string id;
  std::string name;
};

Named name_of(const analysis::Names& names, const Party& party) {
  if (party.kind == PartyKind::kUnit) {
    const auto* const unit = names.unit(UnitId{party.number});
    return {"unit", unit != nullptr ? unit->id : "", unit != nullptr ? unit->name : ""};
  }
  if (party.kind == PartyKind::kService) {
    const auto* const service = names.service(ServiceId{party.number});
    return {"service", service != nullptr ? service->id : "",
            service != nullptr ? service->name : ""};
  }
  const std::string zone{names.zone_id(ZoneId{static_cast<ZoneId::rep>(party.number)})};
  return {"zone", zone, zone};
}

std::string title(const Context& context, const Named& named) {
  const std::string text = named.name.empty() || named.name == named.id
                               ? named.id
                               : fmt::format("{} ({})", named.name, named.id);
  if (named.kind == "unit") return context.tr("unit ", "单位 ") + text;
  if (named.kind == "service") return context.tr("service ", "服务 ") + text;
  return context.tr("addresses of no object in zone ", "无登记对象的地址，区域 ") + text;
}

std::string join(const std::vector<std::string>& ports) {
  std::string text;
  for (const auto& port : ports) text += (text.empty() ? "" : " ") + port;
  return text;
}

template <typename Id, typename Entry>
std::optional<Id> find(const std::vector<Entry>& all, const std::string& id) {
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (all[i].in_use && all[i].id == id) return Id{static_cast<std::uint32_t>(i)};
  }
  return std::nullopt;
}

bool is_outgoing(const analysis::Focus& focus, const analysis::Access& access) {
  return focus.unit.is_some() && access.from == Party{PartyKind::kUnit, focus.unit.value()};
}

json::value text_or_null(std::string_view text) {
  return text.empty() ? json::value(nullptr) : json::value(text);
}

// ", schedule office-hours, until 2026-12-31T00:00:00+08:00": what an access leans on.
std::string times_text(const Context& context, const policy::CatalogRule& rule) {
  std::string text;
  const auto add = [&](const Text& what, const std::string& value) {
    if (!value.empty())
      text += context.tr(", ", "，") + fmt::format("{} {}", context.tr(what), value);
  };
  add({"schedule", "时段"}, rule.schedule);
  add({"since", "始于"}, rule.not_before);
  add({"until", "止于"}, rule.expires);
  return text;
}

// The instant that all this is said of, and when it may be otherwise.
void print_instant(const Context& context, const lifecycle::Bundle& bundle, std::int64_t at,
                   Out& out) {
  const auto text = [&](std::int64_t instant) {
    return policy::instant_text(bundle.policy.utc_offsets, instant);
  };
  const auto ends = image::Moment{bundle.image, at}.ends();
  const bool has_end = ends != std::numeric_limits<std::int64_t>::max();
  out.line(context.tr(
      {fmt::format("at {}{}", text(at),
                   has_end ? fmt::format("; a schedule or a date passes at {}", text(ends)) : ""),
       fmt::format("时刻 {}{}", text(at),
                   has_end ? fmt::format("；下一次时段或日期变化在 {}", text(ends)) : "")}));
}

void print_text(const Context& context, const analysis::Names& names, const analysis::Focus& focus,
                const std::vector<analysis::Access>& all, Out& out) {
  for (const bool outgoing : {true, false}) {
    if (outgoing && focus.unit.is_none()) continue;
    out.line(outgoing ? context.tr("may reach:", "可以访问：")
                      : context.tr("may be reached by:", "可被访问："));
    bool is_empty = true;
    std::optional<Party> last;
    for (const auto& access : all) {
      if (is_outgoing(focus, access) != outgoing) continue;
      is_empty = false;
      const Party& other = outgoing ? access.to : access.from;
      if (last != other) out.line("  " + title(context, name_of(names, other)));
      last = other;
      const auto* const rule = names.rule(access.rule);
      std::string at_service;
      if (!outgoing && access.to.kind == PartyKind::kService && focus.unit.is_some()) {
        at_service = title(context, name_of(names, access.to)) + "  ";
      }
      out.line(fmt::format("    {}{}  {}", at_service, join(access.ports),
                           rule != nullptr ? fmt::format("{} ({}){}", rule->full_name, rule->where,
                                                         times_text(context, *rule))
                                           : ""));
    }
    if (is_empty) out.line(context.tr("  nothing", "  无"));
  }
}

json::object party_json(const analysis::Names& names, const Party& party) {
  const Named named = name_of(names, party);
  return {{"kind", named.kind}, {"id", named.id}, {"name", named.name}};
}

void print_json(const analysis::Names& names, const analysis::Focus& focus, std::string_view at,
                const Party& subject, const std::vector<analysis::Access>& all, Out& out) {
  json::array reaches;
  json::array reached;
  for (const auto& access : all) {
    const auto* const rule = names.rule(access.rule);
    json::array ports;
    for (const auto& port : access.ports) ports.emplace_back(port);
    json::object object{{"from", party_json(names, access.from)},
                        {"to", party_json(names, access.to)},
                        {"ports", std::move(ports)},
                        {"rule", rule != nullptr ? rule->full_name : ""},
                        {"where", rule != nullptr ? rule->where : ""},
                        {"schedule", text_or_null(rule != nullptr ? rule->schedule : "")},
                        {"not_before", text_or_null(rule != nullptr ? rule->not_before : "")},
                        {"expires", text_or_null(rule != nullptr ? rule->expires : "")}};
    (is_outgoing(focus, access) ? reaches : reached).push_back(std::move(object));
  }
  const json::object document{{"schema", "meiguan.effective/v1"},
                              {"subject", party_json(names, subject)},
                              {"at", at},
                              {"may_reach", std::move(reaches)},
                              {"reached_by", std::move(reached)}};
  out.line(json::serialize(document));
}

// A row for each access, for -o jsonl and csv.
Table to_table(const analysis::Names& names, const analysis::Focus& focus,
               const std::vector<analysis::Access>& all) {
  Table table;
  table.schema = "meiguan.effective/v1";
  table.columns = {{"direction", {"DIRECTION", "方向"}},
                   {"from_kind", {"KIND", "源类别"}},
                   {"from", {"FROM", "源"}},
                   {"to_kind", {"KIND", "目的类别"}},
                   {"to", {"TO", "目的"}},
                   {"ports", {"PORTS", "端口"}},
                   {"rule", {"RULE", "规则"}},
                   {"where", {"WHERE", "位置"}},
                   {"schedule", {"SCHEDULE", "时段"}},
                   {"not_before", {"FROM TIME", "起始"}},
                   {"expires", {"EXPIRES", "到期"}}};
  const policy::CatalogRule none;
  for (const auto& access : all) {
    const auto* const found = names.rule(access.rule);
    const policy::CatalogRule& rule = found != nullptr ? *found : none;
    const Named from = name_of(names, access.from);
    const Named to = name_of(names, access.to);
    table.rows.push_back(
        {json::value(is_outgoing(focus, access) ? "may-reach" : "reached-by"),
         json::value(from.kind), json::value(from.id), json::value(to.kind), json::value(to.id),
         json::value(join(access.ports)), json::value(rule.full_name), json::value(rule.where),
         text_or_null(rule.schedule), text_or_null(rule.not_before), text_or_null(rule.expires)});
  }
  return table;
}

int run(const Context& context, const Options& options) {
  const auto format = context.format(kRowForms, {Format::kJsonl, Format::kCsv});
  if (!format) return kBadInput;
  if (!options.effective || options.unit.empty() == options.service.empty()) {
    complain(context, {"say --effective and one of --unit ID and --service ID",
                       "请给出 --effective 以及 --unit ID 或 --service ID 之一"});
    return kBadInput;
  }
  const auto bundle = load(context, options.path, {});
  if (!bundle) return kBadInput;
  const auto at = instant_of(context, bundle->policy.utc_offsets, options.at);
  if (!at) return kBadInput;
  const auto& catalog = bundle->compiled.catalog;
  analysis::Focus focus;
  Party subject;
  if (const auto unit = find<UnitId>(catalog.units, options.unit)) {
    focus.unit = *unit;
    subject = {PartyKind::kUnit, unit->value()};
  } else if (const auto service = find<ServiceId>(catalog.services, options.service)) {
    focus.service = *service;
    subject = {PartyKind::kService, service->value()};
  } else {
    const bool is_unit = !options.unit.empty();
    const std::string& id = is_unit ? options.unit : options.service;
    complain(context, {fmt::format("the policy has no {} `{}`", is_unit ? "unit" : "service", id),
                       fmt::format("策略中没有{} `{}`", is_unit ? "单位" : "服务", id)});
    policy::Nearest nearest{id};
    for (const auto& one : catalog.units) {
      if (is_unit && one.in_use) nearest.offer(one.id);
    }
    for (const auto& one : catalog.services) {
      if (!is_unit && one.in_use) nearest.offer(one.id);
    }
    if (const Text near = nearest.hint(); !near.english.empty()) note(context, near);
    return kBadInput;
  }
  const auto all = analysis::effective_access(bundle->image, focus, *at);
  const analysis::Names names{catalog};
  Out out;
  if (*format == Format::kJsonl || *format == Format::kCsv) {
    return print(to_table(names, focus, all), context, *format, out);
  }
  if (*format == Format::kJson) {
    print_json(names, focus, policy::instant_text(bundle->policy.utc_offsets, *at), subject, all,
               out);
  } else {
    out.line(title(context, name_of(names, subject)));
    print_instant(context, *bundle, *at, out);
    print_text(context, names, focus, all, out);
  }
  return kYes;
}

}  // namespace

void add_show_command(CLI::App& policy, Context& context, Action& chosen) {
  auto* const command = policy.add_subcommand(
      "show", context.tr("say what a unit may reach, and who may reach it or a service",
                         "列出一个单位可以访问什么，以及谁可以访问它或某服务"));
  auto options = std::make_shared<Options>();
  command
      ->add_option("PATH", options->path,
                   context.tr("the policy: a directory or one file", "策略目录或单个文件"))
      ->required();
  command->add_flag("--effective", options->effective,
                    context.tr("what holds in the end, by which rules",
                               "最终生效的访问关系及其依据的规则"));
  command->add_option("--unit", options->unit, context.tr("id of a unit", "单位 id"));
  command->add_option("--service", options->service, context.tr("id of a service", "服务 id"));
  command->add_option("--at", options->at,
                      context.tr("at this instant instead of now", "以该时刻代替当前时间"));
  command->callback([&context, &chosen, options] {
    chosen = [&context, options] { return run(context, *options); };
  });
}

}  // namespace meiguan::cli
