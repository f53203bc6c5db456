#include "controlplane/export/ipfix_encoder.h"

#include <algorithm>
#include <array>

#include "controlplane/analysis/names.h"
#include "dataplane/fastpath/reason.h"

namespace meiguan::exporting {
namespace {

using fastpath::Event;
using fastpath::EventKind;
using fastpath::FlowEnd;

constexpr std::size_t kSetHeaderBytes = 4;
constexpr std::size_t kMaxText = 254;  // so that one byte says its length (RFC 7011 section 7)
constexpr std::uint16_t kEnterpriseBit = 0x8000;
constexpr std::uint8_t kIcmp = 1;
constexpr std::uint8_t kIcmp6 = 58;

// IANA's values.
enum FirewallEvent : std::uint8_t { kDeleted = 2, kDenied = 3, kUpdated = 5 };
enum ForwardingStatus : std::uint8_t { kForwarded = 64, kDropped = 128, kDroppedByAcl = 130 };
enum NatEvent : std::uint8_t {
  kNat44SessionCreate = 4,
  kNat44SessionDelete = 5,
  kPortBlockTaken = 16,
  kPortBlockReturned = 17,
};
enum EndReason : std::uint8_t { kIdle = 1, kActive = 2, kEndDetected = 3, kForced = 4 };

// The `width` low bytes, in network order.
void put(std::string& out, std::uint64_t value, std::size_t width) {
  for (std::size_t i = width; i-- > 0;) out += static_cast<char>(value >> (8 * i) & 0xff);
}

void put_text(std::string& out, std::string_view text) {
  if (text.size() > kMaxText) {
    std::size_t end = kMaxText;
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
    text = text.substr(0, end);
  }
  put(out, text.size(), 1);
  out += text;
}

void put_address(std::string& out, const net::Address& address, std::size_t width) {
  const auto& all = address.bytes();
  for (std::size_t i = all.size() - width; i < all.size(); ++i) out += static_cast<char>(all[i]);
}

std::uint8_t end_reason(const Event& event) {
  if (event.kind != EventKind::kFlowEnd) return kActive;
  switch (event.end) {
    case FlowEnd::kIdle: return kIdle;
    case FlowEnd::kClosed:
    case FlowEnd::kReset: return kEndDetected;
    case FlowEnd::kRevoked:
    case FlowEnd::kShutdown:
    case FlowEnd::kBlocked:
    case FlowEnd::kNone: break;
  }
  return kForced;
}

std::uint8_t firewall_event(const Event& event) {
  if (event.kind == EventKind::kDenial) return kDenied;
  return event.kind == EventKind::kFlowEnd ? kDeleted : kUpdated;
}

std::uint8_t forwarding_status(const Event& event) {
  if (event.kind != EventKind::kDenial) return kForwarded;
  const bool by_rule = event.reason == fastpath::Reason::kDenied ||
                       event.reason == fastpath::Reason::kDefaultDeny;
  return by_rule ? kDroppedByAcl : kDropped;
}

std::uint8_t nat_event(const Event& event) {
  switch (event.kind) {
    case EventKind::kFlowStart: return kNat44SessionCreate;
    case EventKind::kBlockTaken: return kPortBlockTaken;
    case EventKind::kBlockReturned: return kPortBlockReturned;
    default: return kNat44SessionDelete;
  }
}

// Port numbers from 1: 0 says that there is none.
std::uint32_t interface_of(PortId port) { return port.is_none() ? 0U : port.value() + 1U; }

class Fields {
 public:
  explicit Fields(const Record& record) : record_{record}, names_{record.names.get()} {}

  void put_into(std::string& out, const Field& field, std::size_t width) const {
    const Event& event = record_.event;
    const bool is_block = event.kind == EventKind::kBlockTaken ||
                          event.kind == EventKind::kBlockReturned;
    switch (field.value) {
      case Value::kSource: return put_address(out, event.source, width);
      case Value::kDestination: return put_address(out, event.destination, width);
      case Value::kTranslatedSource:
        return put_address(out, is_block ? event.destination : event.translated_source, width);
      case Value::kTranslatedDestination:
        return put_address(out, event.translated_destination, width);
      case Value::kUnit:
      case Value::kPeerUnit:
      case Value::kService:
      case Value::kRule:
      case Value::kReason:
      case Value::kRevision: return put_text(out, text_of(field.value));
      default: return put(out, number_of(field.value), width);
    }
  }

 private:
  [[nodiscard]] std::string_view text_of(Value value) const {
    const Event& event = record_.event;
    if (value == Value::kReason) {
      // A flow's event has no reason of its own: it was allowed.
      const auto reason = event.kind == EventKind::kDenial ? event.reason
                                                           : fastpath::Reason::kAllowed;
      const auto* const info = fastpath::find_reason(reason);
      return info != nullptr ? info->name : std::string_view{};
    }
    if (names_ == nullptr) return {};
    const analysis::Names names{names_->catalog};
    switch (value) {
      case Value::kUnit: return names.unit_id(event.unit);
      case Value::kPeerUnit: return names.unit_id(event.to_unit);
      case Value::kService: return names.service_id(event.service);
      case Value::kRule: return names.rule_name(event.rule);
      default: return names_->revision;
    }
  }

