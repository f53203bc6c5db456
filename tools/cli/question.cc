#include "tools/cli/question.h"

#include <fmt/format.h>

#include <ctime>
#include <tuple>

#include "controlplane/analysis/names.h"
#include "controlplane/policy/instant_text.h"

namespace meiguan::cli {
namespace {

// What stands at an address only behind a gateway's translations; nothing where none is there.
std::optional<Text> describe_outside(const policy::CheckedPolicy& policy,
                                     const analysis::Destination& to) {
  const std::string where = analysis::to_string(to);
  for (const policy::Publish& publish : policy.publishes) {
    const policy::PortMatch& match = publish.address.match;
    const bool meant = match.any_protocol ||
                       (match.protocol == to.protocol.number && match.first <= to.protocol.value &&
                        to.protocol.value <= match.last);
    if (!publish.address.prefix.contains(to.address) || !meant) continue;
    const std::string& service = policy.services[publish.service.index()].id;
    const std::string& node = policy.nodes[publish.node.index()].code;
    return Text{fmt::format("{} is where {} publishes service {}, and translations are a "
                            "gateway's: give its file with --gateway, or ask about an endpoint of "
                            "the service",
                            where, node, service),
                fmt::format("{} 是 {} 发布服务 {} 的公网地址，地址转换由网关进行：请用 --gateway "
                            "给出网关文件，或改问该服务的端点",
                            where, node, service)};
  }
  for (const policy::Translate& translate : policy.translates) {
    if (!translate.outside.contains(to.address)) continue;
    const std::string inside = net::to_string(translate.inside);
    return Text{fmt::format("{} stands for {} of zone {}, and translations are a gateway's: give "
                            "its file with --gateway, or ask about the inside address",
                            where, inside, policy.zones[translate.zone.index()].id),
                fmt::format("{} 代表区域 {} 的 {}，地址转换由网关进行：请用 --gateway "
                            "给出网关文件，或改问内部地址",
                            where, policy.zones[translate.zone.index()].id, inside)};
  }
  return std::nullopt;
}

}  // namespace

std::expected<analysis::Question, QuestionError> read_question(const QuestionText& text,
                                                               const lifecycle::Bundle& bundle) {
  const auto refuse = [](std::string key, Text message) {
    return std::unexpected{QuestionError{std::move(key), std::move(message)}};
  };
  analysis::Question question;
  std::string_view from{text.from};
  if (from.starts_with('[') && from.ends_with(']')) from = from.substr(1, from.size() - 2);
  const auto source = net::parse_address(from);
  if (!source) {
    return refuse("from", {fmt::format("`{}` is not an address", text.from),
                           fmt::format("`{}` 不是地址", text.from)});
  }
  question.from = *source;
  const auto destination = analysis::parse_destination(text.to);
  if (!destination) return refuse("to", destination.error().message);
  question.to = *destination;
  if (!bundle.gateway && text.to_zone.empty()) {
    if (const auto outside = describe_outside(bundle.policy, question.to)) {
      return refuse("to", *outside);
    }
  }
  const analysis::Names names{bundle.compiled.catalog};
  for (const auto& [key, name, zone] :
       {std::tuple{"from_zone", &text.from_zone, &question.from_zone},
        std::tuple{"to_zone", &text.to_zone, &question.to_zone}}) {
    if (name->empty()) continue;
    *zone = names.find_zone(*name);
    if (!*zone) {
      return refuse(key, {fmt::format("the policy has no zone `{}`", *name),
                          fmt::format("策略中没有区域 `{}`", *name)});
    }
  }
  if (!text.in.empty()) {
    if (!bundle.gateway) {
      return refuse("in", {"needs a gateway file: ports are the gateway's",
                           "需要网关文件：端口属于网关"});
    }
    question.in = names.find_port(text.in);
    if (!question.in) {
      return refuse("in", {fmt::format("the gateway has no port `{}`", text.in),
                           fmt::format("网关没有端口 `{}`", text.in)});
    }
  }
  question.at = std::time(nullptr);
  if (!text.at.empty()) {
    const auto at = policy::parse_instant(bundle.policy.utc_offsets, text.at);
    if (!at || *at < 0) {
      return refuse("at", {fmt::format("`{}` is no time since 1970: 2026-10-01, 2026-10-01T08:30 "
                                       "or 2026-10-01T08:30:00+08:00 expected",
                                       text.at),
                           fmt::format("`{}` 不是 1970 年以来的时间：应形如 2026-10-01、"
                                       "2026-10-01T08:30 或 2026-10-01T08:30:00+08:00",
                                       text.at)});
    }
    question.at = *at;
  }
  return question;
}

}  // namespace meiguan::cli
