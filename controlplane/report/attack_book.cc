#include "controlplane/report/attack_book.h"

#include <algorithm>

namespace meiguan::report {
namespace {

// Floods are told of every second; a scan that pauses for its detector's minute is the same one.
constexpr std::chrono::seconds kFloodQuiet{10};
constexpr std::chrono::seconds kScanQuiet{90};

bool same(const Attack& attack, const fastpath::Event& event, bool by_target) {
  return attack.type == event.attack && attack.space == event.space &&
         (by_target ? attack.destination == event.destination : attack.source == event.source);
}

}  // namespace

bool Attack::goes_on(WallTime now) const noexcept {
  const auto* const info = fastpath::find_attack(type);
  const bool flood = info != nullptr && info->by_target;
  return now - last <= (flood ? kFloodQuiet : kScanQuiet);
}

void AttackBook::take(const fastpath::Event& event, WallTime at) {
  const auto* const info = fastpath::find_attack(event.attack);
  if (info == nullptr) return;
  auto found = std::ranges::find_if(attacks_, [&](const Attack& attack) {
    return attack.goes_on(at) && same(attack, event, info->by_target);
  });
  if (found == attacks_.end()) {
    if (attacks_.size() == kKept) {
      attacks_.erase(std::ranges::min_element(attacks_, {}, &Attack::last));
      ++forgotten_;
    }
    attacks_.emplace_back();
    found = attacks_.end() - 1;
    found->type = event.attack;
    found->space = event.space;
    found->first = at;
  }
  found->source = event.source;
  found->destination = event.destination;
  found->protocol = event.protocol;
  found->destination_port = event.destination_port;
  found->in = event.in_port;
  found->unit = event.unit;
  found->to_unit = event.to_unit;
  found->service = event.service;
  found->packets += event.packets;
  found->distinct = std::max(found->distinct, event.reply_packets);
  found->last = at;
}

std::vector<Attack> AttackBook::list() const {
  auto sorted = attacks_;
  std::ranges::stable_sort(sorted, std::ranges::greater{}, &Attack::last);
  return sorted;
}

void AttackBook::clear() {
  attacks_.clear();
  forgotten_ = 0;
}

}  // namespace meiguan::report
