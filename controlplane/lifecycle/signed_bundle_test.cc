#include "controlplane/lifecycle/signed_bundle.h"

#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <fstream>
#include <functional>

#include "controlplane/lifecycle/trust.h"
#include "controlplane/lifecycle/ustar.h"

namespace meiguan::lifecycle {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kNow = 1'795'337'400;
constexpr const char* kProvince = R"([node]
code = "360000"
name = "江西省"
tier = "province"
[policy]
schema = 1
[[zone]]
id = "extranet"
kind = "extranet"
)";
constexpr const char* kCounty = R"([node]
code = "360121"
name = "南昌县"
tier = "county"
[[unit]]
id = "czj"
zone = "extranet"
prefixes = ["10.64.37.0/27"]
)";

const crypto::PrivateKey& province_key() {
  static const auto kKey = crypto::PrivateKey::generate(crypto::KeyKind::kSm2).value();
  return kKey;
}
const crypto::PrivateKey& county_key() {
  static const auto kKey = crypto::PrivateKey::generate(crypto::KeyKind::kEd25519).value();
  return kKey;
}

Trust trust() {
  return {.required = true,
          .signers = {{"province", province_key().public_key(), "360000", "", {}},
                      {"county", county_key().public_key(), "360121", "nanchang/xian", {}}}};
}

SignedBundle made(std::string node, std::uint64_t revision, std::vector<policy::TreeFile> files,
                  const crypto::PrivateKey* key, std::optional<std::int64_t> expires = {}) {
  Manifest manifest;
  manifest.node = std::move(node);
  manifest.revision = revision;
  manifest.expires = expires;
  auto bundle = make_bundle(std::move(manifest), std::move(files));
  BOOST_REQUIRE(bundle.has_value());
  if (key != nullptr) BOOST_REQUIRE(add_signature(*bundle, *key).has_value());
  return std::move(*bundle);
}
SignedBundle province(std::uint64_t revision = 5) {
  return made("360000", revision, {{"node.toml", kProvince}, {"nanchang/base.toml", "# base\n"}},
              &province_key());
}
SignedBundle county(std::uint64_t revision = 3) {
  return made("360121", revision, {{"nanchang/xian/node.toml", kCounty}}, &county_key());
}

BOOST_AUTO_TEST_CASE(bundles_go_to_bytes_and_back) {
  for (const auto hash : {crypto::HashKind::kSha256, crypto::HashKind::kSm3}) {
    Manifest manifest{"360121", 7, kNow, hash, {}};
    auto bundle =
        make_bundle(manifest,
                    {{"b/县.toml", std::string(700, 'x')},
                     {"a.toml", ""},
                     {std::string(90, 'd') + "/" + std::string(80, 'e') + ".toml", "deep"}});
    BOOST_REQUIRE(bundle.has_value());
    BOOST_REQUIRE(add_signature(*bundle, county_key()).has_value());
    BOOST_REQUIRE(add_signature(*bundle, province_key()).has_value());
    BOOST_REQUIRE(add_signature(*bundle, county_key()).has_value());
    BOOST_TEST(bundle->signatures.size() == 2);
    const auto bytes = to_bytes(*bundle);
    const auto again = bundle_from_bytes(bytes);
    BOOST_REQUIRE(again.has_value());
    BOOST_TEST(to_bytes(*again) == bytes);
    BOOST_TEST((again->files == bundle->files));
    BOOST_TEST(again->id() == bundle->id());
    BOOST_TEST(again->manifest.expires.value() == kNow);
  }
}

// Nothing but the very bytes that were written is read, or it is another bundle than was signed.
BOOST_AUTO_TEST_CASE(every_flipped_bit_is_refused) {
  const auto bytes = to_bytes(county());
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    for (const unsigned bit : {0x01U, 0x20U, 0x80U}) {
      auto bad = bytes;
      bad[i] = static_cast<char>(static_cast<unsigned char>(bad[i]) ^ bit);
      const auto read = bundle_from_bytes(bad);
      BOOST_TEST((!read || !check_trust(*read, trust(), kNow)), "byte " << i << " bit " << bit);
    }
  }
  for (std::size_t size = 0; size < bytes.size(); size += size < 2048 ? 1 : 37) {
    BOOST_TEST(!bundle_from_bytes(bytes.substr(0, size)).has_value(), "cut to " << size);
  }
  for (const std::size_t more : {1U, 512U, 1024U}) {
    BOOST_TEST(!bundle_from_bytes(bytes + std::string(more, '\0')).has_value(), more);
  }
}

