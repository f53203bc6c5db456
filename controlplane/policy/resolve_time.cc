// The schedule of a rule, and its dates as instants of the policy's clock.

#include "controlplane/policy/check_policy.h"
#include "controlplane/policy/message.h"
#include "controlplane/policy/tz_file.h"
#include "controlplane/policy/wall_clock.h"

namespace meiguan::policy {
namespace {

void resolve_schedule(Checking& checking, const Word& word, Rule& rule) {
  const auto index = checking.schedules.resolve(word.text, word.place, checking.reporter);
  if (!index) return;
  const Schedule& schedule = checking.policy.schedules[*index];
  if (!checking.is_within(rule.node, schedule.node)) {
    const auto& nodes = checking.policy.nodes;
    checking.reporter.error(
        word.place, say("schedule `{}` stands at node {}, which is neither node {} nor above it",
                        "时段 `{}` 位于节点 {}，既不是节点 {} 也不是其上级", schedule.id,
                        printable(nodes[schedule.node.index()].code),
                        printable(nodes[rule.node.index()].code)));
    return;
  }
  rule.schedule = ScheduleId{*index};
}

// Of a date the day's start, or its end.
enum class Edge { kStart, kEnd };

std::int64_t instant(Checking& checking, const DraftMoment& moment, Edge edge) {
  if (moment.offset_seconds) return moment.local - *moment.offset_seconds;
  const bool is_end_of_day = moment.is_date && edge == Edge::kEnd;
  const std::int64_t found = instant_of(checking.policy.utc_offsets,
                                        moment.local + (is_end_of_day ? image::kSecondsOfDay : 0));
  check_known(checking, found, moment.place);
  return found;
}

}  // namespace

// What the policy's clock will show by then is not known: that is said, and nothing guessed.
void check_known(Checking& checking, std::int64_t instant, const Place& place) {
  const auto& known_until = checking.draft.clock.known_until;
  if (!known_until || instant < *known_until) return;
  checking.reporter.error(
      place,
      say("the clock of {} is worked out up to the end of {} only, an earlier day expected",
          "{} 的时钟只推算到 {} 年底，应为更早的日期", checking.policy.timezone, kLastClockYear));
}

void resolve_times(Checking& checking, const DraftRule& draft, Rule& rule) {
  if (draft.schedule) resolve_schedule(checking, *draft.schedule, rule);
  if (draft.not_before) {
    rule.not_before = instant(checking, *draft.not_before, Edge::kStart);
  }
  if (draft.expires) rule.expires = instant(checking, *draft.expires, Edge::kEnd);
  if (!rule.not_before || !rule.expires || *rule.expires >= *rule.not_before) return;
  checking.reporter.error(draft.expires->place,
                          say("`expires` is before `not_before`, the rule would never be there",
                              "`expires` 早于 `not_before`，该规则永远不会生效"));
}

}  // namespace meiguan::policy
