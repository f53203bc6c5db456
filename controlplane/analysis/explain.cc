#include "controlplane/analysis/explain.h"

#include <fmt/format.h>

#include "controlplane/analysis/explain_words.h"
#include "dataplane/net/wire.h"

namespace meiguan::analysis {

Text describe_unit(const Names& names, UnitId unit) {
  const auto* const found = names.unit(unit);
  if (found == nullptr) return {"no unit", "不属于任何单位"};
  if (found->name == found->id) {
    return {fmt::format("unit {}", found->id), fmt::format("单位 {}", found->id)};
  }
  return {fmt::format("unit {} ({})", found->id, found->name),
          fmt::format("单位 {}（{}）", found->id, found->name)};
}

Text describe_target(const Names& names, UnitId unit, ServiceId service) {
  Text text = describe_unit(names, unit);
  const auto* const found = names.service(service);
  if (found == nullptr) {
    text.english += ", no service";
    text.chinese += "，没有服务";
  } else if (found->name == found->id) {
    text.english += fmt::format(", service {}", found->id);
    text.chinese += fmt::format("，服务 {}", found->id);
  } else {
    text.english += fmt::format(", service {} ({})", found->id, found->name);
    text.chinese += fmt::format("，服务 {}（{}）", found->id, found->name);
  }
  return text;
}

std::optional<Text> describe_helper(const image::Image& image, ServiceId service,
                                    std::uint8_t protocol) {
  if (service.is_none()) return std::nullopt;
  const image::Helper helper = image.services()[service.index()].helper;
  if (helper == image::Helper::kSip && protocol == net::protocol::kUdp) {
    return Text{
        "sip: audio and video that calls over this flow negotiate between the same two ends are "
        "let through with it until the call is over, whatever the rules say of their ports",
        "sip：同两端之间经此流协商出的音视频在通话结束前随之放行，不再按端口查规则"};
  }
  if (helper != image::Helper::kFtp || protocol != net::protocol::kTcp) return std::nullopt;
  return Text{
      "ftp: data connections that this one negotiates between the same two ends are let "
      "through with it, whatever the rules say of their ports",
      "ftp：该连接在同两端之间协商出的数据连接随之放行，不再按端口查规则"};
}

Text describe_isolation(image::Isolation isolation, const Text& between) {
  Text text = between;
  const auto add = [&](const char* english, const char* chinese) {
    text.english += english;
    text.chinese += chinese;
  };
  if (isolation.dropped()) {
    // Where the table asks for a translation and there is none, that is said.
    if (isolation.egress()) {
      add(": only by an [[egress]] of the packet's family of addresses, and none covers the source",
          "：须有相应地址族的 [[egress]]，而没有出口覆盖该源地址");
    } else if ((isolation.bits & image::Isolation::kTranslateFrom) != 0) {
      add(": between address spaces only by a [[translate]], and none covers the source",
          "：跨地址空间须有 [[translate]]，而没有转换覆盖该源地址");
    } else if ((isolation.bits & image::Isolation::kTranslateTo) != 0) {
      add(": between address spaces only by a [[translate]], and the packet was not sent to an "
          "`outside` of one",
          "：跨地址空间须有 [[translate]]，而报文不是发往其 `outside` 地址");
    } else if (isolation.publish()) {
      add(": the service has a [[publish]]: from the internet it is reached by its public address "
          "only",
          "：该服务设有 [[publish]]：从互联网只能经其公网地址访问");
    } else {
      add(": isolated, whatever the rules say", "：相互隔离，任何规则不能解除");
    }
    return text;
  }
  if (isolation.service()) {
    add(": only an allow that names the service counts", "：只有点名服务的放行规则有效");
    if (isolation.publish()) add(", and the service must be published", "，且服务须已发布");
  } else {
    add(": the rules decide", "：由规则决定");
  }
  if (isolation.egress())
    add("; by an [[egress]] that covers the source", "；经覆盖源地址的 [[egress]]");
  if ((isolation.bits & (image::Isolation::kTranslateFrom | image::Isolation::kTranslateTo)) != 0) {
    add("; by a [[translate]]", "；经 [[translate]]");
  }
  return text;
}

Text describe_rules(const Names& names, const image::Moment& moment,
                    const fastpath::Access& access) {
  Text text;
  for (const auto& audit : access.audits) {
    if (!moment.holds(audit.condition)) continue;
    text.english += fmt::format("counted by {}; ", names.rule_name(RuleId{audit.rule}));
    text.chinese += fmt::format("经 {} 计数；", names.rule_name(RuleId{audit.rule}));
  }
  const auto* const rule = names.rule(access.decision.rule);
  if (rule == nullptr) {
    text.english += "no rule matches: denied by default";
    text.chinese += "没有规则匹配：默认拒绝";
    return text;
  }
  const bool allowed = rule->action == "allow";
  text.english += fmt::format("{} rule {} ({}) {}", rule->phase, rule->full_name, rule->where,
                              allowed ? "allows it" : "denies it");
  const std::string_view phase = rule->phase == "mandatory"  ? "强制"
                                 : rule->phase == "baseline" ? "兜底"
                                                             : "本级";
  text.chinese += fmt::format("{}规则 {}（{}）{}", phase, rule->full_name, rule->where,
                              allowed ? "放行" : "拒绝");
  if (!rule->schedule.empty()) {
    text.english += fmt::format("; it is there by schedule {}", rule->schedule);
    text.chinese += fmt::format("；按时间表 {} 生效", rule->schedule);
  }
  if (!rule->not_before.empty()) {
    text.english += fmt::format("; it is there from {} on", rule->not_before);
    text.chinese += fmt::format("；自 {} 起生效", rule->not_before);
  }
  if (!rule->expires.empty()) {
    text.english += fmt::format("; it expires at {}", rule->expires);
    text.chinese += fmt::format("；至 {} 失效", rule->expires);
  }
  for (const std::string* const note : {&rule->comment, &rule->ticket}) {
    if (note->empty()) continue;
    text.english += fmt::format("; {}", *note);
    text.chinese += fmt::format("；{}", *note);
  }
  return text;
}

Result<Explanation> explain(const image::Image& image, const policy::Catalog& catalog,
                            const Question& question) {
  if (question.from.family() != question.to.address.family()) {
    return fail("the two ends are of different address families", "两端的地址族不同");
  }
  const Names names{catalog};
  return image.meta().has_gateway != 0 ? explain_at_gateway(image, names, question)
                                       : explain_by_objects(image, names, question);
}

}  // namespace meiguan::analysis
