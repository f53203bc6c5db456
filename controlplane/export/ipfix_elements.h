#pragma once

// The elements that records are made of, and the templates: one list for each kind of record. Ids
// are those of IANA's registry of IPFIX Information Elements.
//
// Chosen by what nfdump 1.7.1 and pmacct 1.7.7 read right: counters of both directions as biflows
// (RFC 5103; nfdump passes over 231, 232, 298, 299), tcpControlBits in one byte (RFC 7011 section
// 6.2) of the initiator alone, natEvent in records of its own (pmacct counts nothing of a record
// that has one), own elements from 1001 on.

#include <cstdint>
#include <span>
#include <string_view>

namespace meiguan::exporting {

inline constexpr std::uint32_t kReverseEnterprise = 29305;  // RFC 5103 section 6.1
inline constexpr std::uint16_t kVariableLength = 0xffff;
inline constexpr std::uint16_t kIpfixVersion = 10;
inline constexpr std::size_t kMessageHeaderBytes = 16;
inline constexpr std::uint16_t kTemplateSet = 2;
inline constexpr std::uint16_t kOptionsTemplateSet = 3;
inline constexpr std::uint16_t kFirstDataSet = 256;

// Our own, under the enterprise number that is configured.
enum class OwnElement : std::uint16_t {
  kUnit = 1001,
  kPeerUnit = 1002,
  kService = 1003,
  kRule = 1004,
  kReason = 1005,
  kRevision = 1006,
  kReplyTcpFlags = 1007,
};

// abstractDataType and semantics of RFC 5610 section 3.1, 3.2.
enum class DataType : std::uint8_t { kUnsigned8 = 1, kString = 13 };
enum class Semantics : std::uint8_t { kDefault = 0, kFlags = 5 };

struct OwnElementInfo {
  OwnElement id;
  DataType type;
  Semantics semantics;
  std::string_view name;
  std::string_view description;
};

inline constexpr OwnElementInfo kOwnElements[] = {
    {OwnElement::kUnit, DataType::kString, Semantics::kDefault, "meiguanUnit",
     "id of the unit that the source belongs to"},
    {OwnElement::kPeerUnit, DataType::kString, Semantics::kDefault, "meiguanPeerUnit",
     "id of the unit that the destination belongs to"},
    {OwnElement::kService, DataType::kString, Semantics::kDefault, "meiguanService",
     "id of the service at the destination"},
    {OwnElement::kRule, DataType::kString, Semantics::kDefault, "meiguanRule",
     "full name of the rule that decided"},
    {OwnElement::kReason, DataType::kString, Semantics::kDefault, "meiguanReason",
     "why it was forwarded or dropped"},
    {OwnElement::kRevision, DataType::kString, Semantics::kDefault, "meiguanRevision",
     "checksum of the policy image in force"},
    {OwnElement::kReplyTcpFlags, DataType::kUnsigned8, Semantics::kFlags, "meiguanReplyTcpFlags",
     "TCP flags of the responder, all ORed"},
};

// What a field of a record holds.
enum class Value : std::uint8_t {
  kStart,
  kEnd,
  kTime,
  kSource,
  kDestination,
  kSourcePort,
  kDestinationPort,
  kIcmpTypeCode,
  kProtocol,
  kTcpFlags,
  kReplyTcpFlags,
  kIn,
  kOut,
  kVlan,
  kPostVlan,
  kPackets,
  kBytes,
  kReplyPackets,
  kReplyBytes,
  kFlowEndReason,
  kFirewallEvent,
  kForwardingStatus,
  kVrf,
  kPostVrf,
  kTranslatedSource,
  kTranslatedDestination,
  kTranslatedSourcePort,
  kTranslatedDestinationPort,
  kNatEvent,
  kRangeStart,
  kRangeEnd,
  kUnit,
  kPeerUnit,
  kService,
  kRule,
  kReason,
  kRevision,
};

enum class Of : std::uint8_t { kIana, kReverse, kOwn };
// In which templates of its kind a field stands: not every protocol has ports.
enum class When : std::uint8_t { kAlways, kPorts, kIcmp };

struct Field {
  Value value;
  std::uint16_t id;     // of IPv4
  std::uint16_t id_v6;  // of IPv6, where that is another
  std::uint16_t bytes;  // of IPv4; addresses have 16 of IPv6
  Of of{Of::kIana};
  When when{When::kAlways};
};

enum class RecordKind : std::uint8_t { kFlow, kTranslatedFlow, kDenial, kNatSession, kPortBlock };
inline constexpr RecordKind kRecordKinds[] = {RecordKind::kFlow, RecordKind::kTranslatedFlow,
                                              RecordKind::kDenial, RecordKind::kNatSession,
                                              RecordKind::kPortBlock};

struct Shape {
  RecordKind kind{};
  bool is_v6{false};
  bool is_icmp{false};

  [[nodiscard]] constexpr std::uint16_t template_id() const noexcept {
    return static_cast<std::uint16_t>(kFirstDataSet + static_cast<unsigned>(kind) * 4U +
                                      (is_v6 ? 2U : 0U) + (is_icmp ? 1U : 0U));
  }
  [[nodiscard]] constexpr bool has(const Field& field) const noexcept {
    return field.when == When::kAlways || (field.when == When::kIcmp) == is_icmp;
  }
  [[nodiscard]] constexpr std::uint16_t id_of(const Field& field) const noexcept {
    return is_v6 ? field.id_v6 : field.id;
  }
  [[nodiscard]] constexpr std::uint16_t bytes_of(const Field& field) const noexcept {
    const bool address = field.value == Value::kSource || field.value == Value::kDestination ||
                         field.value == Value::kTranslatedSource ||
                         field.value == Value::kTranslatedDestination;
    return address && is_v6 ? std::uint16_t{16} : field.bytes;
  }
};

// In the order in which they stand in records.
[[nodiscard]] std::span<const Field> fields_of(RecordKind kind) noexcept;

// Options templates, behind all templates of records.
inline constexpr std::uint16_t kTypesTemplate = 512;        // RFC 5610
inline constexpr std::uint16_t kReliabilityTemplate = 513;  // RFC 7011 section 4.3
inline constexpr std::uint16_t kInterfacesTemplate = 514;
inline constexpr std::uint16_t kVrfsTemplate = 515;

}  // namespace meiguan::exporting
