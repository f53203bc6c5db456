#define BOOST_TEST_MODULE web
#include <fmt/format.h>
#include <unistd.h>

#include <atomic>
#include <boost/asio.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/test/unit_test.hpp>
#include <mutex>
#include <optional>
#include <thread>

#include "controlplane/web/https_client.h"
#include "controlplane/web/https_server.h"
#include "controlplane/web/test_certificates.h"

namespace meiguan::web {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;
using std::chrono::milliseconds;

constexpr milliseconds kLong{20'000};

net::Prefix prefix(std::uint32_t address, std::uint8_t length) {
  return net::Prefix::around(net::Address::v4(address), length);
}

// A server on a thread of its own that says what it was asked, and authorities for both ends.
class World {
 public:
  explicit World(HttpsLimits limits = {}, net::Prefix network = prefix(0x7f00'0000, 8))
      : directory{std::filesystem::temp_directory_path() /
                  fmt::format("meiguan-web-{}", ::getpid())},
        authority{directory, "authority"},
        foreign{directory, "foreign"},
        client_files{authority.issue("client", {{"county"}})},
        server_files{authority.issue("server", {{"gateway"}})} {
    start(limits, network);
  }
  ~World() {
    stop();
    std::filesystem::remove_all(directory);
  }

  void start(const HttpsLimits& limits, const net::Prefix& network) {
    server = std::make_unique<HttpsServer>(
        io, HttpsSettings{net::Address::v4(0x7f00'0001), 0, server_files, {network}, limits},
        [this](Request request, const HttpsServer::Reply& reply) {
          answer(std::move(request), reply);
        },
        [this](const TurnedAway& one) {
          const std::lock_guard lock{mutex};
          told.push_back(one);
        });
    const auto listening = server->listen();
    BOOST_REQUIRE(listening.has_value());
    port = server->port();
    thread = std::thread{[this] {
      const auto work = asio::make_work_guard(io);
      io.run();
    }};
  }
  void stop() {
    if (!thread.joinable()) return;
    asio::post(io, [this] {
      server->close();
      io.stop();
    });
    thread.join();
  }

  // A question with these files to this server; empty where there is no answer.
  std::string ask(const TlsFiles& files, const std::string& host = "127.0.0.1") {
    auto client = HttpsClient::make({{host, port}, files});
    BOOST_REQUIRE(client.has_value());
    const auto got = (*client)->post("/echo", "text/plain", "hello", kLong);
    return got ? got->body : std::string{};
  }
  std::unique_ptr<HttpsClient> client() {
    auto made = HttpsClient::make({{"127.0.0.1", port}, client_files});
    BOOST_REQUIRE(made.has_value());
    return std::move(*made);
  }
  std::uint64_t turned(Turned why) const {
    return server->counts().turned[static_cast<std::size_t>(why)];
  }
  // Waits for the server's thread to have counted it: the client may know first.
  bool comes_to(const std::function<bool()>& condition) const {
    const auto until = std::chrono::steady_clock::now() + kLong;
    while (!condition()) {
      if (std::chrono::steady_clock::now() > until) return false;
      std::this_thread::sleep_for(milliseconds{2});
    }
    return true;
  }

  std::filesystem::path directory;
  TestAuthority authority;
  TestAuthority foreign;
  TlsFiles client_files;
  TlsFiles server_files;
  asio::io_context io;
  std::unique_ptr<HttpsServer> server;
  std::uint16_t port{0};
  std::mutex mutex;
  std::vector<TurnedAway> told;
  std::thread thread;

 private:
  static void answer(Request request, const HttpsServer::Reply& reply) {
    if (request.target == "/nothing") return;
    Response response;
    response.content_type = "text/plain";
    response.body = fmt::format("{} {} {} {} {} {}", request.method, request.target,
                                request.peer.name, net::to_string(request.address),
                                request.header("CONTENT-TYPE"), request.body);
    reply(std::move(response));
  }
};

// A client that does as it is told, byte by byte.
class Raw {
 public:
  Raw(std::uint16_t port, const TlsFiles& files,
      asio::ssl::context::method method = asio::ssl::context::tlsv13_client)
      : context_{method} {
    context_.use_certificate_chain_file(files.certificate.string());
    context_.use_private_key_file(files.key.string(), asio::ssl::context::pem);
    stream_.emplace(io_, context_);
    stream_->next_layer().connect({asio::ip::address_v4::loopback(), port});
    stream_->handshake(asio::ssl::stream_base::client, error);
  }
  // Everything that comes back, to the end of the connection.
  std::string talk(const std::string& bytes) {
    asio::write(*stream_, asio::buffer(bytes), error);
    std::string answer;
    asio::read(*stream_, asio::dynamic_buffer(answer), error);
    return answer;
  }
  error_code error;

 private:
  asio::io_context io_;
  asio::ssl::context context_;
  // Made when the context is whole; to assign another one would leak it.
  std::optional<asio::ssl::stream<tcp::socket>> stream_;
};

BOOST_AUTO_TEST_CASE(asks_and_answers_on_a_kept_connection) {
  World world;
  const auto client = world.client();
  for (int i = 0; i < 50; ++i) {
    const auto got = client->post("/a?b=c", "text/x", std::to_string(i), kLong);
    BOOST_REQUIRE(got.has_value());
    BOOST_TEST(got->status == 200U);
    BOOST_TEST(got->content_type == "text/plain");
    BOOST_TEST(got->body == fmt::format("POST /a?b=c county 127.0.0.1 text/x {}", i));
  }
  const auto got = client->get("/b", kLong);
  BOOST_REQUIRE(got.has_value());
  BOOST_TEST(got->body == "GET /b county 127.0.0.1  ");
  const std::string large(5'000'000, 'x');
  const auto echoed = client->post("/", "text/x", large, kLong);
  BOOST_REQUIRE(echoed.has_value());
  BOOST_TEST(echoed->body.size() > large.size());
  const auto counts = world.server->counts();
  BOOST_TEST(counts.connections == 1U);
  BOOST_TEST(counts.requests == 52U);
}

BOOST_AUTO_TEST_CASE(clients_that_are_not_trusted) {
  World world;
  const auto named = [](long from, long to) { return Wanted{{"county"}, "", from, to}; };
  const auto revoked = world.authority.issue("revoked", {{"county"}});
  const std::pair<const char*, TlsFiles> kClients[] = {
      {"expired", world.authority.issue("expired", named(-7200, -3600))},
      {"not valid yet", world.authority.issue("early", named(3600, 7200))},
      {"of a foreign authority", world.foreign.issue("stranger", {{"county"}})},
      {"no certificate", {{}, {}, {}, {}}},
  };
  std::uint64_t refused = 0;
  for (auto [name, files] : kClients) {
    files.authority = world.authority.file();
    BOOST_TEST(world.ask(files) == "", name);
    ++refused;
    BOOST_TEST(world.comes_to([&] { return world.turned(Turned::kHandshake) == refused; }), name);
  }
  BOOST_TEST(!world.ask(revoked).empty(), "not revoked yet");
  world.stop();
  world.server_files.revoked = world.authority.revoke(revoked);
  world.io.restart();
  world.start({}, prefix(0x7f00'0000, 8));
  BOOST_TEST(world.ask(revoked) == "", "revoked");
  BOOST_TEST(!world.ask(world.client_files).empty(), "not revoked");
  const std::lock_guard lock{world.mutex};
  BOOST_REQUIRE(!world.told.empty());
  BOOST_TEST(world.told[0].detail == "certificate has expired");
}

BOOST_AUTO_TEST_CASE(old_versions_of_tls) {
  World world;
  const Raw old{world.port, world.client_files, asio::ssl::context::tlsv12_client};
  BOOST_TEST(old.error.failed());
  Raw current{world.port, world.client_files};
  BOOST_TEST(!current.error.failed());
  BOOST_TEST(!current.talk("GET / HTTP/1.1\r\nConnection: close\r\n\r\n").empty());
}

BOOST_AUTO_TEST_CASE(servers_that_are_not_trusted) {
  World world;
  BOOST_TEST(!world.ask(world.client_files, "localhost").empty());
  BOOST_TEST(world.ask(world.client_files, "127.0.0.2") == "", "an address it does not name");
  auto other = world.client_files;
  other.authority = world.foreign.file();
  BOOST_TEST(world.ask(other) == "", "a foreign authority");
  world.server_files = world.authority.issue("late", {{"gateway"}, "IP:127.0.0.1", -7200, -3600});
  std::filesystem::copy_file(world.server_files.certificate, world.directory / "server.pem",
                             std::filesystem::copy_options::overwrite_existing);
  std::filesystem::permissions(world.directory / "server.key", std::filesystem::perms::all);
  BOOST_TEST(!world.server->renew().has_value(), "files that do not fit");
  BOOST_TEST(!world.ask(world.client_files).empty(), "the old certificate stays");
}

BOOST_AUTO_TEST_CASE(a_renewed_certificate) {
  World world;
  const auto late = world.authority.issue("late", {{"gateway"}, "IP:127.0.0.1", -7200, -3600});
  for (const char* const kind : {"pem", "key"}) {
    std::filesystem::remove(world.directory / fmt::format("server.{}", kind));
    std::filesystem::copy_file(world.directory / fmt::format("late.{}", kind),
                               world.directory / fmt::format("server.{}", kind));
  }
  BOOST_TEST(!world.ask(world.client_files).empty());
  std::atomic<int> renewed{0};
  asio::post(world.io, [&] { renewed = world.server->renew() ? 1 : 2; });
  BOOST_TEST(world.comes_to([&] { return renewed != 0; }));
  BOOST_TEST(renewed == 1);
  BOOST_TEST(world.ask(world.client_files) == "", "an expired server");
}

BOOST_AUTO_TEST_CASE(hostile_requests) {
  HttpsLimits limits;
  limits.header_bytes = 2000;
  limits.body_bytes = 1000;
  limits.all_bodies_bytes = 900;
  limits.header = limits.body = limits.handshake = milliseconds{300};
  World world{limits};
  const struct {
    const char* name;
    std::string bytes;
    const char* status;
    Turned why;
  } kRequests[] = {
      {"not HTTP", "hello\r\n\r\n", "HTTP/1.1 400", Turned::kHeader},
      {"a zero", std::string{"GET /\0 HTTP/1.1\r\n\r\n", 19}, "HTTP/1.1 400", Turned::kHeader},
      {"two lengths", "POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
       "HTTP/1.1 400", Turned::kHeader},
      {"a large header", "GET / HTTP/1.1\r\nX: " + std::string(3000, 'x'), "HTTP/1.1 431",
       Turned::kHeaderBytes},
      {"a large body", "POST / HTTP/1.1\r\nContent-Length: 1001\r\n\r\n", "HTTP/1.1 413",
       Turned::kBodyBytes},
      {"no room", "POST / HTTP/1.1\r\nContent-Length: 901\r\n\r\n", "HTTP/1.1 503",
       Turned::kBodiesBytes},
      {"chunks", "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", "HTTP/1.1 411",
       Turned::kLength},
      {"half a header", "GET / HTTP/1.1\r\nX: ", "", Turned::kSlow},
      {"half a body", "POST / HTTP/1.1\r\nContent-Length: 100\r\n\r\nx", "", Turned::kSlow},
  };
  for (const auto& one : kRequests) {
    const auto before = world.turned(one.why);
    const auto answer = Raw{world.port, world.client_files}.talk(one.bytes);
    BOOST_TEST(answer.starts_with(one.status), one.name << ": " << answer);
    if (*one.status == '\0') BOOST_TEST(answer.empty(), one.name);
    BOOST_TEST(world.comes_to([&] { return world.turned(one.why) == before + 1; }), one.name);
  }
  BOOST_TEST(world.ask(world.client_files).ends_with("hello"));
  BOOST_TEST(Raw(world.port, world.client_files)
                 .talk("POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n")
                 .starts_with("HTTP/1.1 100"));
}

BOOST_AUTO_TEST_CASE(a_client_that_never_shakes_hands) {
  HttpsLimits limits;
  limits.handshake = milliseconds{100};
  World world{limits};
  asio::io_context io;
  tcp::socket silent{io};
  silent.connect({asio::ip::address_v4::loopback(), world.port});
  error_code error;
  char byte = 0;
  asio::read(silent, asio::buffer(&byte, 1), error);
  BOOST_TEST(error.failed());
  BOOST_TEST(world.comes_to([&] { return world.turned(Turned::kSlow) == 1; }));
}

BOOST_AUTO_TEST_CASE(a_wrong_network) {
  World world{{}, prefix(0x0a00'0000, 8)};
  BOOST_TEST(world.ask(world.client_files) == "");
  BOOST_TEST(world.turned(Turned::kNetwork) == 1U);
  BOOST_TEST(world.turned(Turned::kHandshake) == 0U);
  for (int i = 0; i < 20; ++i) static_cast<void>(world.ask(world.client_files));
  BOOST_TEST(world.turned(Turned::kNetwork) == 21U);
  const std::lock_guard lock{world.mutex};
  BOOST_TEST(world.told.size() < 21U, "a flood is not told of one by one");
}

BOOST_AUTO_TEST_CASE(many_connections) {
  for (const bool by_address : {false, true}) {
    HttpsLimits limits;
    (by_address ? limits.connections_per_address : limits.connections) = 5;
    World world{limits};
    const auto why = by_address ? Turned::kOfAddress : Turned::kConnections;
    std::vector<std::unique_ptr<HttpsClient>> clients;
    for (int i = 0; i < 5; ++i) {
      clients.push_back(world.client());
      const auto got = clients.back()->get("/", kLong);
      BOOST_REQUIRE(got.has_value());
    }
    BOOST_TEST(world.ask(world.client_files) == "");
    BOOST_TEST(world.turned(why) == 1U);
    clients.clear();
    BOOST_TEST(world.comes_to([&] { return world.server->counts().open == 0; }));
    BOOST_TEST(!world.ask(world.client_files).empty());
  }
}

BOOST_AUTO_TEST_CASE(an_answer_that_never_comes) {
  World world;
  const auto client = world.client();
  BOOST_TEST(!client->post("/nothing", "", "", kLong).has_value());
  BOOST_TEST(client->get("/", kLong).has_value(), "it is connected again");
  asio::io_context io;
  const tcp::acceptor mute{io, {asio::ip::address_v4::loopback(), 0}};
  auto made = HttpsClient::make({{"127.0.0.1", mute.local_endpoint().port()}, world.client_files});
  BOOST_REQUIRE(made.has_value());
  BOOST_TEST(!(*made)->get("/", milliseconds{100}).has_value());
  std::jthread impatient{[&] { (*made)->cancel(); }};
  BOOST_TEST(!(*made)->get("/", std::chrono::hours{1}).has_value());
}

BOOST_AUTO_TEST_CASE(nobody_listens) {
  World world;
  const auto client = world.client();
  BOOST_TEST(client->get("/", kLong).has_value());
  world.stop();
  world.server.reset();
  BOOST_TEST(!client->get("/", kLong).has_value());
}

}  // namespace
}  // namespace meiguan::web
