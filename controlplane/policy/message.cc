#include "controlplane/policy/message.h"

#include "controlplane/policy/utf8.h"

namespace meiguan::policy {

std::string printable(std::string_view text) {
  constexpr std::size_t kLongest = 80;
  std::string result;
  for (std::size_t i = 0; i < text.size();) {
    if (result.size() >= kLongest) return result + "...";
    const std::size_t length = utf8_length_at(text, i);
    const auto byte = static_cast<unsigned char>(text[i]);
    if (length == 0 || byte < 0x20 || byte == 0x7f) {
      result += fmt::format("\\x{:02x}", byte);
      ++i;
    } else {
      result.append(text.substr(i, length));
      i += length;
    }
  }
  return result;
}

Text intranet_refusal() {
  return Text{"a zone of kind `intranet` does not exist: 政务内网 is physically separate",
              "没有 `intranet` 类型的区域:政务内网与本网物理隔离"};
}

}  // namespace meiguan::policy
