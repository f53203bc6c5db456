#include "controlplane/analysis/matched_rules.h"

#include <fmt/format.h>

#include <algorithm>

#include "controlplane/analysis/block_search.h"
#include "controlplane/policy/message.h"

namespace meiguan::analysis {
namespace {

using policy::Action;
using policy::Phase;
using policy::Rule;
using policy::say;

class Teller {
 public:
  Teller(const policy::CheckedPolicy& policy, const image::Image& image,
         const policy::CompileTrace& trace, const image::Moment& moment)
      : policy_{policy},
        image_{image},
        trace_{trace},
        moment_{moment},
        order_{policy},
        search_{policy, order_} {}

  std::vector<MatchedRule> tell(const Explanation::Ends& ends) {
    const auto classes = fastpath::classes_of(image_, ends.subject, ends.target);
    isolation_ = fastpath::isolate(image_, ends.subject, ends.target);
    fastpath::Reason reason{};
    is_dropped_ = fastpath::drops(isolation_, reason);
    mode_ = isolation_.service() ? Mode::kService : Mode::kRules;
    column_ = classes.target % image::kBlockColumns;
    bit_ = ColumnMask{1} << column_;
    search(trace_.rows[classes.source], trace_.blocks[classes.target / image::kBlockColumns]);
    std::vector<MatchedRule> result;
    for (const std::size_t i : search_.order_in(column_)) {
      MatchedRule one;
      one.rule = order_.index(search_.position(i));
      const bool takes_part = !is_dropped_ && (search_.decides(i) & bit_) != 0;
      one.absent = is_there_[i] == 0;
      one.counts = takes_part && search_.rule(i).action == Action::kAudit;
      one.decides = takes_part && !one.counts && !is_unpublished(i);
      one.why = why(i);
      result.push_back(std::move(one));
    }
    return result;
  }

 private:
  void search(const policy::CompileTrace::Row& row, const policy::BlockColumns& block) {
    std::vector<policy::Candidate> candidates;
    for (const std::uint32_t k : row.rules) {
      const auto mask = block.rules.find(k);
      if (mask == block.rules.end() || (mask->second.any & bit_) == 0) continue;
      const bool covers = row.node.is_some() && policy_.is_within(row.node, order_.at(k).node);
      candidates.push_back({k, covers ? 1U : 0U});
      is_there_.push_back(moment_.holds(trace_.conditions[order_.index(k)]) ? 1 : 0);
    }
    search_.begin(block, candidates);
    search_.run(mode_, is_there_, bit_);
    for (std::size_t i = 0; i < search_.size(); ++i) {
      if ((search_.decides(i) & bit_) != 0 && search_.rule(i).action != Action::kAudit)
        decider_ = i;
    }
  }

  [[nodiscard]] std::string name(std::size_t i) const {
    const Rule& rule = search_.rule(i);
    return fmt::format("{} ({})", policy_.full_name(rule), policy_.where(rule.place));
  }
  [[nodiscard]] std::string node_name(const Rule& rule) const {
    const policy::Node& node = policy_.nodes[rule.node.index()];
    return node.name == node.code ? node.code : fmt::format("{} {}", node.code, node.name);
  }

  [[nodiscard]] Text why(std::size_t i) const {
    const Rule& rule = search_.rule(i);
    if (is_dropped_) {
      return say("not asked: isolation drops the packet before any rule",
                 "未询问：隔离表在规则之前已丢弃该报文");
    }
    if (is_there_[i] == 0) return not_there(rule);
    if ((search_.matched(i, mode_) & bit_) == 0) return passed_over(i, rule);
    if (rule.action == Action::kAudit) {
      if ((search_.decides(i) & bit_) != 0) {
        return say("counts and logs it; an audit never decides, the search goes on",
                   "计数并记录；审计规则不作判决，继续往下");
      }
      return earlier(i, rule);
    }
    if (i == decider_) return decides(i, rule);
    return rule.phase == Phase::kLocal ? overruled(i, rule) : earlier(i, rule);
  }

  [[nodiscard]] Text not_there(const Rule& rule) const {
    if (rule.schedule.is_none()) {
      return say("outside its dates: at this time it is as if it were not there",
                 "不在起止日期之内：此刻视同没有该规则");
    }
    return say("outside its schedule {} or its dates: at this time it is as if it were not there",
               "不在时段 {} 或起止日期之内：此刻视同没有该规则",
               policy_.schedules[rule.schedule.index()].id);
  }

