#include "controlplane/policy/import_terminals.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <unordered_map>
#include <utility>

#include "controlplane/policy/csv.h"
#include "controlplane/policy/format_toml.h"
#include "controlplane/policy/import_headings.h"
#include "controlplane/policy/message.h"
#include "controlplane/policy/syntax.h"
#include "controlplane/policy/utf8.h"

namespace meiguan::policy {
namespace {

constexpr std::size_t kMaxNameCharacters = 256;
constexpr std::uint32_t kAmbiguous = 0xffff'ffff;

struct Row {
  std::optional<UnitId> unit;
  std::vector<net::Address> addresses;
  std::optional<net::MacAddress> mac;
  std::string name;
};

// What programs of spreadsheets take for something to compute, and what they print where that
// failed.
bool is_formula(std::string_view cell) {
  return !cell.empty() && (std::string_view{"=+-@"}.find(cell.front()) != std::string_view::npos ||
                           (cell.starts_with('#') && cell.find_first_of("!?/") != cell.npos));
}

std::vector<std::string_view> split_addresses(std::string_view cell) {
  constexpr std::string_view kMarks = " \t\r\n,;|";
  constexpr std::array<std::string_view, 4> kWide{"，", "；", "、", "\u3000"};
  std::vector<std::string_view> parts;
  std::size_t start = 0;
  const auto cut = [&](std::size_t end) {
    if (end > start) parts.push_back(cell.substr(start, end - start));
  };
  for (std::size_t i = 0; i < cell.size();) {
    std::size_t length = kMarks.find(cell[i]) != kMarks.npos ? 1 : 0;
    for (const auto wide : kWide) {
      if (cell.substr(i).starts_with(wide)) length = wide.size();
    }
    if (length > 0) {
      cut(i);
      start = i + length;
    }
    i += std::max<std::size_t>(length, 1);
  }
  cut(cell.size());
  return parts;
}

// 52-54-00-12-34-56, 5254.0012.3456 and 525400123456 are the same in other habits.
std::string mac_text(std::string_view cell) {
  std::string digits;
  for (const char c : cell) {
    if (c != '-' && c != ':' && c != '.' && c != ' ') digits += c;
  }
  if (digits.size() != 12) return std::string{cell};
  std::string text;
  for (std::size_t i = 0; i < digits.size(); i += 2) {
    text += (text.empty() ? "" : ":") + digits.substr(i, 2);
  }
  return text;
}

std::string toml_string(std::string_view text) {
  std::string result = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') result += '\\';
    result += c;
  }
  return result + '"';
}

class Importer {
 public:
  Importer(const CheckedPolicy& policy, NodeId node) : policy_{policy}, node_{node} {
    for (std::uint32_t i = 0; i < policy.units.size(); ++i) {
      const auto& unit = policy.units[i];
      ids_.emplace(unit.id, i);
      const auto [named, is_new] = names_.emplace(unit.name, i);
      if (!is_new) named->second = kAmbiguous;
    }
    for (const auto& terminal : policy.terminals) {
      for (const auto& address : terminal.addresses) {
        taken_.emplace(key(terminal.unit, address), policy.where(terminal.place));
      }
    }
  }

  std::expected<ImportedTerminals, std::vector<ImportProblem>> run(std::string_view csv,
                                                                   std::string_view source) {
    const auto rows = read_csv(csv);
    if (!rows) return refuse({rows.error().row, {}, rows.error().message});
    if (rows->empty()) return refuse({0, {}, say("the file is empty", "文件是空的")});
    headings_ = &rows->front();
    const auto columns = read_headings(*headings_);
    if (!columns) return refuse(columns.error());
    columns_ = *columns;
    std::string text = fmt::format("# 终端导入自 / terminals imported from {}\n",
                                   printable(source));
    ImportedTerminals result;
    for (std::size_t i = 1; i < rows->size(); ++i) {
      const Row row = read_row((*rows)[i]);
      if (problems_.empty()) append(row, text);
      ++result.terminals;
    }
    if (result.terminals == 0) {
      problem(0, {}, say("there is no row below the headings", "表头之下没有数据行"));
    }
    if (left_out_ > 0) {
      problems_.push_back(
          {0, {}, say("{} more problems are not shown", "另有 {} 处问题未列出", left_out_)});
    }
    if (!problems_.empty()) return std::unexpected{std::move(problems_)};
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      if (columns_[i] == ImportColumn::kUnused) result.unused.push_back(headings_->cells[i]);
    }
    auto formatted = format_toml(text);
    if (!formatted) return refuse({0, {}, formatted.error().message});
    result.toml = std::move(*formatted);
    return result;
  }

