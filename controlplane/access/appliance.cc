#include "controlplane/access/appliance.h"

#include <grp.h>
#include <netinet/in.h>
#include <pwd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <set>
#include <utility>

#include "controlplane/access/appliance_export.h"
#include "controlplane/access/appliance_read.h"
#include "controlplane/policy/message.h"
#include "controlplane/policy/reporter.h"
#include "controlplane/policy/source.h"
#include "controlplane/policy/suggest.h"
#include "controlplane/policy/syntax.h"
#include "controlplane/policy/table_view.h"
#include "controlplane/policy/toml_document.h"

namespace meiguan::access {
namespace {

using policy::Reporter;
using policy::say;
using policy::TableView;
using policy::Word;

template <typename Id>
std::optional<id_t> number_of(const std::string& text) {
  Id id = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return id;
}

std::optional<id_t> group_of(const std::string& name) {
  if (const auto number = number_of<gid_t>(name)) return number;
  std::array<char, 16384> room{};
  struct group entry {};
  struct group* found = nullptr;
  if (::getgrnam_r(name.c_str(), &entry, room.data(), room.size(), &found) == 0 && found) {
    return found->gr_gid;
  }
  return std::nullopt;
}

}  // namespace

std::optional<id_t> user_of(const std::string& name) {
  if (const auto number = number_of<uid_t>(name)) return number;
  std::array<char, 16384> room{};
  struct passwd entry {};
  struct passwd* found = nullptr;
  if (::getpwnam_r(name.c_str(), &entry, room.data(), room.size(), &found) == 0 && found) {
    return found->pw_uid;
  }
  return std::nullopt;
}

std::uint64_t read_number(TableView& table, std::string_view key, std::int64_t least,
                          std::int64_t most, std::uint64_t otherwise, Reporter& reporter) {
  const auto value = table.integer(key);
  if (!value) return otherwise;
  if (value->value >= least && value->value <= most)
    return static_cast<std::uint64_t>(value->value);
  reporter.error(value->place, say("`{}` is {}, {} to {} expected", "`{}` 为 {}，应为 {} 至 {}",
                                   key, value->value, least, most));
  return otherwise;
}

namespace {

// "wang", "1001", "@netadmin" for a group.
std::vector<Holder> holders(TableView& table, std::string_view key, Reporter& reporter) {
  std::vector<Holder> result;
  for (const Word& word : table.required_words(key, TableView::Empty::kRefused)) {
    const bool is_group = word.text.starts_with('@');
    const auto name = is_group ? word.text.substr(1) : word.text;
    const auto id = is_group ? group_of(name) : user_of(name);
    if (!id) {
      reporter.error(word.place,
                     say("this system knows no {} `{}`", "本机没有{} `{}`",
                         std::string{is_group ? "group" : "user"}, policy::printable(name)));
      continue;
    }
    result.push_back({is_group, *id, word.text});
  }
  return result;
}

void read_trust(TableView& table, Reading& reading, Reporter& reporter) {
  auto& trust = reading.appliance.trust;
  trust.required = table.boolean("required").value_or(true);
  trust.signatures = static_cast<std::uint32_t>(
      read_number(table, "signatures", 1, 8, 1, reporter));
  reading.appliance.two_persons = table.boolean("two_persons").value_or(false);
}

bool is_directory_of_a_tree(std::string_view at) {
  for (std::size_t from = 0; !at.empty() && from <= at.size();) {
    const auto end = std::min(at.find('/', from), at.size());
    if (end == from || at[from] == '.') return false;
    from = end + 1;
  }
  return true;
}

void read_signer(TableView& table, Reading& reading, Reporter& reporter) {
  const auto name = table.required_word("name");
  const auto key = table.required_word("key");
  const auto node = table.required_word("node");
  const auto at = table.required_word("at");
  std::optional<std::int64_t> until;
  constexpr std::array kDates{policy::TomlKind::kDate};
  if (const auto* const date = table.value("until", kDates)) until = (date->integer + 1) * 86'400;
  if (!name || !key || !node || !at) return;
  if (name->text.empty() || !reading.signer_names.insert(name->text).second) {
    reporter.error(name->place, say("a signer's name is not empty and stands once",
                                    "签署者名称不能为空，且不得重复"));
  }
  if (!is_directory_of_a_tree(at->text)) {
    reporter.error(at->place, say("`at` is the directory of the node in the whole tree, without a "
                                  "slash at either end; \"\" is the top",
                                  "`at` 为该节点在全树中的目录，两端不带斜杠；\"\" 表示顶层"));
  }
  auto loaded = crypto::PublicKey::load(reading.directory / key->text);
  if (!loaded) {
    reporter.error(key->place, loaded.error().message);
    return;
  }
  reading.appliance.trust.signers.push_back(
      {name->text, std::move(*loaded), node->text, at->text, until});
}

void read_roles(TableView& table, Reading& reading, Reporter& reporter) {
  auto& roles = reading.appliance.roles;
  roles.configured = true;
  roles.system = holders(table, "system", reporter);
  roles.security = holders(table, "security", reporter);
  roles.audit = holders(table, "audit", reporter);
  if (const auto group = table.required_word("socket_group")) {
    const auto id = group_of(group->text);
    if (id) {
      roles.socket_group = static_cast<gid_t>(*id);
    } else {
      reporter.error(group->place, say("this system knows no group `{}`", "本机没有用户组 `{}`",
                                       policy::printable(group->text)));
    }
  }
  roles.lock_after = static_cast<std::uint32_t>(
      read_number(table, "lock_after", 1, 100, 5, reporter));
  roles.lock_minutes = static_cast<std::uint32_t>(
      read_number(table, "lock_minutes", 1, 1440, 10, reporter));
  // Users can be compared here; whoever is in the groups of two roles is refused when he asks.
  const std::array lists{&roles.system, &roles.security, &roles.audit};
  for (std::size_t a = 0; a < lists.size(); ++a) {
    for (std::size_t b = a + 1; b < lists.size(); ++b) {
      for (const auto& one : *lists[a]) {
        const bool both = std::ranges::any_of(*lists[b], [&](const Holder& other) {
          return other.is_group == one.is_group && other.id == one.id;
        });
        if (!both) continue;
        reporter.error(table.place(),
                       say("`{}` has two roles, one expected", "`{}` 身兼两个角色，只能有一个",
                           policy::printable(one.name)));
      }
    }
  }
}

void read_audit(TableView& table, Reading& reading, Reporter& reporter) {
  auto& audit = reading.appliance.audit;
  if (const auto hash = table.word("hash")) {
    const auto kind = crypto::hash_kind(hash->text);
    if (kind) audit.hash = *kind;
    if (!kind) {
      reporter.error(hash->place,
                     say("`hash` is `{}`, sha256 or sm3 expected",
                         "`hash` 为 `{}`，应为 sha256 或 sm3", policy::printable(hash->text)));
    }
  }
  if (const auto key = table.word("key")) audit.key = reading.directory / key->text;
  audit.keep_days = static_cast<std::uint32_t>(
      read_number(table, "keep_days", audit::kLeastDays, 36'500, audit.keep_days, reporter));
  audit.file_bytes = read_number(table, "file_megabytes", 1, 1024, audit.file_bytes >> 20, reporter)
                     << 20;
  audit.total_bytes =
      read_number(table, "total_megabytes", 16, 1 << 20, audit.total_bytes >> 20, reporter) << 20;
}

void read_ipfix_table(TableView& table, Reading& reading, Reporter& reporter) {
  read_ipfix(table, reading.directory, reading.appliance.exports, reporter);
}

void read_metrics_table(TableView& table, Reading& reading, Reporter& reporter) {
  read_metrics(table, reading.appliance.exports, reporter);
}

void read_management(TableView& table, Reading& reading, Reporter& reporter) {
  auto& management = reading.appliance.management;
  for (const Word& word : table.required_words("networks", TableView::Empty::kRefused)) {
    const auto prefix = policy::parse_prefix(word.text);
    if (prefix) {
      management.networks.push_back(*prefix);
    } else {
      reporter.error(word.place, prefix.error().message, prefix.error().hint);
    }
  }
  for (const Word& word : table.required_words("ports", TableView::Empty::kRefused)) {
    const auto ports = policy::parse_ports(word.text);
    if (!ports) {
      reporter.error(word.place, ports.error().message, ports.error().hint);
    } else if (ports->protocol != IPPROTO_TCP && ports->protocol != IPPROTO_UDP &&
               ports->protocol != IPPROTO_SCTP) {
      reporter.error(word.place, say("`{}` has no ports, tcp, udp or sctp expected: `22/tcp`",
                                     "`{}` 没有端口，应为 tcp、udp 或 sctp：`22/tcp`",
                                     policy::printable(word.text)));
    } else {
      management.ports.push_back(*ports);
    }
  }
}

void take_uplink(TableView& table, Reading& reading, Reporter& reporter) {
  reading.appliance.uplink = read_uplink(table, reading.directory, reporter);
}

void take_children(TableView& table, Reading& reading, Reporter& reporter) {
  reading.appliance.children = read_children(table, reading.directory, reporter);
}

struct Table {
  std::string_view name;
  std::string_view title;
  bool is_list;
  void (*read)(TableView&, Reading&, Reporter&);
};

constexpr std::array<Table, 12> kTables{{{"uplink", "[uplink]", false, take_uplink},
                                         {"children", "[children]", false, take_children},
                                         {"trust", "[trust]", false, read_trust},
                                         {"signer", "[[signer]]", true, read_signer},
                                         {"roles", "[roles]", false, read_roles},
                                         {"audit", "[audit]", false, read_audit},
                                         {"ipfix", "[[ipfix]]", true, read_ipfix_table},
                                         {"metrics", "[metrics]", false, read_metrics_table},
                                         {"management", "[management]", false, read_management},
                                         {"api", "[api]", false, read_api},
                                         {"person", "[[person]]", true, read_person},
                                         {"syslog", "[[syslog]]", true, read_syslog}}};

}  // namespace

std::expected<Appliance, policy::Diagnostics> load_appliance(const std::filesystem::path& path) {
  std::error_code error;
  const auto file = std::filesystem::is_directory(path, error) ? path / kApplianceName : path;
  std::vector<policy::SourceFile> files;
  Reporter reporter{files};
  policy::read_single_file(file, true, files, reporter);
  Reading reading;
  reading.directory = file.parent_path();
  std::set<std::string_view> seen;
  if (!files.empty()) {
    policy::for_each_table(0, files[0].text, reporter, [&](const policy::TomlTable& table) {
      const auto* const kind = std::ranges::find(kTables, table.name, &Table::name);
      if (kind == kTables.end()) {
        policy::Nearest nearest(table.name);
        for (const auto& known : kTables) nearest.offer(known.name);
        reporter.error(table.place,
                       say("unknown table `{}`", "未知的表 `{}`", policy::printable(table.name)),
                       nearest.hint());
        return;
      }
      if (table.is_array != kind->is_list) {
        reporter.error(table.place,
                       say("`{}` is written {}", "`{}` 应写作 {}", kind->name, kind->title));
      }
      TableView view(kind->title, table.place, table.members, reporter);
      kind->read(view, reading, reporter);
      view.finish();
    });
  }
  if (reading.appliance.api && !reading.appliance.roles.configured && !files.empty()) {
    policy::Place place;
    reporter.error(place, say("an [api] needs [roles]: nobody may do all over the network",
                              "配置 [api] 须先配置 [roles]：任何人不得通过网络执行一切操作"));
  }
  if (reporter.has_errors()) return std::unexpected{reporter.take()};
  return std::move(reading.appliance);
}

}  // namespace meiguan::access
