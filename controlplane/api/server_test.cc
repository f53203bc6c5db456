#define BOOST_TEST_MODULE api
#include "controlplane/api/server.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/asio.hpp>
#include <boost/test/unit_test.hpp>
#include <thread>

#include "controlplane/api/protocol.h"

namespace meiguan::api {
namespace {

namespace asio = boost::asio;
namespace json = boost::json;
using Stream = asio::local::stream_protocol;

// A server that says a request back, on a thread of its own.
class Echo {
 public:
  Echo()
      : path{std::filesystem::temp_directory_path() /
             fmt::format("meiguan-api-{}.sock", ::getpid())},
        server{io, [](json::object request, const Peer& peer, const Server::Reply& reply) {
                 reply({{"ok", true},
                        {"request", std::move(request)},
                        {"uid", peer.uid},
                        {"pid", peer.pid},
                        {"user", peer.user}});
               }} {
    BOOST_REQUIRE(server.listen(path).has_value());
    thread = std::thread{[this] { io.run(); }};
  }
  ~Echo() {
    asio::post(io, [this] {
      server.close();
      io.stop();
    });
    thread.join();
  }
  // What comes back for these bytes, up to the end or a line.
  std::string raw(const std::string& bytes) {
    asio::io_context own;
    Stream::socket socket{own};
    socket.connect(Stream::endpoint{path.string()});
    boost::system::error_code error;
    asio::write(socket, asio::buffer(bytes), error);
    std::string answer;
    asio::read_until(socket, asio::dynamic_buffer(answer), '\n', error);
    return answer;
  }

  std::filesystem::path path;
  asio::io_context io;
  Server server;
  std::thread thread;
};

BOOST_AUTO_TEST_CASE(asks_and_answers) {
  Echo echo;
  struct stat status {};
  BOOST_REQUIRE(::stat(echo.path.c_str(), &status) == 0);
  BOOST_TEST((status.st_mode & 0777) == 0660U);
  for (int i = 0; i < 200; ++i) {
    const auto answer = ask(echo.path, {{"command", "x"}, {"n", i}}, std::chrono::seconds{5});
    BOOST_REQUIRE(answer.has_value());
    BOOST_TEST(answer->at("request").at("n").as_int64() == i);
  }
}

BOOST_AUTO_TEST_CASE(knows_who_asks) {
  Echo echo;
  const auto answer = ask(echo.path, {{"command", "x"}}, std::chrono::seconds{5});
  BOOST_REQUIRE(answer.has_value());
  BOOST_TEST(answer->at("uid").to_number<std::uint32_t>() == ::getuid());
  BOOST_TEST(answer->at("pid").to_number<std::int32_t>() == ::getpid());
  BOOST_TEST(!answer->at("user").as_string().empty());
}

BOOST_AUTO_TEST_CASE(hostile_lines) {
  Echo echo;
  const std::pair<const char*, std::string> kRefused[] = {
      {"not JSON", "hello\n"},
      {"not an object", "[1]\n"},
      {"deep", std::string(2000, '[') + "\n"},
      {"an empty line", "\n"},
      {"not UTF-8", "{\"a\":\"\xff\"}\n"},
      {"a number beyond all doubles", "{\"a\":[{\"b\":1e999}]}\n"},
      {"the same below zero", "{\"a\":-1e999}\n"},
  };
  for (const auto& [name, line] : kRefused) {
    BOOST_TEST(echo.raw(line).find("\"ok\":false") != std::string::npos, name);
  }
  BOOST_TEST(echo.raw(std::string(2 * kMaxRequestBytes, 'x')).empty(), "a line without end");
  BOOST_TEST(ask(echo.path, {{"command", "x"}}, std::chrono::seconds{5}).has_value());
}

BOOST_AUTO_TEST_CASE(one_client_too_many_is_let_go) {
  Echo echo;
  asio::io_context own;
  std::vector<Stream::socket> sockets;
  for (std::size_t i = 0; i < kMaxClients; ++i) {
    sockets.emplace_back(own).connect(Stream::endpoint{echo.path.string()});
    asio::write(sockets.back(), asio::buffer(std::string{"{}\n"}));
    std::string answer;
    asio::read_until(sockets.back(), asio::dynamic_buffer(answer), '\n');
  }
  BOOST_TEST(!ask(echo.path, {{"command", "x"}}, std::chrono::seconds{5}).has_value());
  sockets.clear();
  for (int i = 0; i < 100; ++i) {
    if (ask(echo.path, {{"command", "x"}}, std::chrono::seconds{5})) return;
    std::this_thread::sleep_for(std::chrono::milliseconds{10});
  }
  BOOST_ERROR("clients that left are not forgotten");
}

BOOST_AUTO_TEST_CASE(a_second_daemon_is_refused) {
  Echo echo;
  asio::io_context io;
  Server second{io, [](json::object, const Peer&, const Server::Reply&) {}};
  BOOST_TEST(!second.listen(echo.path).has_value());
  BOOST_TEST(ask(echo.path, {{"command", "x"}}, std::chrono::seconds{5}).has_value());
}

BOOST_AUTO_TEST_CASE(nobody_listens) {
  BOOST_TEST(!ask("/nonexistent/socket", {}, std::chrono::seconds{1}).has_value());
}

}  // namespace
}  // namespace meiguan::api
