#define BOOST_TEST_MODULE access
#include <unistd.h>

#include <array>
#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <fstream>

#include "controlplane/access/appliance.h"
#include "controlplane/access/roles.h"

namespace meiguan::access {
namespace {

namespace fs = std::filesystem;

Peer peer(uid_t uid, std::vector<gid_t> groups = {}, gid_t gid = 9000) {
  return {uid, gid, 1, std::move(groups), "somebody", {}, {}};
}

Roles three() {
  Roles roles;
  roles.configured = true;
  roles.system = {{false, 1001, "1001"}, {true, 2001, "@2001"}};
  roles.security = {{false, 1002, "1002"}, {true, 2002, "@2002"}};
  roles.audit = {{false, 1003, "1003"}};
  return roles;
}

BOOST_AUTO_TEST_CASE(who_has_which_role) {
  const Roles none;
  const struct {
    const char* name;
    Peer who;
    const Roles roles;
    Role want;
  } kCases[] = {
      {"root without configuration", peer(0), none, Role::kRoot},
      {"another without configuration", peer(1001), none, Role::kNone},
      {"by user", peer(1001), three(), Role::kSystem},
      {"by group", peer(5000, {1, 2002}), three(), Role::kSecurity},
      {"by first group", peer(5000, {}, 2001), three(), Role::kSystem},
      {"a user before his groups", peer(1003, {2001}), three(), Role::kAudit},
      {"two roles by groups are none", peer(5000, {2001, 2002}), three(), Role::kNone},
      {"a user's number is not a group's", peer(2001), three(), Role::kNone},
      {"root, where roles are configured", peer(0), three(), Role::kNone},
      {"nobody", peer(5000, {7}), three(), Role::kNone},
  };
  for (const auto& c : kCases) {
    BOOST_TEST((role_of(c.who, c.roles) == c.want), c.name);
  }
}

BOOST_AUTO_TEST_CASE(who_may_do_what) {
  const struct {
    const char* command;
    const char* roles;  // system, security, audit
  } kCases[] = {{"status", "sea"},     {"ports", "s"},          {"apply", "e"},
                {"confirm", "e"},      {"rollback", "e"},       {"approve", "e"},
                {"reload", "e"},       {"flows", "e"},          {"audit-show", "a"},
                {"block-add", "e"},    {"block-remove", "e"},   {"block-list", "e"},
                {"audit-verify", "a"}, {"capture", "e"},        {"capture-read", "e"},
                {"capture-end", "e"},  {"no-such-command", ""}, {"", ""}};
  for (const auto& c : kCases) {
    const std::string_view roles{c.roles};
    const auto holds = [&](char letter) { return roles.find(letter) != roles.npos; };
    BOOST_TEST(may(Role::kSystem, c.command) == holds('s'), c.command);
    BOOST_TEST(may(Role::kSecurity, c.command) == holds('e'), c.command);
    BOOST_TEST(may(Role::kAudit, c.command) == holds('a'), c.command);
    BOOST_TEST(!may(Role::kNone, c.command), c.command);
    BOOST_TEST(may(Role::kRoot, c.command), c.command);
  }
}

BOOST_AUTO_TEST_CASE(nothing_that_changes_is_two_roles) {
  for (const char* name : {"apply", "reload", "confirm", "abort", "rollback", "approve",
                           "block-add", "block-remove", "block-import", "capture", "audit-sign"}) {
    const auto* const command = find_command(name);
    BOOST_REQUIRE(command != nullptr);
    BOOST_TEST(command->changes, name);
    BOOST_TEST(int{command->system} + int{command->security} + int{command->audit} == 1, name);
  }
}

struct Directory {
  Directory() : path{fs::temp_directory_path() / ("meiguan-access-" + std::to_string(::getpid()))} {
    fs::create_directories(path);
    std::ofstream{path / "a.pem"}
        << crypto::PrivateKey::generate(crypto::KeyKind::kSm2)->public_key().to_pem();
  }
  ~Directory() { fs::remove_all(path); }
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;
  std::expected<Appliance, policy::Diagnostics> load(std::string_view text) const {
    std::ofstream{path / kApplianceName} << text;
    return load_appliance(path);
  }
  fs::path path;
};

BOOST_AUTO_TEST_CASE(the_appliance_file) {
  const Directory directory;
  const auto whole = directory.load(R"([trust]
required = true
signatures = 2
two_persons = true
[[signer]]
name = "province"
key = "a.pem"
node = "360000"
at = ""
until = 2027-12-31
[roles]
socket_group = "60"
system = ["1001"]
security = ["1002", "@2002"]
audit = ["root"]
lock_after = 3
[audit]
hash = "sm3"
keep_days = 200
[[ipfix]]
collector = "[2001:db8::9]:4739"
[[ipfix]]
collector = "collector.example:2055"
transport = "tls"
enterprise = 4242
ca = "ca.pem"
[metrics]
listen = "[2001:db8::1]:9469"
networks = ["192.0.2.0/24", "2001:db8::/32"]
most = 50
[management]
networks = ["10.0.0.0/8", "2001:db8::/32"]
ports = ["22/tcp", "8000-8100/udp"]
[api]
listen = "[::]:443"
certificate = "api.pem"
key = "api.key"
authority = "people.pem"
networks = ["10.0.0.0/8", "2001:db8::/32"]
[[person]]
certificate = "li laptop"
user = "1002"
[[syslog]]
server = "tls://siem.example"
authority = "siem.pem"
[[syslog]]
server = "udp://[2001:db8::1]:5140"
events_per_second = 0
)");
  BOOST_REQUIRE(whole.has_value());
  BOOST_TEST(whole->trust.signers.size() == 1);
  BOOST_TEST(whole->trust.signatures == 2);
  BOOST_TEST(whole->trust.signers[0].until.value() == 1'830'297'600);
  BOOST_TEST(whole->two_persons);
  BOOST_TEST(whole->roles.security.size() == 2);
  BOOST_TEST(whole->roles.audit[0].id == 0);
  BOOST_TEST(whole->roles.socket_group.value() == 60);
  BOOST_TEST((whole->audit.hash == crypto::HashKind::kSm3));
  BOOST_REQUIRE(whole->exports.ipfix.size() == 2);
  const auto& datagrams = whole->exports.ipfix[0];
  const auto& tls = whole->exports.ipfix[1];
  BOOST_TEST(datagrams.host == "2001:db8::9");
  BOOST_TEST(datagrams.collector() == "[2001:db8::9]:4739");
  BOOST_TEST((datagrams.transport == exporting::Transport::kUdp));
  BOOST_TEST(tls.port == 2055);
  BOOST_TEST(tls.enterprise == 4242U);
  BOOST_TEST(tls.ca == directory.path / "ca.pem");
  BOOST_REQUIRE(whole->exports.metrics.has_value());
  BOOST_TEST(whole->exports.metrics->port == 9469);
  BOOST_TEST(whole->exports.metrics->networks.size() == 2);
  BOOST_TEST(whole->exports.metrics->most == 50);
  BOOST_TEST(whole->management.networks.size() == 2);
  BOOST_REQUIRE(whole->management.ports.size() == 2);
  BOOST_TEST(whole->management.ports[1].last == 8100);
  BOOST_REQUIRE(whole->api.has_value());
  BOOST_TEST(whole->api->port == 443);
  BOOST_TEST(whole->api->networks.size() == 2U);
  BOOST_TEST(whole->api->tls.key.string() == (directory.path / "api.key").string());
  BOOST_REQUIRE(whole->persons.size() == 1U);
  BOOST_TEST(whole->persons[0].uid == 1002U);
  BOOST_REQUIRE(whole->syslog.size() == 2U);
  BOOST_TEST((whole->syslog[0].is_tls && whole->syslog[0].server.port == 6514));
  BOOST_TEST((!whole->syslog[1].is_tls && whole->syslog[1].server.host == "2001:db8::1"));
  BOOST_TEST(whole->syslog[1].events_per_second == 0U);
  const auto empty = directory.load("");
  BOOST_REQUIRE(empty.has_value());
  BOOST_TEST((!empty->trust.required && !empty->roles.configured));
}

BOOST_AUTO_TEST_CASE(mistakes_in_the_appliance_file) {
  const Directory directory;
  constexpr std::string_view kApi = "[api]\ncertificate = \"a\"\nkey = \"a\"\nauthority = \"a\"\n";
  constexpr std::string_view kRoles = "[roles]\nsocket_group = \"60\"\n";
  const std::pair<const char*, std::string> kCases[] = {
      {"unknown table", "[trusst]\n"},
      {"unknown key", "[trust]\nrequire = true\n"},
      {"a list as a table", "[signer]\nname = \"a\"\nkey = \"a.pem\"\nnode = \"1\"\nat = \"\"\n"},
      {"no key", "[[signer]]\nname = \"a\"\nkey = \"b.pem\"\nnode = \"1\"\nat = \"\"\n"},
      {"without a place", "[[signer]]\nname = \"a\"\nkey = \"a.pem\"\nnode = \"1\"\n"},
      {"a place that leads up",
       "[[signer]]\nname = \"a\"\nkey = \"a.pem\"\nnode = \"1\"\nat = \"..\"\n"},
      {"a slash behind", "[[signer]]\nname = \"a\"\nkey = \"a.pem\"\nnode = \"1\"\nat = \"a/\"\n"},
      {"too short a time", "[audit]\nkeep_days = 30\n"},
      {"an unknown hash", "[audit]\nhash = \"md5\"\n"},
      {"an unknown user",
       std::string{kRoles} + "system = [\"no-such-user\"]\nsecurity = [\"1\"]\naudit = [\"2\"]\n"},
      {"two roles",
       std::string{kRoles} + "system = [\"1\"]\nsecurity = [\"1\"]\naudit = [\"2\"]\n"},
      {"a role that nobody has",
       std::string{kRoles} + "system = []\nsecurity = [\"1\"]\naudit = [\"2\"]\n"},
      {"a role that is missing", std::string{kRoles} + "system = [\"1\"]\nsecurity = [\"2\"]\n"},
      {"a collector without a port", "[[ipfix]]\ncollector = \"192.0.2.9\"\n"},
      {"a collector of IPv6 without brackets", "[[ipfix]]\ncollector = \"2001:db8::9:4739\"\n"},
      {"port 0", "[[ipfix]]\ncollector = \"192.0.2.9:0\"\n"},
      {"an unknown transport", "[[ipfix]]\ncollector = \"a:1\"\ntransport = \"sctp\"\n"},
      {"an authority without TLS", "[[ipfix]]\ncollector = \"a:1\"\nca = \"ca.pem\"\n"},
      {"a certificate without a key",
       "[[ipfix]]\ncollector = \"a:1\"\ntransport = \"tls\"\ncertificate = \"a.pem\"\n"},
      {"too small a queue", "[[ipfix]]\ncollector = \"a:1\"\nqueue = 1\n"},
      {"metrics for everybody", "[metrics]\nlisten = \"192.0.2.1:9469\"\n"},
      {"metrics at a name", "[metrics]\nlisten = \"localhost:9469\"\n"},
      {"a network with host bits",
       "[metrics]\nlisten = \"192.0.2.1:9469\"\nnetworks = [\"192.0.2.1/24\"]\n"},
      {"management without ports", "[management]\nnetworks = [\"10.0.0.0/8\"]\n"},
      {"management from nowhere", "[management]\nnetworks = []\nports = [\"22/tcp\"]\n"},
      {"a network with host bits",
       "[management]\nnetworks = [\"10.0.0.1/8\"]\nports = [\"22/tcp\"]\n"},
      {"a port of no protocol with ports",
       "[management]\nnetworks = [\"10.0.0.0/8\"]\nports = [\"icmp\"]\n"},
      {"all protocols", "[management]\nnetworks = [\"10.0.0.0/8\"]\nports = [\"any\"]\n"},
      {"an API of everybody", std::string{kApi} + "listen = \"0.0.0.0:1\"\nnetworks = []\n"},
      {"an API without networks", std::string{kApi} + "listen = \"0.0.0.0:1\"\n"},
      {"an API at a name", std::string{kApi} + "listen = \"gateway:1\"\nnetworks = [\"::/0\"]\n"},
      {"an API without roles",
       std::string{kApi} + "listen = \"0.0.0.0:1\"\nnetworks = [\"10.0.0.0/8\"]\n"},
      {"an API at no port", std::string{kApi} + "listen = \"0.0.0.0:x\"\nnetworks = [\"::/0\"]\n"},
      {"a network with host bits",
       std::string{kApi} + "listen = \"0.0.0.0:1\"\nnetworks = [\"10.0.0.1/8\"]\n"},
      {"a certificate of two",
       "[[person]]\ncertificate = \"a\"\nuser = \"1\"\n"
       "[[person]]\ncertificate = \"a\"\nuser = \"2\"\n"},
      {"a certificate of nobody", "[[person]]\ncertificate = \"a\"\nuser = \"no-such\"\n"},
      {"a certificate without a name", "[[person]]\ncertificate = \"\"\nuser = \"1\"\n"},
      {"syslog by TCP", "[[syslog]]\nserver = \"tcp://a:1\"\n"},
      {"syslog without authority", "[[syslog]]\nserver = \"tls://a\"\n"},
      {"syslog half a pair", "[[syslog]]\nserver = \"tls://a\"\nauthority = \"a\"\nkey = \"b\"\n"},
      {"syslog nowhere", "[[syslog]]\nserver = \"udp://\"\n"},
      {"syslog twice", "[[syslog]]\nserver = \"udp://a\"\n[[syslog]]\nserver = \"udp://a\"\n"},
      {"no TOML", "["},
  };
  for (const auto& [name, text] : kCases) {
    BOOST_TEST(!directory.load(text).has_value(), name);
  }
  BOOST_TEST(!load_appliance(directory.path / "nothing").has_value());
}

}  // namespace
}  // namespace meiguan::access
