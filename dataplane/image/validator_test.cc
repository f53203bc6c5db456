#include "dataplane/image/validator.h"

#include <boost/test/unit_test.hpp>

#include <cstring>

#include "dataplane/image/bytes.h"
#include "dataplane/image/writer.h"

namespace meiguan::image {
namespace {

BOOST_AUTO_TEST_CASE(bytes_that_are_no_image_are_refused) {
  struct Case {
    const char* name;
    std::size_t size;
    bool magic;
  };
  for (const Case& c : {Case{"empty", 0, false}, Case{"shorter than a header", 100, true},
                        Case{"zeros", 65536, false}, Case{"magic alone", 65536, true}}) {
    AlignedBytes bytes{c.size};
    if (c.magic) std::memcpy(bytes.span().data(), kMagic.data(), kMagic.size());
    BOOST_TEST(!Image::open(bytes.span()).has_value(), c.name);
  }
}

BOOST_AUTO_TEST_CASE(an_image_of_empty_sections_is_refused) {
  const AlignedBytes bytes = Writer{}.finish();
  const auto image = Image::open(bytes.span());
  BOOST_REQUIRE(!image.has_value());
  BOOST_TEST(image.error().message.english.find("damaged") != std::string::npos);
}

}  // namespace
}  // namespace meiguan::image
