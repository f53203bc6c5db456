// Sets of small numbers against std::set, by random operations.

#include "controlplane/policy/compile_bits.h"

#include <boost/test/unit_test.hpp>

#include <random>
#include <set>

namespace meiguan::policy {
namespace {

struct Pair {
  Bits bits;
  std::set<std::uint32_t> naive;

  explicit Pair(std::size_t size, bool full = false) : bits(size, full) {
    for (std::uint32_t i = 0; full && i < size; ++i) naive.insert(i);
  }
  [[nodiscard]] bool agrees() const {
    const auto members = bits.list();
    if (!std::ranges::equal(members, naive)) return false;
    for (std::uint32_t i = 0; i < bits.size(); ++i) {
      if (bits.test(i) != naive.contains(i)) return false;
    }
    return true;
  }
};

BOOST_AUTO_TEST_CASE(bits_are_a_set_of_numbers) {
  std::mt19937 random{1};
  const auto below = [&](std::size_t n) { return static_cast<std::uint32_t>(random() % n); };
  for (const std::size_t size : {1U, 63U, 64U, 65U, 200U, 1000U}) {
    for (int round = 0; round < 60; ++round) {
      Pair a{size, below(5) == 0};
      Pair b{size, below(5) == 0};
      for (int step = 0; step < 30; ++step) {
        Pair& one = below(2) == 0 ? a : b;
        const Pair& other = &one == &a ? b : a;
        const std::uint32_t i = below(size);
        switch (below(5)) {
          case 0:
            one.bits.set(i);
            one.naive.insert(i);
            break;
          case 1:
            one.bits.reset(i);
            one.naive.erase(i);
            break;
          case 2: {
            const std::uint32_t count = below(size - i + 1);
            one.bits.set_range(i, count);
            for (std::uint32_t n = i; n < i + count; ++n) one.naive.insert(n);
            break;
          }
          case 3:
            one.bits |= other.bits;
            one.naive.insert(other.naive.begin(), other.naive.end());
            break;
          default:
            one.bits.remove(other.bits);
            for (const std::uint32_t n : other.naive) one.naive.erase(n);
        }
        BOOST_REQUIRE(a.agrees());
        BOOST_REQUIRE(b.agrees());
      }
    }
  }
}

}  // namespace
}  // namespace meiguan::policy
