// Datagrams cut at random, shuffled, doubled and spoiled, through a pipeline and through a naive
// twin that keeps every byte: they agree on which frames pass. A failure prints its seed.

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <map>
#include <optional>
#include <random>

#include "dataplane/fastpath/fragment_fixture.h"

namespace meiguan::fastpath {
namespace {

using namespace test;

struct Piece {
  std::uint16_t datagram{0};
  std::size_t from{0};
  std::size_t to{0};
  bool more{false};
  std::uint8_t fill{0};  // what is added to its bytes: a piece that is not of this datagram
};

// What becomes of a datagram's pieces, byte by byte. Time stands still, and nothing is too much.
class Twin {
 public:
  void add(const Piece& piece) {
    const std::size_t number = want_.size();
    want_.emplace_back("fragment-incomplete");
    Bytes& bytes = bytes_;
    if (refused_) {
      want_[number] = "fragment-overlap";
      return;
    }
    const auto same = std::ranges::find_if(there_, [&](const auto& other) {
      const Piece& p = other.second;
      return p.from == piece.from && p.to == piece.to && p.more == piece.more &&
             p.fill == piece.fill;
    });
    if (same != there_.end()) {
      want_[number] = "fragment-duplicate";
      return;
    }
    bool clash = false;
    for (std::size_t i = piece.from; i < piece.to; ++i) {
      if (bytes.size() <= i) bytes.resize(i + 1);
      clash = clash || bytes[i] != 0;
    }
    clash = clash || (end_ && (!piece.more || piece.to > *end_));
    if (!piece.more) {
      for (std::size_t i = piece.to; i < bytes.size(); ++i) clash = clash || bytes[i] != 0;
    }
    there_.emplace_back(number, piece);
    if (clash) {
      refused_ = true;
      tell("fragment-overlap");
      return;
    }
    std::fill(bytes.begin() + static_cast<std::ptrdiff_t>(piece.from),
              bytes.begin() + static_cast<std::ptrdiff_t>(piece.to), std::uint8_t{1});
    if (!piece.more) end_ = piece.to;
    if (end_ && std::ranges::count(bytes, 1) == static_cast<std::ptrdiff_t>(*end_)) {
      tell("allowed");
      *this = Twin{std::move(want_)};
    }
  }
  [[nodiscard]] const std::vector<std::string>& want() const { return want_; }

  Twin() = default;

 private:
  explicit Twin(std::vector<std::string> told) : want_{std::move(told)} {}
  void tell(const char* reason) {
    for (const auto& [number, piece] : there_) want_[number] = reason;
  }

  std::vector<std::string> want_;
  std::vector<std::pair<std::size_t, Piece>> there_;
  Bytes bytes_;
  std::optional<std::size_t> end_;
  bool refused_{false};
};

struct Round {
  explicit Round(std::uint32_t seed) : random{seed} {}
  std::size_t below(std::size_t n) { return random() % n; }

  // A datagram of `length` bytes, its first piece with the whole header.
  void cut_up(std::uint16_t datagram, std::size_t length) {
    std::vector<Piece> own;
    for (std::size_t at = 0; at < length;) {
      const std::size_t end = std::min(length, at + 8 * (1 + below(4)));
      own.push_back({datagram, at, end, end < length, 0});
      at = end;
    }
    if (own.size() == 1) return;  // a whole packet
    for (std::size_t n = below(3); n > 0; --n) own.push_back(own[below(own.size())]);
    if (below(3) == 0) spoil(own, length);
    if (below(6) == 0) own.erase(own.begin() + static_cast<std::ptrdiff_t>(below(own.size())));
    pieces.insert(pieces.end(), own.begin(), own.end());
  }
  void spoil(std::vector<Piece>& own, std::size_t length) {
    Piece bad = own[below(own.size())];
    switch (below(4)) {
      case 0: bad.fill = 1; break;  // other bytes
      case 1:                       // it reaches further
        bad.to += 8;
        bad.more = true;
        bad.to -= bad.to % 8;
        break;
      case 2:  // it says that it is the last
        bad.more = false;
        break;
      case 3:  // behind the last
        bad.from = (length + 7) / 8 * 8;
        bad.to = bad.from + 8;
        bad.more = true;
        break;
    }
    if (bad.from == 0 && !bad.more) return;  // a whole packet
    own.push_back(bad);
  }

  std::mt19937 random;
  std::vector<Piece> pieces;
};

void play(std::uint32_t seed, std::map<std::string, unsigned>& seen) {
  Round round{seed};
  std::map<std::uint16_t, Bytes> payloads;
  std::map<std::uint16_t, Twin> twins;
  const bool v6 = round.below(2) == 0;
  for (std::uint16_t d = 0; d < 6; ++d) {
    const std::size_t length = 9 + round.below(150);
    payloads[d] = udp(4000, 53, length - 8) + Bytes(32);
    round.cut_up(d, length);
  }
  std::ranges::shuffle(round.pieces, round.random);
  FragmentGate g;
  std::vector<std::pair<std::uint16_t, std::size_t>> whose;  // datagram, number within it
  for (const Piece& piece : round.pieces) {
    Bytes payload = payloads[piece.datagram];
    for (std::size_t i = std::max<std::size_t>(piece.from, 8); piece.fill != 0 && i < piece.to;
         ++i) {
      payload[i] = piece.fill;
    }
    if (piece.fill != 0 && piece.to <= 8) continue;  // nothing to change in it
    const PieceOptions o{.identification = piece.datagram};
    Twin& twin = twins[piece.datagram];
    whose.emplace_back(piece.datagram, twin.want().size());
    twin.add(piece);
    g.send(v6 ? piece6(17, payload, piece.from, piece.to, piece.more, o)
              : piece4(17, payload, piece.from, piece.to, piece.more, o));
  }
  g.gate.now += 60'000;
  g.expire();
  for (std::size_t i = 0; i < whose.size(); ++i) {
    const std::string& want = twins[whose[i].first].want()[whose[i].second];
    const std::string got = FragmentGate::reason_of(g.all[i]);
    ++seen[got];
    // What is whole is judged like any packet: its UDP length may be another's.
    if (want == "allowed" && got == "udp-length") continue;
    BOOST_REQUIRE_MESSAGE(got == want, "seed " << seed << ", frame " << i << " of datagram "
                                               << whose[i].first << ": got " << got << ", want "
                                               << want);
  }
}

BOOST_AUTO_TEST_SUITE(fragments)

BOOST_AUTO_TEST_CASE(a_naive_twin_agrees) {
  std::map<std::string, unsigned> seen;
  for (std::uint32_t seed = 1; seed <= 3000; ++seed) play(seed, seen);
  for (const char* reason :
       {"allowed", "fragment-overlap", "fragment-duplicate", "fragment-incomplete"}) {
    BOOST_TEST(seen[reason] > 2000U, reason << ": " << seen[reason]);
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace
}  // namespace meiguan::fastpath