BOOST_AUTO_TEST_CASE(paths_that_no_bundle_has) {
  const struct {
    const char* name;
    std::vector<std::string> paths;
  } kCases[] = {
      {"absolute", {"/etc/a.toml"}},
      {"up", {"../a.toml"}},
      {"up inside", {"a/../b.toml"}},
      {"here", {"./a.toml"}},
      {"empty part", {"a//b.toml"}},
      {"hidden", {".a.toml"}},
      {"hidden directory", {".git/a.toml"}},
      {"not TOML", {"a.sh"}},
      {"a directory", {"a.toml/"}},
      {"twice", {"a.toml", "a.toml"}},
      {"case", {"A.toml", "a.toml"}},
      {"case of a directory", {"A/x.toml", "a/y.toml"}},
      {"Turkish dotless and sharp s",
       {"stra\xc3\x9f"
        "e.toml",
        "strasse.toml"}},
      {"composed and not", {"caf\xc3\xa9.toml", "cafe\xcc\x81.toml"}},
      {"full width", {"a.toml", "\xef\xbd\x81.toml"}},
      {"invisible", {"a.toml", "a\xe2\x80\x8b.toml"}},
      {"file and directory", {"a.toml", "a.toml/b.toml"}},
      {"backslash", {"a\\b.toml"}},
      {"colon", {"c:a.toml"}},
      {"line feed", {"a\nfile x.toml"}},
      {"NUL", {std::string{"a\0b.toml", 8}}},
      {"not UTF-8", {"\xff.toml"}},
      {"too long", {std::string(300, 'a') + ".toml"}},
      {"a name too long for its header", {std::string(120, 'a') + ".toml"}},
      {"too deep", {[] {
         std::string deep;
         for (int i = 0; i < 70; ++i) deep += "a/";
         return deep + "b.toml";
       }()}},
  };
  for (const auto& c : kCases) {
    std::vector<policy::TreeFile> files;
    for (const auto& path : c.paths) files.push_back({path, "x"});
    Manifest manifest;
    manifest.node = "1";
    manifest.revision = 1;
    BOOST_TEST(!make_bundle(manifest, files).has_value(), c.name);
  }
}

// What `tar` and others write of the same, and other headers than a plain file's.
BOOST_AUTO_TEST_CASE(other_archives_are_refused) {
  const auto good = to_bytes(county());
  const auto first = tar_header("manifest", county().manifest_text.size());
  const auto with = [&](std::size_t at, std::string_view text) {
    auto header = first;
    header.replace(at, text.size(), text);
    header.replace(148, 8, "        ");
    unsigned sum = 0;
    for (const char c : header) sum += static_cast<unsigned char>(c);
    char digits[8];
    std::snprintf(digits, sizeof digits, "%06o", sum);
    header.replace(148, 6, digits);
    header[154] = '\0';
    return header + good.substr(512);
  };
  const std::pair<const char*, std::string> kCases[] = {
      {"a symbolic link", with(156, "2")},  {"a hard link", with(156, "1")},
      {"a directory", with(156, "5")},      {"a pax header", with(156, "x")},
      {"GNU long name", with(156, "L")},    {"an owner", with(108, "0000001")},
      {"a time", with(136, "00000000001")}, {"setuid", with(100, "0004755")},
      {"a link's name", with(157, "/etc")}, {"GNU", with(257, "ustar ")},
      {"behind the name", with(20, "x")},   {"size with a blank", with(124, " ")},
  };
  for (const auto& [name, bytes] : kCases) {
    BOOST_TEST(!bundle_from_bytes(bytes).has_value(), name);
  }
  BOOST_TEST(bundle_from_bytes(first + good.substr(512)).has_value());
}

BOOST_AUTO_TEST_CASE(manifests_that_are_not_canonical) {
  const auto good = county().manifest_text;
  BOOST_REQUIRE(manifest_from_text(good).has_value());
  const auto with = [&](std::string_view old, std::string_view now) {
    auto text = good;
    return text.replace(text.find(old), old.size(), now);
  };
  for (const auto& bad :
       {with("revision 3", "revision 03"), with("revision 3", "revision 0"),
        with("revision 3", "revision -3"), with("never", "soon"), with("never", "2027-1-01"),
        with("sha256", "md5"), with("node 360121", "node 36 0121"), with("node", "Node"),
        with("\n", "\r\n"), good + "\n", good + "more\n", with("file", "link"), std::string{}}) {
    BOOST_TEST(!manifest_from_text(bad).has_value(), bad);
  }
}

