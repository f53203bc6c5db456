#include "dataplane/channel/channel.h"

#include <dirent.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

namespace meiguan::channel {
namespace {

struct Pair {
  int a{-1};
  int b{-1};
  Pair() {
    int s[2];
    BOOST_REQUIRE_EQUAL(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, s), 0);
    a = s[0];
    b = s[1];
  }
  ~Pair() {
    ::close(a);
    ::close(b);
  }
};

std::size_t open_descriptors() {
  std::size_t count = 0;
  DIR* directory = ::opendir("/proc/self/fd");
  while (::readdir(directory) != nullptr) ++count;
  ::closedir(directory);
  return count;
}

std::vector<std::byte> bytes_of(std::string_view text) {
  std::vector<std::byte> bytes(text.size());
  std::memcpy(bytes.data(), text.data(), text.size());
  return bytes;
}

// A raw packet with `descriptors` copies of standard input.
void send_raw(int socket, const void* data, std::size_t bytes, std::size_t descriptors) {
  iovec part{const_cast<void*>(data), bytes};
  std::vector<std::byte> control(CMSG_SPACE(sizeof(int) * std::max<std::size_t>(descriptors, 1)));
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  if (descriptors != 0) {
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    cmsghdr* c = CMSG_FIRSTHDR(&message);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(int) * descriptors);
    std::memset(CMSG_DATA(c), 0, sizeof(int) * descriptors);
  }
  BOOST_REQUIRE_GE(::sendmsg(socket, &message, 0), 0);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(channel)

BOOST_AUTO_TEST_CASE(a_message_arrives_as_sent_with_its_descriptors) {
  const std::size_t before = open_descriptors();
  {
    Pair pair;
    const std::vector<int> descriptors{0, 1, 2};
    BOOST_REQUIRE(send(pair.a, 3, 0, bytes_of("hello"), descriptors).has_value());
    BOOST_REQUIRE(send(pair.a, 4, 1, {}, {}).has_value());
    auto first = receive(pair.b);
    BOOST_REQUIRE(first.has_value());
    BOOST_TEST(first->header.type == 3U);
    BOOST_TEST(first->header.status == 0U);
    BOOST_TEST((first->payload == bytes_of("hello")));
    BOOST_TEST(first->descriptors.size() == 3U);
    const int taken = first->release_descriptor(1);
    BOOST_TEST(taken >= 0);
    BOOST_TEST(first->release_descriptor(1) == -1);
    BOOST_TEST(first->release_descriptor(9) == -1);
    ::close(taken);
    auto second = receive(pair.b);
    BOOST_REQUIRE(second.has_value());
    BOOST_TEST(second->header.type == 4U);
    BOOST_TEST(second->header.status == 1U);
    BOOST_TEST(second->payload.empty());
    *second = std::move(*first);
    BOOST_TEST(second->descriptors.size() == 3U);
  }
  BOOST_TEST(open_descriptors() == before);
}

BOOST_AUTO_TEST_CASE(what_is_too_large_is_refused_by_the_sender) {
  Pair pair;
  const std::vector<std::byte> most(kMaxMessageBytes - sizeof(MessageHeader));
  const std::vector<std::byte> more(most.size() + 1);
  BOOST_TEST(send(pair.a, 1, 0, most, {}).has_value());
  BOOST_TEST(receive(pair.b).has_value());
  BOOST_TEST(!send(pair.a, 1, 0, more, {}).has_value());
  const std::vector<int> descriptors(kMaxDescriptors + 1, 0);
  BOOST_TEST(!send(pair.a, 1, 0, {}, descriptors).has_value());
}

BOOST_AUTO_TEST_CASE(a_hostile_message_is_an_error_and_leaks_nothing) {
  struct Case {
    const char* name;
    MessageHeader header;
    std::size_t bytes;
    std::size_t descriptors;
    const char* message;
  };
  MessageHeader good{};
  MessageHeader version{};
  version.version = 99;
  MessageHeader longer{};
  longer.bytes = 1;
  MessageHeader huge{};
  huge.bytes = 0xffff'ffffU;
  const Case cases[] = {
      {"shorter than a header", good, 7, 1, "shorter than its header"},
      {"another version", version, sizeof good, 2, "version 99"},
      {"says it is longer", longer, sizeof good, 1, "not what its header says"},
      {"says it is huge", huge, sizeof good, 0, "not what its header says"},
      {"too many descriptors", good, sizeof good, kMaxDescriptors + 5, "larger than the channel"},
      {"the most descriptors there can be", good, sizeof good, 253, "larger than the channel"},
      {"too many bytes", good, kMaxMessageBytes + 1, 3, "larger than the channel"},
  };
  for (const Case& c : cases) {
    BOOST_TEST_CONTEXT(c.name) {
      Pair pair;
      const std::size_t before = open_descriptors();
      std::vector<std::byte> raw(std::max(c.bytes, sizeof(MessageHeader)));
      std::memcpy(raw.data(), &c.header, sizeof c.header);
      send_raw(pair.a, raw.data(), c.bytes, c.descriptors);
      {
        auto got = receive(pair.b);
        BOOST_REQUIRE(!got.has_value());
        BOOST_TEST(got.error().message.english.find(c.message) != std::string::npos,
                   got.error().message.english);
        BOOST_TEST(!got.error().message.chinese.empty());
      }
      BOOST_TEST(open_descriptors() == before);
    }
  }
}

BOOST_AUTO_TEST_CASE(a_closed_peer_is_an_error_on_both_ways) {
  Pair pair;
  ::shutdown(pair.b, SHUT_RDWR);
  BOOST_TEST(!send(pair.a, 1, 0, {}, {}).has_value());
  BOOST_TEST(!receive(pair.a).has_value());
}

BOOST_AUTO_TEST_CASE(a_client_gets_answers_refusals_and_errors) {
  const std::string path = "/tmp/meiguan-channel-test." + std::to_string(::getpid());
  const int listener = ::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::copy(path.begin(), path.end(), std::begin(address.sun_path));
  BOOST_REQUIRE_EQUAL(::bind(listener, reinterpret_cast<const sockaddr*>(&address), sizeof address),
                      0);
  BOOST_REQUIRE_EQUAL(::listen(listener, 4), 0);

  std::jthread server{[listener] {
    const int socket = ::accept(listener, nullptr, nullptr);
    for (int i = 0; i < 3; ++i) {
      auto request = receive(socket);
      if (!request) break;
      using namespace std::string_view_literals;
      if (i == 0) (void)send(socket, request->header.type, 0, bytes_of("yes"), {});
      if (i == 1) (void)send(socket, request->header.type, 1, bytes_of("no\0不"sv), {});
      if (i == 2) (void)send(socket, 77, 0, {}, {});
    }
    ::close(socket);
  }};
  auto client = Client::connect(path);
  BOOST_REQUIRE(client.has_value());
  auto yes = client->ask(Request::kStatus);
  BOOST_REQUIRE(yes.has_value());
  BOOST_TEST((yes->payload == bytes_of("yes")));
  auto no = client->ask(Request::kStatus);
  BOOST_REQUIRE(!no.has_value());
  BOOST_TEST(no.error().message.english == "no");
  BOOST_TEST(no.error().message.chinese == "不");
  BOOST_TEST(!client->ask(Request::kStatus).has_value());
  BOOST_TEST(!client->ask(Request::kStatus).has_value());  // closed after a wrong answer
  ::close(listener);
  ::unlink(path.c_str());
}

BOOST_AUTO_TEST_CASE(connecting_to_nobody_says_what_to_do) {
  auto client = Client::connect("/nonexistent/dataplane.sock");
  BOOST_REQUIRE(!client.has_value());
  BOOST_TEST(client.error().message.english.find("is meiguan-dataplane running?") !=
             std::string::npos);
  BOOST_TEST(!Client::connect(std::string(200, 'x')).has_value());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace meiguan::channel