 private:
  using Key = std::pair<SpaceId, net::Address>;

  static std::unexpected<std::vector<ImportProblem>> refuse(ImportProblem problem) {
    return std::unexpected{std::vector{std::move(problem)}};
  }

  [[nodiscard]] Key key(UnitId unit, const net::Address& address) const {
    const auto zone = policy_.units[unit.index()].zone;
    return {policy_.zones[zone.index()].space, address};
  }

  void problem(std::uint32_t row, std::string column, Text message) {
    if (problems_.size() >= kMaxImportProblems) {
      ++left_out_;
    } else {
      problems_.push_back({row, std::move(column), std::move(message)});
    }
  }

  Row read_row(const CsvRow& csv) {
    Row row;
    for (std::size_t i = columns_.size(); i < csv.cells.size(); ++i) {
      if (csv.cells[i].empty()) continue;
      problem(csv.number, {},
              say("column {} has no heading: {} columns expected", "第 {} 列没有表头：应为 {} 列",
                  i + 1, columns_.size()));
      break;
    }
    read_unit(csv, row);
    bool has_address = false;  // right or wrong
    for (std::size_t i = 0; i < std::min(columns_.size(), csv.cells.size()); ++i) {
      if (csv.cells[i].empty()) continue;
      has_address |= columns_[i] == ImportColumn::kAddresses;
      read_cell(csv, i, row);
    }
    if (!has_address) problem(csv.number, {}, say("no address is given", "没有填写地址"));
    return row;
  }

  static Text formula(std::string_view cell) {
    return say("`{}` is a formula or its error, a value expected", "`{}` 是公式或公式错误，应为值",
               printable(cell));
  }

  void read_cell(const CsvRow& csv, std::size_t i, Row& row) {
    const auto& cell = csv.cells[i];
    const auto& heading = headings_->cells[i];
    const auto column = columns_[i];
    if (column == ImportColumn::kUnused || column == ImportColumn::kUnit) return;
    if (is_formula(cell)) return problem(csv.number, heading, formula(cell));
    switch (column) {
      case ImportColumn::kAddresses:
        for (const auto part : split_addresses(cell)) {
          read_address(csv.number, heading, part, row);
        }
        return;
      case ImportColumn::kMac: return read_mac(csv.number, heading, cell, row);
      case ImportColumn::kName: return read_name(csv.number, heading, cell, row);
      default: return;
    }
  }

  // The cells of all columns of units: an id decides, the rest must be its unit's id or name.
  void read_unit(const CsvRow& csv, Row& row) {
    std::optional<std::uint32_t> found;
    std::size_t decided_by = 0;
    const auto look = [&](const auto& names) {
      for (std::size_t i = 0; i < std::min(columns_.size(), csv.cells.size()) && !found; ++i) {
        if (columns_[i] != ImportColumn::kUnit) continue;
        const auto one = names.find(csv.cells[i]);
        if (one == names.end()) continue;
        found = one->second;
        decided_by = i;
      }
    };
    look(ids_);
    if (!found) look(names_);
    bool given = false;
    for (std::size_t i = 0; i < std::min(columns_.size(), csv.cells.size()); ++i) {
      const auto& cell = csv.cells[i];
      if (columns_[i] != ImportColumn::kUnit || cell.empty()) continue;
      given = true;
      const auto& heading = headings_->cells[i];
      if (is_formula(cell)) {
        problem(csv.number, heading, formula(cell));
      } else if (!found || !(ids_.contains(cell) || names_.contains(cell))) {
        problem(csv.number, heading,
                say("the policy has no unit `{}`", "策略中没有单位 `{}`", printable(cell)));
      } else if (*found == kAmbiguous) {
        problem(csv.number, heading,
                say("several units are called `{}`: give the unit's id",
                    "有多个单位名为 `{}`：请填写单位编号", printable(cell)));
      } else if (const auto& unit = policy_.units[*found];
                 i != decided_by && cell != unit.id && cell != unit.name) {
        problem(csv.number, heading,
                say("`{}` is not unit {}, which the row names as well",
                    "`{}` 不是本行所填的单位 {}", printable(cell), unit.id));
      }
    }
    if (!given) problem(csv.number, {}, say("no unit is given", "没有填写单位"));
    if (!found || *found == kAmbiguous) return;
    row.unit = UnitId{*found};
    const auto& unit = policy_.units[*found];
    if (node_.is_none() || policy_.is_within(unit.node, node_)) return;
    problem(csv.number, headings_->cells[decided_by],
            say("unit `{}` is at node {}, which is not within {}",
                "单位 `{}` 属于节点 {}，不在节点 {} 之内", unit.id,
                policy_.nodes[unit.node.index()].code, policy_.nodes[node_.index()].code));
  }

