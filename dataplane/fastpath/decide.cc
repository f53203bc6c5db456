#include "dataplane/fastpath/decide.h"

namespace meiguan::fastpath {
namespace {

using image::Image;
using image::Isolation;
using image::RuleAction;

// Inlined into both ways to ask: each new flow pays for it.
[[gnu::always_inline]] inline ClassPair find_classes(const Image& image, const Subject& subject,
                                                     const Target& target) noexcept {
  const std::uint32_t columns = image.meta().zone_columns;
  const std::uint32_t by_objects_column = columns - 1;
  const image::TargetRecord& record = image.targets()[target.number];
  std::uint32_t column = by_objects_column;
  if (target.out_zone.is_some()) {
    column = target.out_zone.value();
  } else if (record.zone_set == image::kNoZoneSet) {
    column = target.assumed_zone.value();
  }
  const std::uint32_t source_class =
      image.source_classes()[std::size_t{subject.atom.source_group} * columns +
                             subject.in_zone.value()];
  const std::uint32_t target_class =
      image.target_classes()[std::size_t{target.number} * columns + column];
  return {source_class, target_class};
}

[[gnu::always_inline]] inline image::Cell find_cell(const Image& image, const Subject& subject,
                                                    const Target& target) noexcept {
  const ClassPair classes = find_classes(image, subject, target);
  return image.cell(classes.source, classes.target);
}

// What an outcome means where isolation lets the packet by.
[[gnu::always_inline]] inline void take(const Image& image, const image::OutcomeRecord& outcome,
                                        Access& access) noexcept {
  const std::size_t mode = access.isolation.service() ? 1 : 0;
  access.audits = image.audit_rules().subspan(outcome.first_audit[mode], outcome.audits[mode]);
  switch (static_cast<RuleAction>(outcome.action[mode])) {
    case RuleAction::kAllow:
      if (access.isolation.publish() && outcome.published == 0) {
        access.decision.reason = Reason::kInternetIsolated;
        return;
      }
      access.decision.reason = Reason::kAllowed;
      break;
    case RuleAction::kDeny: access.decision.reason = Reason::kDenied; break;
    case RuleAction::kDefaultDeny: return;
  }
  access.decision.rule = RuleId{outcome.rule[mode]};
}

}  // namespace

Subject find_subject(const Image& image, SpaceId space, const net::Address& source,
                     ZoneId in_zone) noexcept {
  Subject subject;
  subject.atom = image.atom_at(space, source);
  subject.in_zone = in_zone;
  subject.unit = UnitId{subject.atom.unit};
  if (image.has_egress() && in_zone.is_some()) {
    const image::SourceEgress by = image.egress_of(subject.atom.source_group, in_zone.value());
    subject.egress = source.family() == net::Family::kIpv4 ? by.v4 : by.v6;
  }
  return subject;
}

Target find_target(const Image& image, SpaceId space, const net::Address& destination,
                   Protocol protocol, ZoneId out_zone) noexcept {
  const image::Atom& atom = image.atom_at(space, destination);
  Target target;
  target.unit = UnitId{atom.unit};
  target.number = image.target_at(atom, protocol.number, protocol.value);
  target.service = ServiceId{image.targets()[target.number].service};
  target.out_zone = out_zone;
  target.has_translate = atom.translated != 0;
  return target;
}

Reason admit(const Image& image, const Subject& subject, SpaceId space, const net::Address& source,
             const net::MacAddress* mac) noexcept {
  if (subject.unit.is_none()) {
    return image.zones()[subject.in_zone.index()].drop_unregistered != 0 ? Reason::kUnitUnknown
                                                                         : Reason::kAllowed;
  }
  if (image.units()[subject.unit.index()].admission == image::Admission::kOpen) {
    return Reason::kAllowed;
  }
  const image::TerminalSlot* terminal = image.terminal_at(space, source);
  if (terminal == nullptr || terminal->unit != subject.unit.value()) {
    return Reason::kTerminalUnknown;
  }
  if (mac != nullptr && terminal->has_mac != 0 && terminal->mac != *mac) {
    return Reason::kTerminalMac;
  }
  return Reason::kAllowed;
}

namespace {

// An answer of the table with what it asks for looked up.
Isolation resolve(Isolation answer, const image::TargetRecord& record, const Subject& subject,
                  const Target& target) noexcept {
  if (answer.bits == 0 || answer.dropped()) return answer;
  const bool straight = target.out_zone.is_some() && !target.translated;
  if (answer.egress() && subject.egress == image::kNoEgress) {
    answer.bits |= Isolation::kInternetIsolated;
  }
  if (answer.publish() && record.by_publish != 0 && straight) {
    answer.bits |= Isolation::kInternetIsolated;
  }
  if ((answer.bits & Isolation::kTranslateFrom) != 0 && subject.atom.translated == 0) {
    answer.bits |= Isolation::kZoneIsolated;
  }
  if ((answer.bits & Isolation::kTranslateTo) != 0 && (!target.has_translate || straight)) {
    answer.bits |= Isolation::kZoneIsolated;
  }
  return answer;
}

}  // namespace

Isolation isolate(const Image& image, const Subject& subject, const Target& target) noexcept {
  const image::TargetRecord& record = image.targets()[target.number];
  const ZoneId from = subject.unit.is_some() ? ZoneId{image.units()[subject.unit.index()].zone}
                                             : subject.in_zone;
  // The port's zone where the destination has no object; without a gateway, the one assumed.
  const ZoneId port_zone = target.out_zone.is_some() ? target.out_zone : target.assumed_zone;
  const Isolation by_objects = resolve(record.zone_set != image::kNoZoneSet
                                           ? image.object_isolation(from, record.zone_set)
                                           : image.port_isolation(from, port_zone),
                                       record, subject, target);
  if (target.out_zone.is_none()) return by_objects;
  const Isolation by_ports = resolve(image.port_isolation(subject.in_zone, target.out_zone), record,
                                     subject, target);
  // Where both answers drop, the reason is that of the ports.
  if (by_ports.dropped()) return by_ports;
  if (by_objects.dropped()) return by_objects;
  return Isolation{static_cast<std::uint8_t>(by_ports.bits | by_objects.bits)};
}

bool drops(Isolation isolation, Reason& reason) noexcept {
  if (!isolation.dropped()) return false;
  reason = (isolation.bits & Isolation::kInternetIsolated) != 0 ? Reason::kInternetIsolated
                                                                : Reason::kZoneIsolated;
  return true;
}

ClassPair classes_of(const Image& image, const Subject& subject, const Target& target) noexcept {
  return find_classes(image, subject, target);
}

image::Cell cell_of(const Image& image, const Subject& subject, const Target& target) noexcept {
  return find_cell(image, subject, target);
}

Access decide(const Image& image, const image::Moment& moment, const Subject& subject,
              const Target& target) noexcept {
  Access access;
  access.isolation = isolate(image, subject, target);
  if (drops(access.isolation, access.decision.reason)) return access;
  take(image, image.outcome(find_cell(image, subject, target), moment), access);
  return access;
}

Access decide(const Image& image, Isolation isolation,
              const image::OutcomeRecord& outcome) noexcept {
  Access access;
  access.isolation = isolation;
  if (!drops(isolation, access.decision.reason)) take(image, outcome, access);
  return access;
}

}  // namespace meiguan::fastpath
