#include "controlplane/policy/compile.h"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cstring>
#include <string>

#include "controlplane/policy/load.h"
#include "dataplane/image/validator.h"

namespace meiguan::policy {
namespace {

const std::string kHead = R"([node]
code = "1"
name = "r"
tier = "county"
[policy]
schema = 1
[[zone]]
id = "e"
kind = "extranet"
[[zone]]
id = "i"
kind = "internet"
)";

std::string unit(const std::string& id, int number) {
  return "[[unit]]\nid = \"" + id + "\"\nzone = \"e\"\nprefixes = [\"10.0." +
         std::to_string(number) + ".0/24\"]\n";
}

Compiled compiled(const std::string& text, const Catalog* previous = nullptr) {
  const auto policy = load_policy_text("node.toml", text);
  BOOST_REQUIRE(policy.has_value());
  auto result = compile(*policy, nullptr, previous);
  BOOST_REQUIRE(result.has_value());
  return std::move(*result);
}

BOOST_AUTO_TEST_CASE(equal_policies_give_equal_bytes) {
  const std::string text = kHead + unit("a", 1) + unit("b", 2);
  const Compiled one = compiled(text);
  const Compiled two = compiled(text);
  BOOST_TEST(std::ranges::equal(one.bytes.span(), two.bytes.span()));
}

BOOST_AUTO_TEST_CASE(ids_last_over_reordering_and_removal) {
  const Compiled before = compiled(kHead + unit("a", 1) + unit("b", 2) + unit("c", 3));
  const Compiled after = compiled(kHead + unit("c", 3) + unit("d", 4) + unit("a", 1),
                                  &before.catalog);
  const auto id_of = [](const Catalog& catalog, const std::string& id) {
    return std::ranges::find(catalog.units, id, &CatalogUnit::id) - catalog.units.begin();
  };
  for (const char* id : {"a", "b", "c"}) {
    BOOST_TEST(id_of(before.catalog, id) == id_of(after.catalog, id), id);
  }
  BOOST_TEST(id_of(after.catalog, "d") == 3);
  BOOST_TEST(!after.catalog.units[1].in_use);
}

BOOST_AUTO_TEST_CASE(an_image_that_lifts_isolation_is_refused) {
  const Compiled good = compiled(kHead);
  for (const image::Section section :
       {image::Section::kPortIsolation, image::Section::kObjectIsolation}) {
    image::AlignedBytes bytes = image::AlignedBytes::copy_of(good.bytes.span());
    image::FileHeader header;
    std::memcpy(&header, bytes.span().data(), sizeof header);
    // From the internet (zone 1) to the extranet (zone 0): the rules decide.
    const auto& ref = header.sections[static_cast<std::size_t>(section)];
    bytes.span()[ref.offset + 2] = std::byte{0};
    header.checksum = image::checksum_of(bytes.span());
    std::memcpy(bytes.span().data(), &header, sizeof header);
    const auto image = image::Image::open(bytes.span());
    BOOST_REQUIRE(!image.has_value());
    BOOST_TEST(image.error().message.english.find("isolation") != std::string::npos,
               image.error().message.english);
  }
}

BOOST_AUTO_TEST_CASE(the_catalog_survives_its_json) {
  const Compiled one = compiled(kHead + unit("a", 1));
  const auto back = catalog_from_json(to_json(one.catalog));
  BOOST_REQUIRE(back.has_value());
  BOOST_TEST(to_json(*back) == to_json(one.catalog));
  for (const char* text : {"", "[]", "{}", R"({"schema":"meiguan.catalog/v1"})",
                           R"({"schema":"meiguan.catalog/v1","nodes":[{}]})"}) {
    BOOST_TEST(!catalog_from_json(text).has_value(), text);
  }
}

}  // namespace
}  // namespace meiguan::policy
