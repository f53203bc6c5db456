#include "controlplane/policy/import_headings.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "controlplane/policy/message.h"

namespace meiguan::policy {
namespace {

// As normalized() leaves them.
constexpr std::array<std::pair<std::string_view, ImportColumn>, 52> kHeadings{{
    {"unit", ImportColumn::kUnit},
    {"unitid", ImportColumn::kUnit},
    {"unitname", ImportColumn::kUnit},
    {"organization", ImportColumn::kUnit},
    {"单位", ImportColumn::kUnit},
    {"单位id", ImportColumn::kUnit},
    {"单位编号", ImportColumn::kUnit},
    {"单位编码", ImportColumn::kUnit},
    {"单位代码", ImportColumn::kUnit},
    {"单位标识", ImportColumn::kUnit},
    {"单位名称", ImportColumn::kUnit},
    {"所属单位", ImportColumn::kUnit},
    {"使用单位", ImportColumn::kUnit},
    {"address", ImportColumn::kAddresses},
    {"addresses", ImportColumn::kAddresses},
    {"ip", ImportColumn::kAddresses},
    {"ipaddress", ImportColumn::kAddresses},
    {"ipv4", ImportColumn::kAddresses},
    {"ipv4address", ImportColumn::kAddresses},
    {"ipv6", ImportColumn::kAddresses},
    {"ipv6address", ImportColumn::kAddresses},
    {"地址", ImportColumn::kAddresses},
    {"ip地址", ImportColumn::kAddresses},
    {"ipv4地址", ImportColumn::kAddresses},
    {"ipv6地址", ImportColumn::kAddresses},
    {"终端地址", ImportColumn::kAddresses},
    {"mac", ImportColumn::kMac},
    {"macaddress", ImportColumn::kMac},
    {"physicaladdress", ImportColumn::kMac},
    {"mac地址", ImportColumn::kMac},
    {"物理地址", ImportColumn::kMac},
    {"网卡地址", ImportColumn::kMac},
    {"name", ImportColumn::kName},
    {"user", ImportColumn::kName},
    {"username", ImportColumn::kName},
    {"owner", ImportColumn::kName},
    {"hostname", ImportColumn::kName},
    {"computer", ImportColumn::kName},
    {"computername", ImportColumn::kName},
    {"device", ImportColumn::kName},
    {"devicename", ImportColumn::kName},
    {"terminal", ImportColumn::kName},
    {"名称", ImportColumn::kName},
    {"姓名", ImportColumn::kName},
    {"使用人", ImportColumn::kName},
    {"使用者", ImportColumn::kName},
    {"责任人", ImportColumn::kName},
    {"终端名称", ImportColumn::kName},
    {"设备名称", ImportColumn::kName},
    {"主机名", ImportColumn::kName},
    {"计算机名", ImportColumn::kName},
    {"计算机名称", ImportColumn::kName},
}};

// Lower case, without what people decorate headings with: blanks, *, _, -, colons, and a remark in
// parentheses at the end.
std::string normalized(std::string_view heading) {
  for (const std::string_view open : {"(", "（"}) {
    if (const auto at = heading.find(open); at != heading.npos && at > 0) {
      heading = heading.substr(0, at);
    }
  }
  std::string result;
  for (std::size_t i = 0; i < heading.size(); ++i) {
    constexpr std::array<std::string_view, 2> kWide{"：", "\u3000"};
    const auto wide = std::ranges::find_if(kWide, [&](std::string_view one) {
      return heading.substr(i).starts_with(one);
    });
    if (wide != kWide.end()) {
      i += wide->size() - 1;
      continue;
    }
    const char c = heading[i];
    if (std::string_view{" \t\r\n*_-:."}.find(c) != std::string_view::npos) continue;
    result += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  }
  return result;
}

}  // namespace

std::expected<std::vector<ImportColumn>, ImportProblem> read_headings(const CsvRow& row) {
  std::vector<ImportColumn> columns;
  std::array<std::size_t, 5> counts{};
  for (const auto& cell : row.cells) {
    const auto known = std::ranges::find(kHeadings, normalized(cell),
                                         &std::pair<std::string_view, ImportColumn>::first);
    const auto column = known == kHeadings.end() ? ImportColumn::kUnused : known->second;
    ++counts[static_cast<std::size_t>(column)];
    if (column == ImportColumn::kMac && counts[static_cast<std::size_t>(column)] > 1) {
      return std::unexpected{
          ImportProblem{row.number, cell,
                        say("a second column of MACs: keep one", "MAC 列出现两次：请只保留一列")}};
    }
    columns.push_back(column);
  }
  const auto lacks = [&](ImportColumn column) {
    return counts[static_cast<std::size_t>(column)] == 0;
  };
  if (lacks(ImportColumn::kUnit)) {
    return std::unexpected{
        ImportProblem{row.number,
                      {},
                      say("no heading names the unit: `unit` or `单位编号` expected",
                          "表头中没有单位列：应有“单位编号”或 unit")}};
  }
  if (lacks(ImportColumn::kAddresses)) {
    return std::unexpected{
        ImportProblem{row.number,
                      {},
                      say("no heading names the address: `address` or `IP地址` expected",
                          "表头中没有地址列：应有“IP地址”或 address")}};
  }
  return columns;
}

}  // namespace meiguan::policy