  [[nodiscard]] Text passed_over(std::size_t i, const Rule& rule) const {
    if ((search_.outside(i) & bit_) != 0) {
      return say(
          "passed over: a mandatory allow applies only where both ends are in the subtree "
          "of its node {}",
          "略过：强制放行只在两端都属于其节点 {} 的子树时有效", node_name(rule));
    }
    return say(
        "passed over: isolation lets only an allow count that names the destination by "
        "`service:` or `services:`",
        "略过：隔离表要求放行规则以 `service:` 或 `services:` 点名目的服务");
  }

  // From the internet, an allow whose service is not published ends the search as isolation.
  [[nodiscard]] bool is_unpublished(std::size_t i) const {
    return search_.rule(i).action == Action::kAllow && isolation_.publish() &&
           (search_.unpublished(i) & bit_) != 0;
  }

  [[nodiscard]] Text decides(std::size_t i, const Rule& rule) const {
    if (rule.action == Action::kDeny) return say("decides: denied", "由它判决：拒绝");
    if (is_unpublished(i)) {
      return say("would allow, but the service that it names is not published: isolation drops it",
                 "本应放行，但它点名的服务未发布（publish）：由隔离表丢弃");
    }
    return say("decides: allowed", "由它判决：放行");
  }

  // What decided stands before it, in the same phase or an earlier one.
  [[nodiscard]] Text earlier(std::size_t i, const Rule& rule) const {
    if (rule.phase == Phase::kLocal) {
      if (const auto text = first_of_its_node(i, rule)) return *text;
    }
    if (!decider_) return say("not reached", "未轮到");
    return say("not reached: {} has decided before", "未轮到：{} 已先作判决", name(*decider_));
  }

  // In the local phase: the node's own first match that stands before the rule.
  [[nodiscard]] std::optional<Text> first_of_its_node(std::size_t i, const Rule& rule) const {
    if ((search_.first_of_node(i) & bit_) != 0) return std::nullopt;
    for (std::size_t j = 0; j < search_.size(); ++j) {
      const Rule& other = search_.rule(j);
      if (other.node != rule.node || other.phase != Phase::kLocal ||
          (search_.first_of_node(j) & bit_) == 0) {
        continue;
      }
      return say("not reached: {} stands before it and is the first match of node {}",
                 "未轮到：节点 {1} 先匹配到的是排在前面的 {0}", name(j), node_name(rule));
    }
    return std::nullopt;
  }

  // A local rule that matches and does not decide.
  [[nodiscard]] Text overruled(std::size_t i, const Rule& rule) const {
    if (const auto text = first_of_its_node(i, rule)) return *text;
    if (!decider_ || search_.rule(*decider_).phase != Phase::kLocal) return earlier(i, rule);
    const Rule& winner = search_.rule(*decider_);
    if (rule.action == Action::kAllow && winner.action == Action::kDeny) {
      return say("the first match of node {}, but a deny of another node wins: {}",
                 "它是节点 {} 的首个匹配，但另一节点的拒绝优先：{}", node_name(rule),
                 name(*decider_));
    }
    return say("the first match of node {}, but that of a node that comes before decides alike: {}",
               "它是节点 {} 的首个匹配，但排在前面的节点作出同样判决：{}", node_name(rule),
               name(*decider_));
  }

  const policy::CheckedPolicy& policy_;
  const image::Image& image_;
  const policy::CompileTrace& trace_;
  const image::Moment& moment_;
  policy::RuleOrder order_;
  BlockSearch search_;
  image::Isolation isolation_;
  bool is_dropped_{false};
  Mode mode_{Mode::kRules};
  std::size_t column_{0};
  ColumnMask bit_{0};
  std::vector<std::uint8_t> is_there_;  // by candidate
  std::optional<std::size_t> decider_;  // candidate
};

}  // namespace

std::vector<MatchedRule> matched_rules(const policy::CheckedPolicy& policy,
                                       const image::Image& image, const policy::CompileTrace& trace,
                                       const Explanation::Ends& ends, const image::Moment& moment) {
  return Teller{policy, image, trace, moment}.tell(ends);
}

}  // namespace meiguan::analysis
