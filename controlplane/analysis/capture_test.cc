#define BOOST_TEST_MODULE analysis
#include "controlplane/analysis/capture.h"

#include <boost/test/unit_test.hpp>
#include <cstring>
#include <string>

namespace meiguan::analysis {
namespace {

// A file being written, in this machine's byte order.
class Bytes {
 public:
  template <typename T>
  Bytes& put(T value) {
    std::array<std::uint8_t, sizeof(T)> raw{};
    std::memcpy(raw.data(), &value, sizeof value);
    bytes.insert(bytes.end(), raw.begin(), raw.end());
    return *this;
  }
  Bytes& put(const Bytes& other) {
    bytes.insert(bytes.end(), other.bytes.begin(), other.bytes.end());
    return *this;
  }
  Bytes& zeros(std::size_t n) {
    bytes.resize(bytes.size() + n);
    return *this;
  }
  std::vector<std::uint8_t> bytes;
};

Bytes u32(std::uint32_t value) { return Bytes{}.put(value); }

Bytes block(std::uint32_t type, Bytes body) {
  body.zeros((4 - body.bytes.size() % 4) % 4);
  const auto length = static_cast<std::uint32_t>(body.bytes.size() + 12);
  return Bytes{}.put(type).put(length).put(body).put(length);
}

Bytes section() {
  return block(
      0x0a0d0d0a,
      Bytes{}.put(0x1a2b3c4dU).put(std::uint16_t{1}).put(std::uint16_t{0}).put(std::int64_t{-1}));
}

Bytes interface(const Bytes& options = {}, std::uint16_t link = 1, std::uint32_t snap = 0) {
  return block(1, Bytes{}.put(link).put(std::uint16_t{0}).put(snap).put(options));
}

Bytes option(std::uint16_t code, const Bytes& value) {
  Bytes result;
  result.put(code).put(static_cast<std::uint16_t>(value.bytes.size())).put(value);
  return result.zeros((4 - value.bytes.size() % 4) % 4);
}

Bytes packet(std::uint64_t ticks, std::uint32_t captured, std::uint32_t on_wire,
             std::uint32_t where = 0) {
  Bytes body;
  body.put(where)
      .put(static_cast<std::uint32_t>(ticks >> 32))
      .put(static_cast<std::uint32_t>(ticks));
  return block(6, body.put(captured).put(on_wire).zeros(captured));
}

Bytes pcap(std::uint32_t magic, std::uint32_t network = 1) {
  return Bytes{}
      .put(magic)
      .put(std::uint16_t{2})
      .put(std::uint16_t{4})
      .zeros(8)
      .put(262144U)
      .put(network);
}

Bytes record(std::uint32_t seconds, std::uint32_t rest, std::uint32_t captured,
             std::uint32_t on_wire) {
  return Bytes{}.put(seconds).put(rest).put(captured).put(on_wire).zeros(captured);
}

Bytes join(std::initializer_list<Bytes> parts) {
  Bytes all;
  for (const auto& part : parts) all.put(part);
  return all;
}

constexpr std::uint32_t kMicro = 0xa1b2c3d4, kNano = 0xa1b23c4d;

BOOST_AUTO_TEST_CASE(what_is_read) {
  struct Case {
    const char* name;
    Bytes file;
    std::vector<std::uint64_t> times;
    std::uint8_t digits;
    std::size_t frame_bytes;
    bool fault;
    std::uint64_t passed_over{0};
    std::uint64_t cut{0};
  };
  const Bytes nano = option(9, Bytes{}.put(std::uint8_t{9}));
  const Bytes binary = option(9, Bytes{}.put(std::uint8_t{0x80 | 10}));
  const Bytes later = option(14, Bytes{}.put(std::int64_t{100}));
  const Bytes earlier = option(14, Bytes{}.put(std::int64_t{-100}));
  const Case kCases[] = {
      {"pcap, microseconds",
       join({pcap(kMicro), record(1, 2, 60, 60)}),
       {1'000'002'000},
       6,
       60,
       false},
      {"pcap, nanoseconds",
       join({pcap(kNano), record(1, 2, 60, 60)}),
       {1'000'000'002},
       9,
       60,
       false},
      {"no packets", pcap(kMicro), {}, 6, 0, false},
      {"time goes back",
       join({pcap(kMicro), record(5, 0, 1, 1), record(4, 0, 1, 1)}),
       {5'000'000'000, 4'000'000'000},
       6,
       1,
       false},
      {"FCS is taken off",
       join({pcap(kMicro, 1U | 0x0400'0000U | 2U << 28), record(1, 0, 64, 64)}),
       {1'000'000'000},
       6,
       60,
       false},
      {"FCS is not there when cut",
       join({pcap(kMicro, 1U | 0x0400'0000U | 2U << 28), record(1, 0, 64, 99)}),
       {1'000'000'000},
       6,
       64,
       false,
       0,
       1},
      {"ends in a record header",
       join({pcap(kMicro), record(1, 0, 8, 8), u32(7)}),
       {1'000'000'000},
       6,
       8,
       true},
      {"ends in a packet",
       join({pcap(kMicro), Bytes{}.put(1U).put(0U).put(9U).put(9U).zeros(8)}),
       {},
       6,
       0,
       true},
      {"a record longer than any frame",
       join({pcap(kMicro), Bytes{}.put(1U).put(0U).put(262145U).put(0U).zeros(262145)}),
       {},
       6,
       0,
       true},
      {"pcapng, default resolution",
       join({section(), interface(), packet(1'000'002, 60, 60)}),
       {1'000'002'000},
       6,
       60,
       false},
      {"pcapng, nanoseconds",
       join({section(), interface(nano), packet(3, 60, 60)}),
       {3},
       9,
       60,
       false},
      {"pcapng, a power of two",
       join({section(), interface(binary), packet(1024 + 512, 60, 60)}),
       {1'500'000'000},
       9,
       60,
       false},
      {"pcapng, an offset",
       join({section(), interface(later), packet(0, 60, 60)}),
       {100'000'000'000},
       6,
       60,
       false},
      {"pcapng, before 1970 is 1970",
       join({section(), interface(earlier), packet(0, 60, 60)}),
       {0},
       6,
       60,
       false},
      {"pcapng, two interfaces",
       join({section(), interface(), interface(nano), packet(7, 60, 60, 1)}),
       {7},
       9,
       60,
       false},
      {"pcapng, unknown blocks",
       join({section(), block(0x1234, u32(1)), interface(), block(5, u32(1)), packet(1, 9, 9)}),
       {1000},
       6,
       9,
       false},
      {"pcapng, a simple packet has the snap length",
       join({section(), interface({}, 1, 10), block(3, u32(60).zeros(12))}),
       {0},
       6,
       10,
       false,
       0,
       1},
      {"pcapng, no such interface",
       join({section(), interface(), packet(1, 9, 9, 1), packet(2, 9, 9)}),
       {2000},
       6,
       9,
       false,
       1},
      {"pcapng, another link type",
       join({section(), interface({}, 113), interface(), packet(1, 9, 9), packet(2, 9, 9, 1)}),
       {2000},
       6,
       9,
       false,
       1},
      {"pcapng, the second section begins anew",
       join({section(), interface(), section(), packet(1, 9, 9)}),
       {},
       6,
       0,
       false,
       1},
      {"pcapng, lengths differ",
       join({section(), Bytes{}.put(1U).put(20U).zeros(8).put(24U)}),
       {},
       6,
       0,
       true},
      {"pcapng, a length of zero", join({section(), Bytes{}.put(1U).zeros(20)}), {}, 6, 0, true},
      {"pcapng, a length not of words",
       join({section(), Bytes{}.put(1U).put(21U).zeros(20)}),
       {},
       6,
       0,
       true},
      {"pcapng, cut in a block",
       join({section(), Bytes{}.put(1U).put(32U).zeros(8)}),
       {},
       6,
       0,
       true},
      {"pcapng, an option leaves its block",
       join({section(), interface(Bytes{}.put(std::uint16_t{9}).put(std::uint16_t{99}))}),
       {},
       6,
       0,
       true},
  };
  for (const auto& test : kCases) {
    BOOST_TEST_CONTEXT(test.name) {
      auto reader = CaptureReader::open(test.file.bytes);
      BOOST_REQUIRE(reader.has_value());
      std::vector<std::uint64_t> times;
      while (const auto frame = reader->next()) {
        BOOST_TEST(frame->index == reader->counts().passed_over() + times.size());
        times.push_back(frame->time);
        BOOST_TEST(frame->time_digits == test.digits);
        BOOST_TEST(frame->bytes.size() == test.frame_bytes);
      }
      BOOST_TEST(times == test.times, boost::test_tools::per_element());
      BOOST_TEST(reader->fault().has_value() == test.fault);
      BOOST_TEST(reader->counts().passed_over() == test.passed_over);
      BOOST_TEST(reader->counts().cut == test.cut);
      BOOST_TEST(!reader->next().has_value());
    }
  }
}

BOOST_AUTO_TEST_CASE(what_is_not_a_capture) {
  Bytes old = pcap(kMicro);
  old.bytes[4] = 1;
  const std::pair<const char*, Bytes> kCases[] = {
      {"empty", {}},
      {"three bytes", Bytes{}.zeros(3)},
      {"zeros", Bytes{}.zeros(100)},
      {"cut header", Bytes{}.put(kMicro).zeros(8)},
      {"another version", old},
      {"another link type", pcap(kMicro, 113)},
  };
  for (const auto& [name, file] : kCases) {
    BOOST_TEST(!CaptureReader::open(file.bytes).has_value(), name);
  }
}

}  // namespace
}  // namespace meiguan::analysis
