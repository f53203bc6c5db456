// Reader of the gateway file: [gateway], [[port]], [[route]], [[neighbour]]; [limits] is read by
// read_limits.cc.

#include <algorithm>
#include <array>

#include "controlplane/policy/check_gateway.h"
#include "controlplane/policy/message.h"
#include "controlplane/policy/read_policy.h"
#include "controlplane/policy/suggest.h"
#include "controlplane/policy/syntax.h"
#include "controlplane/policy/toml_document.h"
#include "dataplane/image/format.h"

namespace meiguan::policy {
namespace {

constexpr std::int64_t kMaxWorkers = 64;
constexpr std::size_t kMaxPortName = 31;   // image::PortRecord holds 32 with the end
constexpr std::size_t kMaxDevice = 215;    // image::PortRecord holds 216 with the end
constexpr std::size_t kMaxInterface = 15;  // IFNAMSIZ of Linux without the end

constexpr std::array<std::pair<std::string_view, DeviceKind>, 5> kDevices{
    {{"af_xdp", DeviceKind::kAfXdp},
     {"af_packet", DeviceKind::kAfPacket},
     {"tap", DeviceKind::kTap},
     {"pci", DeviceKind::kPci},
     {"vdev", DeviceKind::kVdev}}};

bool is_hex(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

bool is_printable_ascii(char c) { return c > 0x20 && c < 0x7f; }

}  // namespace

bool is_interface_name(std::string_view name) {
  return !name.empty() && name.size() <= kMaxInterface && name != "." && name != ".." &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return is_printable_ascii(c) && c != '/' && c != ':' && c != ',';
         });
}