  void read_address(std::uint32_t number, const std::string& heading, std::string_view text,
                    Row& row) {
    const auto address = parse_one_address(text);
    if (!address) return problem(number, heading, address.error().message);
    if (!row.unit) return;  // reported already
    const auto& unit = policy_.units[row.unit->index()];
    const bool inside = std::ranges::any_of(unit.prefixes, [&](const net::Prefix& prefix) {
      return prefix.contains(*address);
    });
    const auto shown = net::to_string(*address);
    if (!inside) {
      return problem(number, heading,
                     say("{} is not within the prefixes of unit {}", "{} 不在单位 {} 的前缀内",
                         shown, unit.id));
    }
    const auto [other, is_new] = taken_.emplace(key(*row.unit, *address),
                                                fmt::format("{}", number));
    if (is_new) {
      row.addresses.push_back(*address);
      return;
    }
    const bool in_policy = other->second.find(':') != std::string::npos;
    problem(number, heading,
            in_policy
                ? say("{} is a terminal's already, at {}", "{} 已登记，见 {}", shown, other->second)
                : say("{} is in row {} as well", "{} 与第 {} 行重复", shown, other->second));
  }

  void read_mac(std::uint32_t number, const std::string& heading, const std::string& cell,
                Row& row) {
    const auto mac = parse_station_mac(mac_text(cell));
    if (!mac) return problem(number, heading, mac.error().message);
    row.mac = *mac;
  }

  void read_name(std::uint32_t number, const std::string& heading, const std::string& cell,
                 Row& row) {
    if (has_control(cell) || count_characters(cell) > kMaxNameCharacters) {
      return problem(number, heading,
                     say("`{}` is not one line of {} characters or less",
                         "`{}` 应为一行、不超过 {} 个字符", printable(cell), kMaxNameCharacters));
    }
    row.name += (row.name.empty() ? "" : " ") + cell;
  }

  void append(const Row& row, std::string& text) const {
    text += fmt::format("\n[[terminal]]\nunit = \"{}\"\naddresses = [",
                        policy_.units[row.unit->index()].id);
    for (std::size_t i = 0; i < row.addresses.size(); ++i) {
      text += fmt::format("{}\"{}\"", i == 0 ? "" : ", ", net::to_string(row.addresses[i]));
    }
    text += "]\n";
    if (row.mac) text += fmt::format("mac = \"{}\"\n", net::to_string(*row.mac));
    if (!row.name.empty()) text += fmt::format("name = {}\n", toml_string(row.name));
  }

  const CheckedPolicy& policy_;
  NodeId node_;
  std::unordered_map<std::string, std::uint32_t> ids_;
  std::unordered_map<std::string, std::uint32_t> names_;
  std::map<Key, std::string> taken_;  // the place in the policy, or the row
  const CsvRow* headings_{nullptr};
  std::vector<ImportColumn> columns_;
  std::vector<ImportProblem> problems_;
  std::size_t left_out_{0};
};

}  // namespace

std::expected<ImportedTerminals, std::vector<ImportProblem>> import_terminals(
    std::string_view csv, const CheckedPolicy& policy, NodeId node, std::string_view source) {
  return Importer{policy, node}.run(csv, source);
}

}  // namespace meiguan::policy
