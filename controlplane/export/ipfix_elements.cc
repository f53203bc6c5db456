#include "controlplane/export/ipfix_elements.h"

namespace meiguan::exporting {
namespace {

constexpr Field plain(Value value, std::uint16_t id, std::uint16_t bytes,
                      When when = When::kAlways) {
  return {value, id, id, bytes, Of::kIana, when};
}

constexpr Field own(Value value, OwnElement id, std::uint16_t bytes = kVariableLength) {
  const auto number = static_cast<std::uint16_t>(id);
  return {value, number, number, bytes, Of::kOwn, When::kAlways};
}

constexpr Field kSource{Value::kSource, 8, 27, 4};
constexpr Field kDestination{Value::kDestination, 12, 28, 4};
constexpr Field kIcmpTypeCode{Value::kIcmpTypeCode, 32, 139, 2, Of::kIana, When::kIcmp};
constexpr Field kTranslatedSource{Value::kTranslatedSource, 225, 281, 4};
constexpr Field kTranslatedDestination{Value::kTranslatedDestination, 226, 282, 4};

#define MEIGUAN_FLOW_FIELDS                                                                   \
  plain(Value::kStart, 152, 8), plain(Value::kEnd, 153, 8), kSource, kDestination,            \
      plain(Value::kSourcePort, 7, 2, When::kPorts),                                          \
      plain(Value::kDestinationPort, 11, 2, When::kPorts), kIcmpTypeCode,                     \
      plain(Value::kProtocol, 4, 1), plain(Value::kTcpFlags, 6, 1), plain(Value::kIn, 10, 4), \
      plain(Value::kOut, 14, 4), plain(Value::kVlan, 58, 2), plain(Value::kPostVlan, 59, 2),  \
      plain(Value::kPackets, 2, 8), plain(Value::kBytes, 1, 8),                               \
      Field{Value::kReplyPackets, 2, 2, 8, Of::kReverse},                                     \
      Field{Value::kReplyBytes, 1, 1, 8, Of::kReverse}, plain(Value::kFlowEndReason, 136, 1), \
      plain(Value::kFirewallEvent, 233, 1), plain(Value::kForwardingStatus, 89, 1),           \
      plain(Value::kVrf, 234, 4), plain(Value::kPostVrf, 235, 4)

#define MEIGUAN_OWN_FIELDS                                                                         \
  own(Value::kReplyTcpFlags, OwnElement::kReplyTcpFlags, 1), own(Value::kUnit, OwnElement::kUnit), \
      own(Value::kPeerUnit, OwnElement::kPeerUnit), own(Value::kService, OwnElement::kService),    \
      own(Value::kRule, OwnElement::kRule), own(Value::kReason, OwnElement::kReason),              \
      own(Value::kRevision, OwnElement::kRevision)

constexpr Field kFlow[] = {MEIGUAN_FLOW_FIELDS, MEIGUAN_OWN_FIELDS};
constexpr Field kTranslatedFlow[] = {MEIGUAN_FLOW_FIELDS,
                                     kTranslatedSource,
                                     kTranslatedDestination,
                                     plain(Value::kTranslatedSourcePort, 227, 2, When::kPorts),
                                     plain(Value::kTranslatedDestinationPort, 228, 2, When::kPorts),
                                     MEIGUAN_OWN_FIELDS};
#undef MEIGUAN_FLOW_FIELDS
#undef MEIGUAN_OWN_FIELDS

// What was dropped is no traffic: 132, 133 and not 1, 2, so that nobody adds it up as such.
constexpr Field kDenial[] = {plain(Value::kStart, 152, 8),
                             plain(Value::kEnd, 153, 8),
                             kSource,
                             kDestination,
                             plain(Value::kSourcePort, 7, 2, When::kPorts),
                             plain(Value::kDestinationPort, 11, 2, When::kPorts),
                             kIcmpTypeCode,
                             plain(Value::kProtocol, 4, 1),
                             plain(Value::kIn, 10, 4),
                             plain(Value::kVlan, 58, 2),
                             plain(Value::kPackets, 133, 8),
                             plain(Value::kBytes, 132, 8),
                             plain(Value::kFirewallEvent, 233, 1),
                             plain(Value::kForwardingStatus, 89, 1),
                             plain(Value::kVrf, 234, 4),
                             own(Value::kUnit, OwnElement::kUnit),
                             own(Value::kPeerUnit, OwnElement::kPeerUnit),
                             own(Value::kService, OwnElement::kService),
                             own(Value::kRule, OwnElement::kRule),
                             own(Value::kReason, OwnElement::kReason),
                             own(Value::kRevision, OwnElement::kRevision)};

// RFC 8158 section 5.6.1; of ICMP the ports are the query's identifiers.
constexpr Field kNatSession[] = {plain(Value::kTime, 323, 8),
                                 plain(Value::kNatEvent, 230, 1),
                                 kSource,
                                 kTranslatedSource,
                                 plain(Value::kProtocol, 4, 1),
                                 plain(Value::kSourcePort, 7, 2),
                                 plain(Value::kTranslatedSourcePort, 227, 2),
                                 kDestination,
                                 kTranslatedDestination,
                                 plain(Value::kDestinationPort, 11, 2, When::kPorts),
                                 plain(Value::kTranslatedDestinationPort, 228, 2, When::kPorts),
                                 plain(Value::kVrf, 234, 4),
                                 own(Value::kUnit, OwnElement::kUnit)};

// RFC 8158 section 5.6.5.
constexpr Field kPortBlock[] = {
    plain(Value::kTime, 323, 8), plain(Value::kNatEvent, 230, 1),   kSource,
    kTranslatedSource,           plain(Value::kRangeStart, 361, 2), plain(Value::kRangeEnd, 362, 2),
    plain(Value::kVrf, 234, 4)};

}  // namespace

std::span<const Field> fields_of(RecordKind kind) noexcept {
  switch (kind) {
    case RecordKind::kFlow: return kFlow;
    case RecordKind::kTranslatedFlow: return kTranslatedFlow;
    case RecordKind::kDenial: return kDenial;
    case RecordKind::kNatSession: return kNatSession;
    case RecordKind::kPortBlock: return kPortBlock;
  }
  return {};
}

}  // namespace meiguan::exporting