struct Refused {
  const char* name;
  std::function<std::vector<SignedBundle>()> bundles;
  const char* says;  // in the message; empty: it is taken
};

BOOST_AUTO_TEST_CASE(who_may_sign_what) {
  const auto stranger = crypto::PrivateKey::generate(crypto::KeyKind::kEd25519).value();
  const policy::TreeFile root{"node.toml", kProvince};
  const policy::TreeFile own{"nanchang/xian/node.toml", kCounty};
  const Refused kCases[] = {
      {"both",
       [&] {
         return std::vector{province(), county()};
       },
       ""},
      {"the province alone", [&] { return std::vector{province()}; }, ""},
      {"the county alone has no root", [&] { return std::vector{county()}; }, "node.toml"},
      {"stripped", [&] { return std::vector{made("360000", 5, {root}, nullptr)}; }, "stripped"},
      {"a stranger's", [&] { return std::vector{made("360000", 5, {root}, &stranger)}; },
       "none of its signatures"},
      {"the county signs for the province",
       [&] { return std::vector{made("360000", 5, {root}, &county_key())}; },
       "none of its signatures"},
      {"the county has a file of the province",
       [&] {
         return std::vector{province(),
                            made("360121", 3, {own, {"evil.toml", "#\n"}}, &county_key())};
       },
       "may not sign for evil.toml"},
      {"the county writes beside its directory",
       [&] {
         return std::vector{province(), made("360121", 3, {own, {"nanchang/xian2/a.toml", "#\n"}},
                                             &county_key())};
       },
       "may not sign for nanchang/xian2"},
      {"the province writes into the county's directory",
       [&] {
         return std::vector{made("360000", 5, {root, own}, &province_key())};
       },
       "may not sign for nanchang/xian/node.toml"},
      {"the county without its own node.toml, to be the province's",
       [&] {
         return std::vector{province(),
                            made("360121", 3, {{"nanchang/xian/a.toml", "#\n"}}, &county_key())};
       },
       "has no nanchang/xian/node.toml"},
      {"the county calls itself another node",
       [&] {
         std::string text{kCounty};
         text.replace(text.find("360121"), 6, "360122");
         return std::vector{province(), made("360121", 3, {{own.path, text}}, &county_key())};
       },
       "says it is node 360122"},
      {"expired", [&] { return std::vector{made("360000", 5, {root}, &province_key(), kNow)}; },
       "expired"},
      {"not yet expired",
       [&] { return std::vector{made("360000", 5, {root}, &province_key(), kNow + 1)}; }, ""},
      {"an older one", [&] { return std::vector{province(3)}; }, "replayed"},
      {"the same again", [&] { return std::vector{province(4)}; }, ""},
      {"another of the same revision",
       [&] { return std::vector{made("360000", 4, {root}, &province_key())}; }, "same revision"},
      {"two of one node",
       [&] {
         return std::vector{province(5), province(6)};
       },
       "two bundles"},
      {"a signature of other bytes",
       [&] {
         auto bundle = province();
         bundle.signatures = province(6).signatures;
         return std::vector{bundle};
       },
       "is wrong"},
      {"an error of the policy",
       [&] {
         return std::vector{made("360000", 5, {{"node.toml", "[node]\n"}}, &province_key())};
       },
       "code"},
  };
  const TakenByNode taken{{"360000", {4, province(4).id()}}};
  for (const auto& c : kCases) {
    const auto admitted = admit(c.bundles(), trust(), taken, kNow);
    if (*c.says == '\0') {
      BOOST_TEST(admitted.has_value(),
                 c.name << ": " << (admitted ? "" : admitted.error()[0].message.english));
      continue;
    }
    BOOST_REQUIRE_MESSAGE(!admitted.has_value(), c.name);
    const auto& why = admitted.error()[0];
    BOOST_TEST((why.message.english + why.hint.english + why.file).find(c.says) !=
                   std::string::npos,
               c.name << ": " << why.message.english);
    BOOST_TEST(!why.message.chinese.empty(), c.name);
  }
}

BOOST_AUTO_TEST_CASE(two_signers_and_one_whose_time_is_over) {
  const auto second = crypto::PrivateKey::generate(crypto::KeyKind::kEd25519).value();
  auto two = trust();
  two.signatures = 2;
  two.signers.push_back({"second", second.public_key(), "360000", "", {}});
  auto bundle = province();
  BOOST_TEST(!check_trust(bundle, two, kNow).has_value());
  BOOST_REQUIRE(add_signature(bundle, second).has_value());
  BOOST_TEST(check_trust(bundle, two, kNow).value() == "province, second");
  two.signers.back().until = kNow;
  BOOST_TEST(!check_trust(bundle, two, kNow).has_value());
}

