#include "dataplane/fastpath/flow_record.h"

#include <boost/test/unit_test.hpp>

namespace meiguan::fastpath {
namespace {

// Counts share words with what the state machine keeps, and neither reaches into the other.
BOOST_AUTO_TEST_CASE(counts_and_windows_are_apart) {
  FlowSide side;
  side.set_window(0xffff);
  side.set_scale(14);
  side.set_acknowledged(true);
  side.count(1500);
  side.count(0xffff'ffff);
  BOOST_TEST(side.packets() == 2U);
  BOOST_TEST(side.bytes() == 1500 + 0xffff'ffffULL);
  BOOST_TEST(side.window() == 0xffff);
  BOOST_TEST((side.shift() == 14 && side.offers_scale() && side.acknowledged()));
  BOOST_TEST(side.largest_window() == 0xffffU << 14);
  side.set_window(7);
  side.set_scale(15);
  side.set_acknowledged(false);
  BOOST_TEST(side.packets() == 2U);
  BOOST_TEST(side.bytes() == 1500 + 0xffff'ffffULL);
  BOOST_TEST(side.window() == 7);
  BOOST_TEST((side.shift() == 0 && !side.offers_scale() && !side.acknowledged()));
}

BOOST_AUTO_TEST_CASE(ids_come_back_as_they_were) {
  FlowRecord flow;
  BOOST_TEST((flow.unit().is_none() && flow.to_unit().is_none() && flow.service().is_none()));
  flow.set_unit(UnitId{0});
  flow.set_to_unit(UnitId{image::kMaxUnits - 1});
  flow.set_service(ServiceId{image::kMaxServices - 1});
  flow.set_in(0, PortId{0});
  flow.set_in(1, PortId{image::kMaxPorts - 1});
  BOOST_TEST((flow.unit() == UnitId{0} && flow.to_unit() == UnitId{image::kMaxUnits - 1}));
  BOOST_TEST((flow.service() == ServiceId{image::kMaxServices - 1}));
  BOOST_TEST((flow.in(0) == PortId{0} && flow.in(1) == PortId{image::kMaxPorts - 1}));
  flow.set_unit(UnitId{});
  BOOST_TEST(flow.unit().is_none());
}

// Of a time in 32 bits the milliseconds come back, also where it has wrapped since the clock began.
BOOST_AUTO_TEST_CASE(times_come_back_rounded_down) {
  for (const std::uint64_t now : {std::uint64_t{0}, std::uint64_t{1000}, std::uint64_t{1} << 36,
                                  (std::uint64_t{1} << 36) + 17, std::uint64_t{1} << 45}) {
    for (const std::uint64_t age : {0U, 1U, 15U, 16U, 1000U, 86'400'000U}) {
      if (age > now) continue;
      BOOST_TEST(milliseconds_of(flow_time(now - age), now) == ((now - age) & ~std::uint64_t{15}));
    }
  }
}

}  // namespace
}  // namespace meiguan::fastpath
