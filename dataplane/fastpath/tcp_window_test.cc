// TCP by sequence, acknowledgment and window: what a strict gateway must let by, and what it must
// not. Conversations of a client from 100 and a server from 500.

#include "dataplane/fastpath/conversation_fixture.h"

namespace meiguan::fastpath {
namespace {

using namespace test;

struct More {
  std::size_t data{0};
  std::uint16_t window{65535};
  Bytes options{};
};
Bytes c(std::string_view flags, std::uint32_t seq, std::uint32_t ack = 0, const More& m = {}) {
  return tcp(1000, 443, flags,
             {.sequence = seq,
              .acknowledgment = ack,
              .payload = m.data,
              .window = m.window,
              .options = m.options});
}
Bytes s(std::string_view flags, std::uint32_t seq, std::uint32_t ack = 0, const More& m = {}) {
  return tcp(443, 1000, flags,
             {.sequence = seq,
              .acknowledgment = ack,
              .payload = m.data,
              .window = m.window,
              .options = m.options});
}
const std::string kOk = "allowed", kNone = "tcp-no-state", kState = "tcp-state",
                  kWindow = "tcp-window";
const Bytes kScale7{1, 3, 3, 7};

using Steps = std::vector<Step>;

// Behind the three first segments; the server's window is `window`.
void opened(const std::string& name, const Steps& more, std::uint16_t window = 65535) {
  Steps all{{'c', c("S", 100), kOk},
            {'s', s("SA", 500, 101, {.window = window}), kOk},
            {'c', c("A", 101, 501), kOk}};
  all.insert(all.end(), more.begin(), more.end());
  converse(name, 6, all);
}

// RFC 9293 sections 3.8.6 and 3.10.7.4.
BOOST_AUTO_TEST_CASE(sequence_numbers) {
  const More byte{.data = 1}, ten{.data = 10}, hundred{.data = 100}, thousand{.data = 1000};
  opened("up to the window and a probe beyond, no more",
         {{'c', c("PA", 101, 501, thousand), kOk},
          {'c', c("A", 1101, 501, byte), kOk},
          {'c', c("A", 1102, 501), kOk},  // an ACK behind the probe
          {'c', c("A", 1103, 501, byte), kWindow}},
         1000);
  opened("a segment that ends behind the window, and an ACK behind it",
         {{'c', c("PA", 101, 501, {.data = 1400}), kOk},
          {'c', c("A", 1501, 501), kOk},
          {'c', c("A", 1501, 501, byte), kWindow}},
         1000);
  opened("retransmitted, out of order, in pieces, kept alive",
         {{'c', c("PA", 301, 501, hundred), kOk},
          {'c', c("PA", 101, 501, hundred), kOk},
          {'c', c("PA", 101, 501, {.data = 300}), kOk},
          {'s', s("A", 501, 401), kOk},
          {'c', c("PA", 151, 501, ten), kOk},
          {'c', c("A", 400, 501), kOk},        // RFC 9293 section 3.8.4
          {'c', c("A", 400, 501, byte), kOk},  // RFC 1122 section 4.2.3.6
          {'s', s("A", 501, 401), kOk}});
  opened("the window opens, closes and is probed",
         {{'c', c("PA", 101, 501, thousand), kOk},
          {'s', s("A", 501, 1101, {.window = 0}), kOk},
          {'c', c("A", 1101, 501, byte), kOk},
          {'s', s("A", 501, 1101, {.window = 0}), kOk},
          {'c', c("A", 1101, 501, byte), kOk},
          {'c', c("A", 1103, 501, byte), kWindow},
          {'s', s("A", 501, 1102, {.window = 500}), kOk},
          {'c', c("PA", 1102, 501, {.data = 500}), kOk}},
         1000);
  opened("a window that shrinks lets in what was on its way",
         {{'c', c("A", 101, 501, hundred), kOk},
          {'s', s("A", 501, 101, {.window = 10}), kOk},
          {'c', c("PA", 201, 501, {.data = 900}), kOk}},
         1000);
  opened("older than the window",
         {{'c', c("PA", 101, 501, thousand), kOk},
          {'s', s("A", 501, 1101, {.window = 1000}), kOk},
          {'c', c("PA", 1101, 501, thousand), kOk},
          {'c', c("PA", 101, 501, thousand), kOk},  // its last bytes may be waited for
          {'c', c("A", 1099, 501), kOk},
          {'c', c("A", 1098, 501), kWindow},
          {'c', c("PA", 101, 501, {.data = 997}), kWindow}},
         1000);
  opened("far off", {{'c', c("PA", 0x8000'0000U, 501, ten), kWindow},
                     {'s', s("PA", 0x8000'0000U, 101, ten), kWindow},
                     {'c', c("PA", 101, 501, ten), kOk}});
  opened("nothing behind a FIN", {{'c', c("FA", 101, 501, ten), kOk},
                                  {'c', c("PA", 112, 501, byte), kWindow},
                                  {'c', c("FA", 101, 501, ten), kOk},
                                  {'c', c("FA", 111, 501), kOk},
                                  {'c', c("FA", 112, 501), kWindow},
                                  {'c', c("PA", 101, 501, ten), kOk},
                                  {'c', c("A", 112, 501), kOk}});
  opened("no FIN before what was sent", {{'c', c("PA", 101, 501, hundred), kOk},
                                         {'c', c("FA", 151, 501), kWindow},
                                         {'c', c("FA", 201, 501), kOk}});
  opened("a FIN that comes before its data", {{'c', c("FA", 111, 501), kOk},
                                              {'s', s("A", 501, 101), kOk},
                                              {'c', c("PA", 101, 501, ten), kOk},
                                              {'s', s("FA", 501, 112), kOk},
                                              {'s', s("FA", 501, 112), kOk},
                                              {'c', c("A", 112, 502), kOk},
                                              {'s', s("FA", 501, 112), kNone}});
}

// RFC 9293 section 3.4: all of it again across 2^32.
BOOST_AUTO_TEST_CASE(numbers_wrap) {
  constexpr std::uint32_t kC = 0xffff'fff0U, kS = 0xffff'ffffU;
  converse("across zero", 6,
           {{'c', c("S", kC), kOk},
            {'s', s("SA", kS, kC + 1), kOk},
            {'c', c("A", kC + 1, 0), kOk},
            {'c', c("PA", kC + 1, 0, {.data = 100}), kOk},
            {'s', s("PA", 0, kC + 101, {.data = 50}), kOk},
            {'c', c("A", kC + 101, 50), kOk},
            {'c', c("PA", kC + 1, 50, {.data = 100}), kOk},
            {'c', c("A", kC + 101, 51), kWindow},
            {'c', c("A", kC + 101 + 65537, 50), kWindow},
            {'c', c("FA", kC + 101, 50), kOk},
            {'s', s("FA", 50, kC + 102), kOk},
            {'c', c("A", kC + 102, 51), kOk},
            {'c', c("A", kC + 102, 51), kNone}});
}

// RFC 5961 section 5, RFC 2018.
BOOST_AUTO_TEST_CASE(acknowledgments) {
  const auto sack = [](std::uint32_t left, std::uint32_t right) {
    Bytes bytes{1, 1, 5, 10};
    append(bytes, net::Be32::from_host(left));
    append(bytes, net::Be32::from_host(right));
    return More{.options = bytes};
  };
  opened("of what was not sent", {{'s', s("A", 501, 102), kWindow},
                                  {'c', c("A", 101, 502), kWindow},
                                  {'c', c("PA", 101, 502, {.data = 10}), kWindow},
                                  {'s', s("A", 501, 101), kOk}});
  opened("old ones", {{'c', c("A", 101, 501U - 131072U), kOk},
                      {'c', c("A", 101, 501U - 131073U), kWindow},
                      {'c', c("PA", 101, 501 + 0x8000'0000U, {.data = 1}), kWindow}});
  opened("SACK", {{'c', c("PA", 201, 501, {.data = 100}), kOk},
                  {'s', s("A", 501, 101, sack(201, 301)), kOk},
                  {'s', s("A", 501, 101, sack(201, 302)), kWindow},
                  {'s', s("A", 501, 101, sack(51, 101)), kOk}});  // RFC 2883
  converse("the first one acknowledges the SYN", 6,
           {{'c', c("S", 100), kOk},
            {'s', s("SA", 500, 101), kOk},
            {'c', c("A", 101, 500), kWindow},
            {'c', c("A", 101, 502), kWindow},
            {'c', c("PA", 101, 501, {.data = 10}), kOk}});
}

// RFC 7323 section 2.
BOOST_AUTO_TEST_CASE(window_scale) {
  const auto open = [](const Bytes& client, const Bytes& server, std::uint16_t window) {
    return Steps{{'c', c("S", 100, 0, {.options = client}), kOk},
                 {'s', s("SA", 500, 101, {.window = window, .options = server}), kOk},
                 {'c', c("A", 101, 501, {.window = 512}), kOk}};
  };
  const auto then = [](Steps steps, const Steps& more) {
    steps.insert(steps.end(), more.begin(), more.end());
    return steps;
  };
  const More byte{.data = 1, .window = 512};
  converse("the SYN's own window is not scaled", 6,
           then(open(kScale7, kScale7, 100),
                {{'c', c("A", 202, 501, byte), kOk}, {'c', c("A", 203, 501, byte), kWindow}}));
  converse("the others are", 6,
           then(open(kScale7, kScale7, 100), {{'s', s("A", 501, 101, {.window = 512}), kOk},
                                              {'c', c("A", 101 + 65536, 501, byte), kOk},
                                              {'c', c("A", 101 + 65538, 501, byte), kWindow},
                                              {'s', s("A", 501 + 65536, 101, byte), kOk},
                                              {'s', s("A", 501 + 65538, 101, byte), kWindow}}));
  converse("and so is what may come again", 6,
           then(open(kScale7, kScale7, 65535), {{'s', s("A", 501, 101, {.window = 60000}), kOk},
                                                {'c', c("A", 101 + 7'000'000, 501, byte), kOk},
                                                {'c', c("A", 101, 501, byte), kOk}}));
  for (const bool by_client : {true, false}) {
    converse("not where one side does not offer it", 6,
             then(open(by_client ? kScale7 : Bytes{}, by_client ? Bytes{} : kScale7, 100),
                  {{'s', s("A", 501, 101, {.window = 512}), kOk},
                   {'c', c("A", 101 + 513, 501, byte), kOk},
                   {'c', c("A", 101 + 515, 501, byte), kWindow}}));
  }
  converse("a repeated SYN,ACK counts once", 6,
           {{'c', c("S", 100, 0, {.options = kScale7}), kOk},
            {'s', s("SA", 500, 101, {.window = 100, .options = kScale7}), kOk},
            {'s', s("SA", 500, 101, {.window = 100, .options = kScale7}), kOk},
            {'c', c("A", 101, 501, {.window = 512}), kOk},
            {'s', s("A", 501 + 65536, 101, byte), kOk},
            {'s', s("SA", 500, 101, {.window = 100, .options = kScale7}), kOk},
            {'s', s("A", 501 + 65540, 101, byte), kWindow}});
}

// RFC 5961 section 3.
BOOST_AUTO_TEST_CASE(resets) {
  const More ten{.data = 10};
  opened("exactly what is expected", {{'s', s("R", 501), kOk}, {'c', c("A", 101, 501), kNone}});
  opened("with an ACK of anything", {{'c', c("RA", 101, 7), kOk}, {'s', s("A", 501, 101), kNone}});
  opened("outside the window changes nothing", {{'s', s("R", 502 + 65535), kWindow},
                                                {'s', s("R", 501U - 65538U), kWindow},
                                                {'s', s("R", 0x9000'0000U), kWindow},
                                                {'c', c("PA", 101, 501, ten), kOk}});
  opened("inside it draws a challenge, and the connection goes on",
         {{'s', s("R", 501 + 1000), kOk},
          {'c', c("A", 101, 501), kOk},
          {'s', s("PA", 501, 101, ten), kOk}});
  opened("data on its way: the answer to the challenge ends it",
         {{'c', c("PA", 101, 501, ten), kOk},
          {'c', c("RA", 111, 501), kOk},
          {'s', s("PA", 501, 101, ten), kOk},
          {'c', c("R", 101), kOk},
          {'s', s("A", 511, 111), kOk},
          {'c', c("R", 111), kOk},
          {'s', s("A", 511, 111), kNone}});
  opened("aborted with data on its way, then the same port again",
         {{'c', c("PA", 101, 501, ten), kOk},
          {'c', c("RA", 111, 501), kOk},
          {'c', c("S", 9000), kOk},
          {'s', s("SA", 7000, 9001), kState},
          {'c', c("S", 9000), kOk},
          {'s', s("SA", 7000, 9001), kOk},
          {'c', c("A", 9001, 7001), kOk}});
  opened("a stranger's reset inside the window, and his SYN, end nothing",
         {{'c', c("R", 101 + 1000), kOk},
          {'c', c("S", 77'777), kOk},
          {'s', s("A", 501, 101), kOk},
          {'c', c("PA", 101, 501, ten), kOk},
          {'s', s("PA", 501, 111, ten), kOk}});
  converse("of a SYN", 6,
           {{'c', c("S", 100), kOk},
            {'s', s("RA", 0, 100), kWindow},
            {'s', s("RA", 0, 102), kWindow},
            {'s', s("R", 0), kWindow},
            {'c', c("R", 9999), kWindow},
            {'s', s("RA", 0, 101), kOk},
            {'s', s("SA", 500, 101), kNone}});
  converse("of a SYN,ACK", 6,
           {{'c', c("S", 100), kOk},
            {'s', s("SA", 500, 101), kOk},
            {'c', c("R", 101), kOk},
            {'c', c("A", 101, 501), kNone}});
  converse("of a SYN that was answered and is not any more", 6,
           {{'c', c("S", 100), kOk},
            {'s', s("SA", 500, 101), kOk},
            {'c', c("S", 100), kOk},
            {'s', s("RA", 0, 101), kOk},
            {'c', c("A", 101, 501), kNone}});
}

// RFC 9293 section 3.5, RFC 5961 section 4.
BOOST_AUTO_TEST_CASE(syns) {
  opened("a stranger's SYN changes nothing", {{'c', c("S", 77'777), kOk},
                                              {'c', c("PA", 101, 501, {.data = 10}), kOk},
                                              {'s', s("PA", 501, 111, {.data = 10}), kOk},
                                              {'s', s("S", 501), kState}});
  opened("a client that began anew: challenge, reset, SYN", {{'c', c("S", 9000), kOk},
                                                             {'s', s("A", 501, 101), kOk},
                                                             {'c', c("R", 101), kOk},
                                                             {'c', c("S", 9000), kOk},
                                                             {'s', s("SA", 7000, 9001), kOk},
                                                             {'c', c("A", 9001, 7001), kOk}});
  opened("both began anew: the old connection is forgotten", {{'c', c("S", 9000), kOk},
                                                              {'s', s("SA", 7000, 9002), kWindow},
                                                              {'s', s("SA", 7000, 9001), kState},
                                                              {'c', c("S", 9000), kOk},
                                                              {'s', s("SA", 7000, 9001), kOk},
                                                              {'c', c("A", 9001, 7001), kOk}});
  opened("the first SYN and its answer once more, late",
         {{'c', c("PA", 101, 501, {.data = 10}), kOk},
          {'c', c("S", 100), kOk},
          {'s', s("SA", 500, 101), kOk},
          {'c', c("PA", 111, 501), kOk}});
  opened("both began anew, and the server declines",
         {{'c', c("S", 9000), kOk}, {'s', s("RA", 0, 9001), kOk}, {'c', c("A", 101, 501), kNone}});
  opened("windows hold while a SYN is doubted", {{'c', c("S", 9000), kOk},
                                                 {'s', s("A", 501 + 65538, 101), kWindow},
                                                 {'s', s("A", 501 + 65535, 101, {.data = 1}), kOk},
                                                 {'c', c("A", 101, 501), kOk},
                                                 {'s', s("A", 501 + 3 * 65535, 101), kWindow}});
  converse("the second attempt, answered as the first", 6,
           {{'c', c("S", 100), kOk},
            {'c', c("S", 9000), kOk},
            {'s', s("SA", 500, 101), kOk},
            {'c', c("A", 101, 501), kOk}});
  converse("another attempt while the server holds the first", 6,
           {{'c', c("S", 100), kOk},
            {'s', s("SA", 500, 101), kOk},
            {'c', c("S", 9000), kOk},
            {'s', s("A", 501, 101), kOk},
            {'c', c("R", 101), kOk},
            {'c', c("S", 9000), kOk},
            {'s', s("SA", 7000, 9001), kOk},
            {'c', c("A", 9001, 7001), kOk}});
  converse("an old SYN is answered (RFC 9293 figure 9)", 6,
           {{'c', c("S", 100), kOk},
            {'s', s("SA", 500, 77), kOk},
            {'c', c("A", 101, 501), kState},
            {'c', c("R", 77), kOk},
            {'s', s("SA", 500, 101), kOk},
            {'c', c("A", 101, 501), kOk}});
  converse("a server that keeps no state answers anew (RFC 4987)", 6,
           {{'c', c("S", 100), kOk},
            {'s', s("SA", 500, 101), kOk},
            {'c', c("S", 100), kOk},
            {'s', s("SA", 90'000'000, 101), kOk},
            {'c', c("A", 101, 90'000'001), kOk}});
  converse("data in the SYN, taken (RFC 7413)", 6,
           {{'c', c("S", 100, 0, {.data = 200}), kOk},
            {'s', s("SA", 500, 301), kOk},
            {'s', s("PA", 501, 301, {.data = 100}), kOk},
            {'c', c("A", 301, 601), kOk}});
  converse("data in the SYN, not taken", 6,
           {{'c', c("S", 100, 0, {.data = 200}), kOk},
            {'s', s("SA", 500, 101, {.window = 50}), kOk},
            {'c', c("PA", 101, 501, {.data = 50}), kOk}});
  converse("simultaneous open, then data both ways", 6,
           {{'c', c("S", 100, 0, {.options = kScale7}), kOk},
            {'s', s("S", 500, 0, {.options = kScale7}), kOk},
            {'s', s("S", 501), kWindow},
            {'c', c("SA", 100, 501), kOk},
            {'s', s("SA", 500, 102), kWindow},
            {'s', s("SA", 500, 101), kOk},
            {'s', s("A", 501, 100), kWindow},
            {'s', s("PA", 501, 101, {.data = 10, .window = 512}), kOk},
            {'c', c("A", 101 + 65536, 511, {.data = 1}), kOk}});
}

// FFW_RUL_EXT.1.5: within one second of its end a session's packets are judged by the rules again.
BOOST_AUTO_TEST_CASE(a_closed_session_is_forgotten_at_once) {
  const Steps close{{'c', c("FA", 101, 501), kOk},
                    {'s', s("FA", 501, 102), kOk},
                    {'c', c("A", 102, 502), kOk}};
  for (const Step& after : Steps{{'c', c("A", 102, 502), kNone, 900},
                                 {'s', s("FA", 501, 102), kNone, 900},
                                 {'s', s("A", 502, 102), kNone, 900},
                                 {'c', c("PA", 102, 502, {.data = 10}), kNone, 900},
                                 {'s', s("S", 9000), "default-deny", 900},
                                 {'c', c("S", 9000), kOk, 900}}) {
    Steps steps = close;
    steps.push_back(after);
    opened("closed", steps);
    opened("reset", {{'s', s("R", 501), kOk}, after});
  }
}

}  // namespace
}  // namespace meiguan::fastpath
