#include "dataplane/image/isolation.h"

#include <boost/test/unit_test.hpp>

#include <string>

namespace meiguan::image {
namespace {

// The table of policy.md section 4, letter by letter: r rules, s service, p service and publish,
// e egress, z zone-isolated, i internet-isolated; the last two columns are a private zone, the same
// and another.
struct Row {
  ZoneKind from;
  const char* cells;  // internet dmz extranet exchange management private(same) private(other)
};
constexpr Row kRows[] = {
    {ZoneKind::kInternet, "ipiiiii"},
    {ZoneKind::kDmz,
     "ersz"
     "zzz"},
    {ZoneKind::kExtranet,
     "esrs"
     "zzz"},
    {ZoneKind::kExchange,
     "izsr"
     "zss"},
    {ZoneKind::kPrivate,
     "izzs"
     "zrz"},
    {ZoneKind::kManagement,
     "izzz"
     "rzz"},
};

char letter(Isolation answer) {
  switch (answer.bits) {
    case 0: return 'r';
    case Isolation::kService: return 's';
    case Isolation::kService | Isolation::kPublish: return 'p';
    case Isolation::kEgress: return 'e';
    case Isolation::kZoneIsolated: return 'z';
    case Isolation::kInternetIsolated: return 'i';
    default: return '?';
  }
}

BOOST_AUTO_TEST_CASE(the_isolation_table_is_that_of_the_language) {
  constexpr ZoneKind kColumns[] = {ZoneKind::kInternet, ZoneKind::kDmz,        ZoneKind::kExtranet,
                                   ZoneKind::kExchange, ZoneKind::kManagement, ZoneKind::kPrivate,
                                   ZoneKind::kPrivate};
  for (const Row& row : kRows) {
    std::string got;
    for (std::size_t i = 0; i < std::size(kColumns); ++i) {
      got += letter(isolation(row.from, kColumns[i], i != 6));
    }
    BOOST_TEST(got == row.cells,
               "row " << static_cast<int>(row.from) << ": got " << got << ", want " << row.cells);
  }
}

BOOST_AUTO_TEST_CASE(between_address_spaces_the_private_side_must_be_translated) {
  struct Case {
    const char* name;
    ZoneKind from;
    ZoneKind to;
    bool same_space;
    std::uint8_t bits;
  };
  for (const Case& c : {
           Case{"private to exchange", ZoneKind::kPrivate, ZoneKind::kExchange, false,
                Isolation::kService | Isolation::kTranslateFrom},
           Case{"exchange to private", ZoneKind::kExchange, ZoneKind::kPrivate, false,
                Isolation::kService | Isolation::kTranslateTo},
           Case{"private to extranet", ZoneKind::kPrivate, ZoneKind::kExtranet, false,
                Isolation::kZoneIsolated},
           Case{"private to internet", ZoneKind::kPrivate, ZoneKind::kInternet, false,
                Isolation::kInternetIsolated},
           Case{"private to another private", ZoneKind::kPrivate, ZoneKind::kPrivate, false,
                Isolation::kZoneIsolated},
           Case{"exchange to extranet", ZoneKind::kExchange, ZoneKind::kExtranet, true,
                Isolation::kService},
       }) {
    BOOST_TEST(int{isolation(c.from, c.to, false, c.same_space).bits} == int{c.bits}, c.name);
  }
}

}  // namespace
}  // namespace meiguan::image