BOOST_AUTO_TEST_CASE(what_was_taken_is_kept) {
  const auto directory = fs::temp_directory_path() /
                         ("meiguan-taken-" + std::to_string(::getpid()));
  fs::remove_all(directory);
  {
    auto store = TakenStore::open(directory).value();
    const std::vector both{province(), county()};
    const auto admitted = admit(both, trust(), store.taken(), kNow);
    BOOST_REQUIRE(admitted.has_value());
    BOOST_TEST(admitted->signature == "360000 revision 5 by province; 360121 revision 3 by county");
    BOOST_REQUIRE(store.keep(both, admitted->taken).has_value());
  }
  const auto store = TakenStore::open(directory).value();
  BOOST_TEST(store.taken().at("360121").revision == 3);
  const std::vector newer{county(4)};
  const auto others = store.others(newer);
  BOOST_REQUIRE(others.has_value());
  BOOST_TEST(others->size() == 1);
  BOOST_TEST(others->front().id() == store.taken().at("360000").id);
  // An older bundle in its place, and be it signed, is not the one that was taken.
  BOOST_TEST(store.others({}).has_value());
  std::ofstream{directory / ("360121-" + county(3).id() + ".bundle"), std::ios::binary}
      << to_bytes(county(2));
  BOOST_TEST(!store.others({}).has_value());
  // Damage to what is kept is an error and never an open door.
  const auto text = [&] {
    std::ifstream file{directory / "taken"};
    return std::string{std::istreambuf_iterator<char>{file}, {}};
  }();
  for (std::size_t i = 0; i < text.size(); ++i) {
    auto bad = text;
    bad[i] = static_cast<char>(static_cast<unsigned char>(bad[i]) ^ 1U);
    std::ofstream{directory / "taken"} << bad;
    BOOST_TEST(!TakenStore::open(directory).has_value(), "byte " << i);
  }
  fs::remove(directory / "taken");
  BOOST_TEST(!TakenStore::open(directory).has_value());
  fs::remove_all(directory);
}

// Killed, or out of room, between a bundle and the record of it.
BOOST_AUTO_TEST_CASE(a_bundle_without_its_record_changes_nothing) {
  const auto directory = fs::temp_directory_path() /
                         ("meiguan-half-taken-" + std::to_string(::getpid()));
  fs::remove_all(directory);
  const auto files_in = [](const fs::path& in) {
    return std::distance(fs::directory_iterator{in}, fs::directory_iterator{});
  };
  const auto taken = [](std::uint64_t revision) {
    return TakenByNode{{"360121", {revision, county(revision).id()}}};
  };
  const std::vector third{county(3)};
  const std::vector fourth{county(4)};
  auto before = TakenStore::open(directory / "before").value();
  // The very first one: there is nowhere for its record.
  fs::create_symlink(directory / "nowhere/taken", directory / "before/taken");
  BOOST_TEST(!before.keep(third, taken(3)).has_value());
  BOOST_TEST(TakenStore::open(directory / "before").has_value());
  fs::remove(directory / "before/taken");
  BOOST_REQUIRE(before.keep(third, taken(3)).has_value());
  // The next one.
  auto after = TakenStore::open(directory / "after").value();
  BOOST_REQUIRE(after.keep(third, taken(3)).has_value());
  BOOST_REQUIRE(after.keep(fourth, taken(4)).has_value());
  BOOST_TEST(files_in(directory / "after") == 2, "what is old goes away");
  const auto over = fs::copy_options::overwrite_existing;
  fs::copy_file(directory / "before/taken", directory / "taken");
  fs::copy(directory / "after", directory / "before", over);
  fs::copy_file(directory / "taken", directory / "before/taken", over);
  auto again = TakenStore::open(directory / "before").value();
  const auto others = again.others({});
  BOOST_REQUIRE(others.has_value());
  BOOST_REQUIRE(others->size() == 1U);
  BOOST_TEST(others->front().id() == county(3).id());
  BOOST_REQUIRE(again.keep(fourth, taken(4)).has_value());
  BOOST_TEST(files_in(directory / "before") == 2);
  fs::remove_all(directory);
}

}  // namespace
}  // namespace meiguan::lifecycle
