#include "controlplane/host/host_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

namespace meiguan::host {

bool Difference::only_ingress() const {
  const auto is_ingress = [](const std::string& line) {
    return line.find("chain ingress") != std::string::npos ||
           line.find("rule ingress") != std::string::npos;
  };
  return !absent && std::ranges::all_of(missing, is_ingress) &&
         std::ranges::all_of(foreign, is_ingress);
}

Text Difference::words() const {
  if (absent) return {"it was not there", "它不存在"};
  const std::size_t more = missing.size() + foreign.size() - 1;
  const bool lacks = !missing.empty();
  const std::string& first = lacks ? missing.front() : foreign.front();
  Text text{fmt::format("`{}` {}", first, lacks ? "was missing" : "did not belong there"),
            fmt::format("`{}` {}", first, lacks ? "缺失" : "不应存在")};
  if (more > 0) {
    text.english += fmt::format(", and {} more differences", more);
    text.chinese += fmt::format("，另有 {} 处不同", more);
  }
  return text;
}

Difference compare(const std::vector<std::string>& want, const std::vector<std::string>& found) {
  Difference difference;
  difference.absent = found.empty() && !want.empty();
  std::ranges::set_difference(want, found, std::back_inserter(difference.missing));
  std::ranges::set_difference(found, want, std::back_inserter(difference.foreign));
  return difference;
}

Result<Difference> check_table(Netlink& netlink, const NftTable& want) {
  const auto found = read_table(netlink, want.name);
  if (!found) return std::unexpected{found.error()};
  return compare(lines_of(want), *found);
}

}  // namespace meiguan::host