  [[nodiscard]] Names::Port port(PortId id) const {
    if (names_ == nullptr || id.index() >= names_->ports.size()) return {};
    return names_->ports[id.index()];
  }

  [[nodiscard]] std::uint64_t number_of(Value value) const {
    const Event& event = record_.event;
    switch (value) {
      case Value::kStart: return static_cast<std::uint64_t>(record_.start_ms);
      case Value::kEnd:
      case Value::kTime: return static_cast<std::uint64_t>(record_.at_ms);
      case Value::kSourcePort:
      case Value::kRangeStart: return event.source_port;
      case Value::kDestinationPort:
      case Value::kIcmpTypeCode:
      case Value::kRangeEnd: return event.destination_port;
      case Value::kProtocol: return event.protocol;
      case Value::kTcpFlags: return event.tcp_flags >> 8;
      case Value::kReplyTcpFlags: return event.tcp_flags & 0xff;
      case Value::kIn: return interface_of(event.in_port);
      case Value::kOut: return interface_of(event.out_port);
      case Value::kVlan: return port(event.in_port).vlan;
      case Value::kPostVlan: return port(event.out_port).vlan;
      case Value::kPackets: return record_.more[0];
      case Value::kBytes: return record_.more[1];
      case Value::kReplyPackets: return record_.more[2];
      case Value::kReplyBytes: return record_.more[3];
      case Value::kFlowEndReason: return end_reason(event);
      case Value::kFirewallEvent: return firewall_event(event);
      case Value::kForwardingStatus: return forwarding_status(event);
      case Value::kVrf: return event.space.is_none() ? 0U : event.space.value();
      case Value::kPostVrf: return port(event.out_port).vrf;
      case Value::kTranslatedSourcePort: return event.translated_source_port;
      case Value::kTranslatedDestinationPort: return event.translated_destination_port;
      case Value::kNatEvent: return nat_event(event);
      default: return 0;
    }
  }

