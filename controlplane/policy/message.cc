#include "controlplane/policy/message.h"

#include <algorithm>

#include "controlplane/policy/utf8.h"

namespace meiguan::policy {

namespace {

std::string escaped(std::string_view text, std::size_t longest) {
  std::string result;
  for (std::size_t i = 0; i < text.size();) {
    if (result.size() >= longest) return result + "...";
    const std::size_t length = utf8_length_at(text, i);
    const std::size_t control = length == 0 ? 1 : control_length_at(text, i);
    for (std::size_t k = 0; k < control; ++k) {
      result += fmt::format("\\x{:02x}", static_cast<unsigned char>(text[i + k]));
    }
    if (control == 0) result.append(text.substr(i, length));
    i += std::max(control, length);
  }
  return result;
}

}  // namespace

std::string one_line(std::string_view text) { return escaped(text, std::string::npos); }

std::string printable(std::string_view text) {
  constexpr std::size_t kLongest = 80;
  return escaped(text, kLongest);
}

Text intranet_refusal() {
  return Text{"a zone of kind `intranet` does not exist: 政务内网 is physically separate",
              "没有 `intranet` 类型的区域：政务内网与本网物理隔离"};
}

}  // namespace meiguan::policy
