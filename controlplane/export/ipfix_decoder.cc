#include "controlplane/export/ipfix_decoder.h"

#include <algorithm>
#include <optional>

#include "controlplane/export/ipfix_elements.h"

namespace meiguan::exporting {
namespace {

constexpr std::uint16_t kEnterpriseBit = 0x8000;
constexpr std::size_t kLongText = 255;

// Numbers in network order from bytes that may end anywhere.
class Bytes {
 public:
  explicit Bytes(std::string_view bytes) : rest_{bytes} {}

  [[nodiscard]] std::size_t left() const noexcept { return rest_.size(); }
  [[nodiscard]] std::optional<std::string_view> take(std::size_t n) {
    if (rest_.size() < n) return std::nullopt;
    const auto taken = rest_.substr(0, n);
    rest_.remove_prefix(n);
    return taken;
  }
  template <typename T>
  [[nodiscard]] std::optional<T> number() {
    const auto bytes = take(sizeof(T));
    if (!bytes) return std::nullopt;
    std::uint64_t value = 0;
    for (const char c : *bytes) value = value << 8 | static_cast<unsigned char>(c);
    return static_cast<T>(value);
  }
  [[nodiscard]] bool only_zeros() const noexcept {
    return std::ranges::all_of(rest_, [](char c) { return c == '\0'; });
  }

 private:
  std::string_view rest_;
};

std::unexpected<Error> broken(std::string english, std::string chinese) {
  return fail("IPFIX: " + std::move(english), "IPFIX：" + std::move(chinese));
}

}  // namespace

std::uint64_t DecodedField::number() const noexcept {
  if (bytes.size() > 8) return 0;
  std::uint64_t value = 0;
  for (const char c : bytes) value = value << 8 | static_cast<unsigned char>(c);
  return value;
}

const DecodedField* DecodedRecord::find(std::uint16_t id, std::uint32_t enterprise) const noexcept {
  const auto found = std::ranges::find_if(fields, [&](const DecodedField& field) {
    return field.id == id && field.enterprise == enterprise;
  });
  return found == fields.end() ? nullptr : &*found;
}

bool IpfixDecoder::take_templates(std::string_view set, std::uint32_t domain, bool is_options) {
  Bytes bytes{set};
  while (bytes.left() >= 4) {
    if (bytes.left() < 8 && bytes.only_zeros()) return true;  // padding
    const auto id = bytes.number<std::uint16_t>();
    const auto count = bytes.number<std::uint16_t>();
    if (!id || !count || *id < kFirstDataSet) return false;
    if (*count == 0) {
      templates_.erase({domain, *id});
      continue;
    }
    const auto scopes = is_options ? bytes.number<std::uint16_t>() : std::uint16_t{0};
    // RFC 7011 section 3.4.2.2: an options template has a scope.
    if (!scopes || (is_options && *scopes == 0) || *scopes > *count || *count > kMostFields) {
      return false;
    }
    Template shape;
    shape.is_options = is_options;
    for (std::size_t i = 0; i < *count; ++i) {
      const auto field = bytes.number<std::uint16_t>();
      const auto length = bytes.number<std::uint16_t>();
      // A field of no length would make records of any size from nothing.
      if (!field || !length || *length == 0) return false;
      std::optional<std::uint32_t> enterprise{0};
      if ((*field & kEnterpriseBit) != 0) enterprise = bytes.number<std::uint32_t>();
      if (!enterprise) return false;
      const auto number = static_cast<std::uint16_t>(*field & ~kEnterpriseBit);
      shape.fields.push_back({*enterprise, number, *length});
      shape.least += *length == kVariableLength ? std::size_t{1} : *length;
    }
    if (templates_.size() >= kMostTemplates && !templates_.contains({domain, *id})) return false;
    templates_[{domain, *id}] = std::move(shape);
  }
  return bytes.only_zeros();
}

bool IpfixDecoder::take_data(std::string_view set, const Template& shape, std::uint16_t id,
                             DecodedMessage& into) const {
  Bytes bytes{set};
  while (bytes.left() >= shape.least) {
    DecodedRecord record{id, shape.is_options, {}};
    for (const Field& field : shape.fields) {
      std::size_t length = field.bytes;
      if (field.bytes == kVariableLength) {
        const auto first = bytes.number<std::uint8_t>();
        if (!first) return false;
        length = *first;
        if (*first == kLongText) {
          const auto more = bytes.number<std::uint16_t>();
          if (!more) return false;
          length = *more;
        }
      }
      const auto value = bytes.take(length);
      if (!value) return false;
      record.fields.push_back({field.enterprise, field.id, std::string{*value}});
    }
    into.records.push_back(std::move(record));
  }
  return bytes.only_zeros();
}

Result<DecodedMessage> IpfixDecoder::decode(std::string_view message) {
  Bytes bytes{message};
  const auto version = bytes.number<std::uint16_t>();
  const auto length = bytes.number<std::uint16_t>();
  const auto seconds = bytes.number<std::uint32_t>();
  const auto sequence = bytes.number<std::uint32_t>();
  const auto domain = bytes.number<std::uint32_t>();
  if (!version || !length || !seconds || !sequence || !domain) {
    return broken("a message ends within its header", "报文在首部内结束");
  }
  if (*version != kIpfixVersion || *length != message.size()) {
    return broken("a header that is not of this message", "首部与报文不符");
  }
  DecodedMessage result{*seconds, *sequence, *domain, {}, 0};
  while (bytes.left() > 0) {
    const auto id = bytes.number<std::uint16_t>();
    const auto size = bytes.number<std::uint16_t>();
    if (!id || !size || *size < 4) return broken("a set without a header", "集合没有首部");
    const auto set = bytes.take(*size - 4U);
    if (!set) return broken("a set that is longer than its message", "集合超出报文");
    bool whole = true;
    if (*id == kTemplateSet || *id == kOptionsTemplateSet) {
      whole = take_templates(*set, *domain, *id == kOptionsTemplateSet);
    } else if (*id < kFirstDataSet) {
      return broken("a set of a reserved number", "集合编号为保留值");
    } else if (const auto shape = templates_.find({*domain, *id}); shape != templates_.end()) {
      whole = take_data(*set, shape->second, *id, result);
    } else {
      ++result.passed_over;
    }
    if (!whole) return broken("a set that does not hold what it should", "集合内容不符");
  }
  return result;
}

}  // namespace meiguan::exporting