namespace {

// 0000:04:00.0 or 04:00.0
bool is_pci_address(std::string_view text) {
  constexpr std::string_view kForm = "hhhh:hh:hh.d";
  const std::string_view form = text.size() == kForm.size() ? kForm : kForm.substr(5);
  if (text.size() != form.size()) return false;
  for (std::size_t i = 0; i < form.size(); ++i) {
    const bool fits = form[i] == 'h'   ? is_hex(text[i])
                      : form[i] == 'd' ? text[i] >= '0' && text[i] <= '7'
                                       : text[i] == form[i];
    if (!fits) return false;
  }
  return true;
}

bool is_device(DeviceKind kind, std::string_view name) {
  switch (kind) {
    case DeviceKind::kAfXdp:
    case DeviceKind::kAfPacket:
    case DeviceKind::kTap: return is_interface_name(name);
    case DeviceKind::kPci: return is_pci_address(name);
    case DeviceKind::kVdev:
      return !name.empty() && name.size() <= kMaxDevice && name.front() != ',' &&
             std::none_of(name.begin(), name.end(), [](char c) {
               const auto byte = static_cast<unsigned char>(c);
               return byte < 0x20 || byte == 0x7f;
             });
  }
  return false;
}

void read_device(const Word& word, DraftPort& draft, Reporter& reporter) {
  GatewayPort& port = draft.port;
  const std::string_view text = word.text;
  const std::size_t colon = text.find(':');
  const auto kind = std::find_if(kDevices.begin(), kDevices.end(), [&](const auto& device) {
    return colon != text.npos && device.first == text.substr(0, colon);
  });
  if (kind != kDevices.end()) {
    port.device_kind = kind->second;
    port.device = text.substr(colon + 1);
    if (is_device(kind->second, port.device)) {
      draft.device_place = word.place;
      return;
    }
  } else {
    // Whatever it is, it was meant as a main port.
    port.device_kind = DeviceKind::kVdev;
  }
  std::array<std::string_view, kDevices.size()> names;
  std::transform(kDevices.begin(), kDevices.end(), names.begin(),
                 [](const auto& device) { return device.first; });
  reporter.error(
      word.place,
      say("`{}` is no device, af_xdp:IF, af_packet:IF, tap:IF, pci:ADDRESS or vdev:NAME,ARGS "
          "expected",
          "`{}` 不是设备，应为 af_xdp:接口、af_packet:接口、tap:接口、pci:地址 或 vdev:名称,参数",
          printable(text)),
      kind == kDevices.end() ? near_hint(text.substr(0, colon), names) : Text{});
}

void read_port_name(TableView& table, DraftPort& draft, Reporter& reporter) {
  draft.name_place = table.place();
  const auto name = table.required_word("name");
  if (!name) return;
  draft.name_place = name->place;
  draft.port.name = name->text;
  const bool ok = !name->text.empty() && name->text.size() <= kMaxPortName &&
                  std::all_of(name->text.begin(), name->text.end(), [](char c) {
                    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                           (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
                  });
  if (ok) return;
  reporter.error(name->place, say("port name `{}` is not 1 to {} of a-z, A-Z, 0-9, ., _ and -",
                                  "端口名 `{}` 应为 1 至 {} 个 a-z、A-Z、0-9、.、_ 或 -",
                                  printable(name->text), kMaxPortName));
}

void read_addresses(TableView& table, DraftPort& draft, Reporter& reporter) {
  for (const Word& word : table.words("addresses")) {
    auto address = parse_interface_address(word.text);
    if (!address) {
      report(reporter, word.place, std::move(address.error()));
      draft.has_bad_address = true;
      continue;
    }
    draft.port.addresses.push_back(*address);
    draft.address_places.push_back(word.place);
  }
}

std::optional<net::MacAddress> read_mac(const std::optional<Word>& word, Reporter& reporter) {
  if (!word) return std::nullopt;
  auto mac = parse_station_mac(word->text);
  if (mac) return *mac;
  report(reporter, word->place, std::move(mac.error()));
  return std::nullopt;
}

// A port has a device, or a parent and a VLAN id; never both.
void check_main_or_sub(TableView& table, const DraftPort& draft, Reporter& reporter) {
  const bool has_device = draft.port.device_kind.has_value();
  const bool has_parent = draft.parent.has_value();
  const bool has_vlan = draft.vlan.has_value();
  if (has_device && (has_parent || has_vlan)) {
    const std::string_view key = has_parent ? "parent" : "vlan";
    reporter.error(table.key_place(key),
                   say("`{}` stands together with `device`, a port has one of them",
                       "`{}` 与 `device` 同时出现，端口只能有其一", key));
  } else if (!has_device && !has_parent && !has_vlan) {
    reporter.error(
        table.place(),
        say("[[port]] has neither `device` nor `parent` with `vlan`, one of them expected",
            "[[port]] 缺少 `device`，或 `parent` 与 `vlan`"));
  } else if (!has_device && has_parent != has_vlan) {
    reporter.error(table.place(),
                   say("[[port]] has `{}` without `{}`, a sub-port has both",
                       "[[port]] 有 `{}` 而缺少 `{}`，子端口须两者都有",
                       has_parent ? "parent" : "vlan", has_parent ? "vlan" : "parent"));
  }
}

void read_gateway_table(TableView& table, GatewayDraft& draft, Reporter& reporter) {
  draft.gateway_place = table.place();
  draft.node = table.required_word("node");
  read_routes_source(table, draft, reporter);
  const auto workers = table.integer("workers");
  if (!workers) return;
  if (workers->value >= 1 && workers->value <= kMaxWorkers) {
    draft.workers = static_cast<std::uint16_t>(workers->value);
  } else {
    reporter.error(workers->place,
                   say("`workers` is {}, 1 to {} expected", "`workers` 为 {}，应为 1 至 {}",
                       workers->value, kMaxWorkers));
  }
}

void read_port(TableView& table, GatewayDraft& gateway, Reporter& reporter) {
  DraftPort draft;
  GatewayPort& port = draft.port;
  port.place = table.place();
  read_port_name(table, draft, reporter);
  const bool has_bad_device = table.find("device") != nullptr &&
                              table.find("device")->kind != TomlKind::kString;
  if (const auto device = table.word("device")) read_device(*device, draft, reporter);
  if (has_bad_device) port.device_kind = DeviceKind::kVdev;
  draft.parent = table.word("parent");
  draft.vlan = table.integer("vlan");
  check_main_or_sub(table, draft, reporter);
  draft.zone = table.required_word("zone");
  read_addresses(table, draft, reporter);
  port.mac = read_mac(table.word("mac"), reporter);
  if (port.mac && !port.device_kind) {
    reporter.error(table.key_place("mac"), say("a sub-port has its parent's `mac`, none of its own",
                                               "子端口使用父端口的 `mac`，不能另行指定"));
  }
  draft.mtu = table.integer("mtu");
  constexpr std::array<std::pair<std::string_view, AntiSpoof>, 3> kAntiSpoof{
      {{"strict", AntiSpoof::kStrict}, {"loose", AntiSpoof::kLoose}, {"off", AntiSpoof::kOff}}};
  port.anti_spoof = choose(table.word("anti_spoof"), "anti_spoof", kAntiSpoof, reporter)
                        .value_or(AntiSpoof::kStrict);
  read_tap(table, draft, reporter);
  gateway.ports.push_back(std::move(draft));
}

void read_route(TableView& table, GatewayDraft& gateway, Reporter& reporter) {
  DraftRoute draft;
  draft.route.place = table.place();
  if (const auto prefix = table.required_word("prefix")) {
    draft.prefix_place = prefix->place;
    if (auto parsed = parse_prefix(prefix->text)) {
      draft.has_prefix = true;
      draft.route.prefix = *parsed;
    } else {
      report(reporter, prefix->place, std::move(parsed.error()));
    }
  }
  const TomlValue* via_value = table.find("via");
  if (const auto via = table.word("via")) {
    draft.via_place = via->place;
    if (auto address = parse_one_address(via->text)) {
      draft.route.via = *address;
    } else {
      report(reporter, via->place, std::move(address.error()));
    }
  }
  draft.has_bad_via = via_value != nullptr && !draft.route.via;
  draft.port = table.word("port");
  draft.space = table.word("space");
  if (via_value == nullptr && table.find("port") == nullptr) {
    reporter.error(table.place(),
                   say("[[route]] has neither `via` nor `port`, one of them expected",
                       "[[route]] 缺少 `via` 或 `port`"));
  }
  gateway.routes.push_back(std::move(draft));
}

void read_neighbour(TableView& table, GatewayDraft& gateway, Reporter& reporter) {
  DraftNeighbour draft;
  draft.neighbour.place = table.place();
  if (const auto address = table.required_word("address")) {
    draft.address_place = address->place;
    if (auto parsed = parse_one_address(address->text)) {
      draft.has_address = true;
      draft.neighbour.address = *parsed;
    } else {
      report(reporter, address->place, std::move(parsed.error()));
    }
  }
  if (const auto mac = read_mac(table.required_word("mac"), reporter)) draft.neighbour.mac = *mac;
  draft.port = table.word("port");
  gateway.neighbours.push_back(std::move(draft));
}

struct GatewayTable {
  std::string_view name;
  std::string_view title;
  bool is_list;
  void (*read)(TableView&, GatewayDraft&, Reporter&);
};

constexpr std::array<GatewayTable, 6> kTables{{{"gateway", "[gateway]", false, read_gateway_table},
                                               {"port", "[[port]]", true, read_port},
                                               {"route", "[[route]]", true, read_route},
                                               {"neighbour", "[[neighbour]]", true, read_neighbour},
                                               {"local", "[[local]]", true, read_local},
                                               {"limits", "[limits]", false, read_gateway_limits}}};

}  // namespace

GatewayDraft read_gateway(const SourceFile& file, Reporter& reporter) {
  GatewayDraft draft;
  for_each_table(0, file.text, reporter, [&](const TomlTable& table) {
    const auto kind = std::find_if(kTables.begin(), kTables.end(), [&](const GatewayTable& known) {
      return known.name == table.name;
    });
    if (kind == kTables.end()) {
      Nearest nearest(table.name);
      for (const GatewayTable& known : kTables) nearest.offer(known.name);
      reporter.error(table.place, say("unknown table `{}`", "未知的表 `{}`", printable(table.name)),
                     nearest.hint());
      return;
    }
    if (table.is_array != kind->is_list) {
      reporter.error(table.place,
                     say("`{}` is written {}", "`{}` 应写作 {}", kind->name, kind->title));
    }
    TableView view(kind->title, table.place, table.members, reporter);
    kind->read(view, draft, reporter);
    view.finish();
  });
  return draft;
}

}  // namespace meiguan::policy
