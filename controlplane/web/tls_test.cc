#include "controlplane/web/tls.h"

#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <ctime>
#include <fstream>

#include "controlplane/web/https_client.h"
#include "controlplane/web/test_certificates.h"

namespace meiguan::web {
namespace {

struct Certificates {
  Certificates()
      : directory{std::filesystem::temp_directory_path() /
                  ("meiguan-tls-" + std::to_string(::getpid()))},
        authority{directory, "authority"} {}
  ~Certificates() { std::filesystem::remove_all(directory); }
  std::filesystem::path directory;
  TestAuthority authority;
};

BOOST_AUTO_TEST_SUITE(tls)

BOOST_FIXTURE_TEST_CASE(files_that_cannot_be_used, Certificates) {
  const auto good = authority.issue("good", {{"gateway"}});
  const auto other = authority.issue("other", {{"gateway"}});
  BOOST_TEST(check(good).has_value());
  const auto bad = [&](auto change) {
    auto files = good;
    change(files);
    return !check(files).has_value();
  };
  const auto text = directory / "text.pem";
  std::ofstream{text} << "no certificate\n";
  std::filesystem::permissions(text, std::filesystem::perms::owner_read);
  BOOST_TEST(bad([&](TlsFiles& f) { f.certificate = directory / "nothing"; }), "no certificate");
  BOOST_TEST(bad([&](TlsFiles& f) { f.certificate = text; }), "text as certificate");
  BOOST_TEST(bad([&](TlsFiles& f) { f.key = directory / "nothing"; }), "no key");
  BOOST_TEST(bad([&](TlsFiles& f) { f.key = directory; }), "a directory as key");
  BOOST_TEST(bad([&](TlsFiles& f) { f.key = text; }), "text as key");
  BOOST_TEST(bad([&](TlsFiles& f) { f.key = other.key; }), "another's key");
  BOOST_TEST(bad([&](TlsFiles& f) { f.authority = text; }), "text as authority");
  BOOST_TEST(bad([&](TlsFiles& f) { f.authority.clear(); }), "no authority");
  BOOST_TEST(bad([&](TlsFiles& f) { f.revoked = text; }), "text as revocation list");
  using Perms = std::filesystem::perms;
  std::filesystem::permissions(good.key, Perms::owner_read | Perms::group_read);
  BOOST_TEST(check(good).has_value(), "its group may read a key");
  std::filesystem::permissions(good.key, Perms::owner_read | Perms::others_read);
  BOOST_TEST(!check(good).has_value(), "others may not");
  std::filesystem::permissions(good.key, Perms::owner_read);
  if (::geteuid() == 0) {
    BOOST_REQUIRE(::chown(good.key.c_str(), 12345, 0) == 0);
    BOOST_TEST(!check(good).has_value(), "another user's key");
  }
}

BOOST_FIXTURE_TEST_CASE(what_a_certificate_says, Certificates) {
  const std::pair<std::vector<std::string>, std::string> kNames[] = {
      {{"360121"}, "360121"},
      {{"南昌县"}, "南昌县"},
      {{}, ""},
      {{"one", "two"}, ""},
      {{std::string{"360121\0.evil", 12}}, ""},
      {{"line\nend"}, ""},
  };
  for (const auto& [names, want] : kNames) {
    const auto files = authority.issue("named", {names});
    const auto certificate = read_certificate(files.certificate);
    BOOST_REQUIRE(certificate.has_value());
    BOOST_TEST(certificate->name == want);
    BOOST_TEST(certificate->subject.find('\n') == std::string::npos);
    BOOST_TEST(certificate->fingerprint.size() == 64U);
    const auto left = certificate->not_after - static_cast<std::int64_t>(std::time(nullptr));
    BOOST_TEST((left > 3500 && left <= 3600));
    std::filesystem::remove(files.key);
  }
  BOOST_TEST(!read_certificate(directory / "nothing").has_value());
}

BOOST_AUTO_TEST_CASE(servers_as_they_are_written) {
  const struct {
    const char* text;
    const char* host;
    unsigned port;
  } kGood[] = {
      {"https://gateway.example:8443", "gateway.example", 8443},
      {"https://gateway", "gateway", 443},
      {"https://192.0.2.1:1/", "192.0.2.1", 1},
      {"https://[2001:db8::1]:65535", "2001:db8::1", 65535},
      {"https://[::1]", "::1", 443},
  };
  for (const auto& one : kGood) {
    const auto server = parse_server(one.text, 443);
    BOOST_REQUIRE_MESSAGE(server.has_value(), one.text);
    BOOST_TEST(server->host == one.host);
    BOOST_TEST(server->port == one.port);
  }
  for (const char* const text :
       {"", "http://gateway", "gateway:1", "https://", "https://gateway/path",
        "https://gateway:", "https://gateway:0", "https://gateway:65536", "https://gateway:1x",
        "https://[::1", "https://[gateway]:1", "https://[192.0.2.1]:1", "https://::1:2",
        "https://user@gateway", "https://gate way", "https://gate\nway"}) {
    BOOST_TEST(!parse_server(text, 443).has_value(), text);
  }
  BOOST_TEST(!parse_host_port("gateway", 0).has_value());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace meiguan::web
