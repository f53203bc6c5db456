#pragma once

// Reads messages of IPFIX (RFC 7011) back, strictly: what our encoder writes, and nothing that is
// not well-formed. What is read is hostile. Of templates that a message withdraws or that are
// unknown nothing is read, as a collector does by UDP.

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "dataplane/base/result.h"

namespace meiguan::exporting {

struct DecodedField {
  std::uint32_t enterprise{0};  // 0: IANA's
  std::uint16_t id{0};
  std::string bytes;

  // The value in network order; 0 where it has more than eight bytes.
  [[nodiscard]] std::uint64_t number() const noexcept;
};

struct DecodedRecord {
  std::uint16_t template_id{0};
  bool is_options{false};
  std::vector<DecodedField> fields;

  // Null where the record has no such field.
  [[nodiscard]] const DecodedField* find(std::uint16_t id,
                                         std::uint32_t enterprise = 0) const noexcept;
};

struct DecodedMessage {
  std::uint32_t seconds{0};
  std::uint32_t sequence{0};
  std::uint32_t domain{0};
  std::vector<DecodedRecord> records;
  std::uint64_t passed_over{0};  // sets of a template that is not known
};

class IpfixDecoder {
 public:
  // Errors: the first thing that is wrong; templates that stand before it are kept.
  [[nodiscard]] Result<DecodedMessage> decode(std::string_view message);
  [[nodiscard]] std::size_t templates() const noexcept { return templates_.size(); }

 private:
  struct Field {
    std::uint32_t enterprise{0};
    std::uint16_t id{0};
    std::uint16_t bytes{0};
  };
  struct Template {
    bool is_options{false};
    std::vector<Field> fields;
    std::size_t least{0};  // bytes of a record
  };
  using Key = std::pair<std::uint32_t, std::uint16_t>;  // domain, id

  [[nodiscard]] bool take_templates(std::string_view set, std::uint32_t domain, bool is_options);
  [[nodiscard]] bool take_data(std::string_view set, const Template& shape, std::uint16_t id,
                               DecodedMessage& into) const;

  static constexpr std::size_t kMostTemplates = 4096;
  static constexpr std::size_t kMostFields = 1024;
  std::map<Key, Template> templates_;
};

}  // namespace meiguan::exporting