  const Record& record_;
  const Names* names_;
};

Piece data_piece(const Record& record, RecordKind kind) {
  const Event& event = record.event;
  const bool has_icmp = kind != RecordKind::kPortBlock;
  const Shape shape{kind, event.source.family() == net::Family::kIpv6,
                    has_icmp && (event.protocol == kIcmp || event.protocol == kIcmp6)};
  Piece piece{shape.template_id(), {}};
  const Fields fields{record};
  for (const Field& field : fields_of(kind)) {
    if (shape.has(field)) fields.put_into(piece.bytes, field, shape.bytes_of(field));
  }
  return piece;
}

void put_field(std::string& out, std::uint16_t id, std::uint16_t bytes, std::uint32_t enterprise) {
  put(out, enterprise != 0 ? id | kEnterpriseBit : id, 2);
  put(out, bytes, 2);
  if (enterprise != 0) put(out, enterprise, 4);
}

Piece template_piece(const Shape& shape, std::uint32_t enterprise) {
  std::string fields;
  std::uint16_t count = 0;
  for (const Field& field : fields_of(shape.kind)) {
    if (!shape.has(field)) continue;
    const std::uint32_t of = field.of == Of::kOwn       ? enterprise
                             : field.of == Of::kReverse ? kReverseEnterprise
                                                        : 0;
    put_field(fields, shape.id_of(field), shape.bytes_of(field), of);
    ++count;
  }
  Piece piece{kTemplateSet, {}};
  put(piece.bytes, shape.template_id(), 2);
  put(piece.bytes, count, 2);
  piece.bytes += fields;
  return piece;
}

struct OptionField {
  std::uint16_t id;
  std::uint16_t bytes;
};

Piece options_template(std::uint16_t id, std::uint16_t scopes,
                       std::initializer_list<OptionField> fields) {
  Piece piece{kOptionsTemplateSet, {}};
  put(piece.bytes, id, 2);
  put(piece.bytes, fields.size(), 2);
  put(piece.bytes, scopes, 2);
  for (const auto& field : fields) put_field(piece.bytes, field.id, field.bytes, 0);
  return piece;
}

Piece named(std::uint16_t set, std::uint32_t number, std::string_view name) {
  Piece piece{set, {}};
  put(piece.bytes, number, 4);
  put_text(piece.bytes, name);
  return piece;
}

}  // namespace

std::vector<Piece> data_of(const Record& record) {
  const Event& event = record.event;
  const bool translated = event.translated_source != net::Address{};
  // RFC 8158 has no event for a prefix that stands for another (RFC 6296).
  const bool session = translated && event.source.family() == net::Family::kIpv4;
  std::vector<Piece> pieces;
  switch (event.kind) {
    case EventKind::kFlowStart:
      if (session) pieces.push_back(data_piece(record, RecordKind::kNatSession));
      break;
    case EventKind::kFlowEnd:
      if (session) pieces.push_back(data_piece(record, RecordKind::kNatSession));
      [[fallthrough]];
    case EventKind::kFlowPeriodic:
      pieces.push_back(
          data_piece(record, translated ? RecordKind::kTranslatedFlow : RecordKind::kFlow));
      break;
    case EventKind::kDenial: pieces.push_back(data_piece(record, RecordKind::kDenial)); break;
    case EventKind::kBlockTaken:
    case EventKind::kBlockReturned:
      pieces.push_back(data_piece(record, RecordKind::kPortBlock));
      break;
    case EventKind::kPacket:
    case EventKind::kAudit:
    case EventKind::kAttack: break;
  }
  return pieces;
}

std::vector<Piece> templates_of(std::uint32_t enterprise) {
  std::vector<Piece> pieces;
  for (const RecordKind kind : kRecordKinds) {
    for (const bool is_v6 : {false, true}) {
      for (const bool is_icmp : {false, true}) {
        if (is_icmp && kind == RecordKind::kPortBlock) continue;
        if (is_v6 && kind == RecordKind::kNatSession) continue;
        pieces.push_back(template_piece({kind, is_v6, is_icmp}, enterprise));
      }
    }
  }
  pieces.push_back(options_template(
      kTypesTemplate, 2,
      {{346, 4}, {303, 2}, {339, 1}, {344, 1}, {341, kVariableLength}, {340, kVariableLength}}));
  pieces.push_back(options_template(kReliabilityTemplate, 1,
                                    {{144, 4}, {165, 8}, {166, 8}, {167, 8}, {152, 8}, {153, 8}}));
  pieces.push_back(options_template(kInterfacesTemplate, 1, {{10, 4}, {82, kVariableLength}}));
  pieces.push_back(options_template(kVrfsTemplate, 1, {{234, 4}, {236, kVariableLength}}));
  return pieces;
}

std::vector<Piece> options_of(std::uint32_t enterprise, const Names* names) {
  std::vector<Piece> pieces;
  for (const auto& element : kOwnElements) {
    Piece piece{kTypesTemplate, {}};
    put(piece.bytes, enterprise, 4);
    put(piece.bytes, static_cast<std::uint16_t>(element.id), 2);
    put(piece.bytes, static_cast<std::uint8_t>(element.type), 1);
    put(piece.bytes, static_cast<std::uint8_t>(element.semantics), 1);
    put_text(piece.bytes, element.name);
    put_text(piece.bytes, element.description);
    pieces.push_back(std::move(piece));
  }
  if (names == nullptr) return pieces;
  for (std::size_t i = 0; i < names->catalog.ports.size(); ++i) {
    pieces.push_back(named(kInterfacesTemplate, static_cast<std::uint32_t>(i + 1),
                           names->catalog.ports[i].name));
  }
  for (std::size_t i = 0; i < names->spaces.size(); ++i) {
    pieces.push_back(named(kVrfsTemplate, static_cast<std::uint32_t>(i),
                           names->spaces[i].empty() ? "shared" : names->spaces[i]));
  }
  return pieces;
}

Piece reliability_of(const NotSent& lost) {
  Piece piece{kReliabilityTemplate, {}};
  put(piece.bytes, 1, 4);
  put(piece.bytes, lost.records, 8);
  put(piece.bytes, lost.packets, 8);
  put(piece.bytes, lost.bytes, 8);
  put(piece.bytes, static_cast<std::uint64_t>(lost.first_ms), 8);
  put(piece.bytes, static_cast<std::uint64_t>(lost.last_ms), 8);
  return piece;
}

Message::Message(std::size_t limit, std::uint32_t domain)
    : bytes_(kMessageHeaderBytes, '\0'),
      limit_{std::min<std::size_t>(limit, 65'535)},
      domain_{domain} {}

bool Message::add(const Piece& piece) {
  const bool opens = set_ != piece.set || set_at_ == 0;
  if (bytes_.size() + (opens ? kSetHeaderBytes : 0) + piece.bytes.size() > limit_) return false;
  if (opens) {
    set_ = piece.set;
    set_at_ = bytes_.size();
    put(bytes_, piece.set, 2);
    put(bytes_, 0, 2);
  }
  bytes_ += piece.bytes;
  const std::size_t length = bytes_.size() - set_at_;
  bytes_[set_at_ + 2] = static_cast<char>(length >> 8);
  bytes_[set_at_ + 3] = static_cast<char>(length & 0xff);
  if (piece.is_data()) ++data_records_;
  return true;
}

std::string_view Message::finish(std::uint32_t seconds, std::uint32_t sequence) {
  std::string header;
  put(header, kIpfixVersion, 2);
  put(header, bytes_.size(), 2);
  put(header, seconds, 4);
  put(header, sequence, 4);
  put(header, domain_, 4);
  std::ranges::copy(header, bytes_.begin());
  return bytes_;
}

}  // namespace meiguan::exporting
