#define BOOST_TEST_MODULE syslog
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <boost/json.hpp>
#include <boost/test/unit_test.hpp>
#include <fstream>

#include "controlplane/audit/log.h"
#include "controlplane/syslog/forwarder.h"

namespace meiguan::syslog {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

const Sender kSender{"gateway-1", 42};

BOOST_AUTO_TEST_CASE(messages) {
  Message plain;
  plain.milliseconds = 1'700'000'000'123;
  plain.id = "apply";
  plain.text = "text";
  const std::string kHead = "<109>1 2023-11-14T22:13:20.123Z gateway-1 meiguan 42 ";
  BOOST_TEST(to_line(plain, kSender) == kHead + "apply - text");
  const struct {
    const char* name;
    std::function<void(Message&)> change;
    std::string want;  // behind the process
  } kCases[] = {
      {"a line in the text", [](Message& m) { m.text = "a\n<1>1 b\r\x01"; },
       "apply - a\\u000a<1>1 b\\u000d\\u0001"},
      {"a line in the id", [](Message& m) { m.id = "a\nb c"; }, "a?b?c - text"},
      {"no id", [](Message& m) { m.id = ""; }, "- - text"},
      {"a long id", [](Message& m) { m.id = std::string(100, 'x'); },
       std::string(32, 'x') + " - text"},
      {"Chinese", [](Message& m) { m.text = "应用"; }, "apply - \xef\xbb\xbf应用"},
      {"bytes that are no UTF-8", [](Message& m) { m.text = "\xff"; }, "apply - \xff"},
      {"data",
       [](Message& m) {
         m.data = {{"n", "7"}, {"who", "a\"b\\c]d\ne"}};
       },
       "apply [meiguan@32473 n=\"7\" who=\"a\\\"b\\\\c\\]d\\u000ae\"] text"},
  };
  for (const auto& one : kCases) {
    auto message = plain;
    one.change(message);
    BOOST_TEST(to_line(message, kSender) == kHead + one.want, one.name);
  }
  auto bad = plain;
  bad.severity = Severity::kWarning;
  bad.facility = Facility::kSecurity;
  BOOST_TEST(to_line(bad, {"a b", 1}).starts_with("<36>1 2023-11-14T22:13:20.123Z a?b meiguan 1 "));
  BOOST_TEST(to_line(bad, {"", 1}).find("Z - meiguan") != std::string::npos);
  BOOST_TEST(counted("abc") == "3 abc");
  BOOST_TEST(counted("应") == "3 应");
}

// An audit log in a directory of its own.
struct Logged {
  Logged()
      : directory{std::filesystem::temp_directory_path() /
                  fmt::format("meiguan-syslog-{}", ::getpid())} {
    std::filesystem::remove_all(directory);
    open();
  }
  ~Logged() { std::filesystem::remove_all(directory); }
  void open() {
    audit::Settings settings;
    settings.directory = directory / "audit";
    settings.file_bytes = 2000;
    auto opened = audit::Log::open(settings, std::nullopt, [] { return std::int64_t{1}; });
    BOOST_REQUIRE(opened.has_value());
    log = std::move(*opened);
  }
  void append(int count) {
    for (int i = 0; i < count; ++i) {
      const auto done = log->append({"wang", 1, "security", "apply", "done", {{"i", ++written}}});
      BOOST_REQUIRE(done.has_value());
    }
  }
  [[nodiscard]] std::filesystem::path audit_directory() const { return directory / "audit"; }
  std::filesystem::path directory;
  std::unique_ptr<audit::Log> log;
  int written{0};
};

BOOST_FIXTURE_TEST_CASE(reads_in_order_over_files, Logged) {
  append(40);
  BOOST_REQUIRE(audit::files_of(audit_directory()).size() > 3U);
  LogReader reader{audit_directory(), 0};
  std::uint64_t expected = 1;
  for (auto batch = reader.read(7); !batch.records.empty(); batch = reader.read(7)) {
    BOOST_TEST(batch.lost == 0U);
    for (const auto& record : batch.records) BOOST_TEST(record.number == expected++);
    if (expected == 22) append(5);
  }
  BOOST_TEST(reader.behind() == 0U);
  append(1);
  const auto behind = reader.behind();
  BOOST_TEST(behind >= 1U);
  BOOST_TEST(reader.read(10).records.size() == behind);
  reader.go_to(10);
  BOOST_TEST(reader.read(1).records.at(0).number == 11U);
  LogReader later{audit_directory(), expected - 2};
  BOOST_TEST(later.read(1).records.at(0).number == expected - 1);
}

BOOST_FIXTURE_TEST_CASE(counts_what_is_gone, Logged) {
  append(40);
  const auto files = audit::files_of(audit_directory());
  LogReader reader{audit_directory(), 0};
  const auto first = reader.read(1);
  BOOST_TEST(first.records.at(0).number == 1U);
  std::filesystem::remove(files[0].path);
  std::filesystem::remove(files[1].path);
  LogReader anew{audit_directory(), 1};
  const auto next = anew.read(1);
  BOOST_TEST(next.lost == next.records.at(0).number - 2);
  BOOST_TEST(next.lost > 0U);
  BOOST_TEST(anew.read(1).lost == 0U);
}

BOOST_FIXTURE_TEST_CASE(never_beyond_the_head_and_another_log, Logged) {
  append(3);
  const auto path = audit::files_of(audit_directory()).back().path;
  LogReader reader{audit_directory(), 0};
  const auto all = reader.read(100).records.size();
  std::ofstream{path, std::ios::app} << "{\"n\":900,\"hash\":\"" << std::string(64, '0') << "\"}\n";
  BOOST_TEST(reader.read(100).records.empty());
  log.reset();
  std::filesystem::remove_all(audit_directory());
  BOOST_TEST(reader.read(100).records.empty());
  open();
  const auto anew = reader.read(100);
  BOOST_TEST(anew.began_anew);
  BOOST_TEST(anew.records.size() < all);
  BOOST_TEST(anew.records.at(0).number == 1U);
}

BOOST_AUTO_TEST_CASE(events_at_a_limited_rate) {
  EventQueue queue{3};
  const auto start = EventQueue::Instant{} + seconds{100};
  int made = 0;
  const auto offer = [&](EventKind kind, milliseconds at) {
    queue.offer(kind, 10, start + at, [&] {
      ++made;
      return Message{};
    });
  };
  for (int i = 0; i < 10; ++i) offer(EventKind::kDenial, milliseconds{0});
  BOOST_TEST(made == 3);
  offer(EventKind::kAttack, milliseconds{0});
  BOOST_TEST(made == 4, "attacks are not kept out by denials");
  offer(EventKind::kDenial, milliseconds{400});
  BOOST_TEST(made == 5);
  for (int i = 0; i < 10; ++i) offer(EventKind::kDenial, seconds{3600});
  BOOST_TEST(made == 8, "a long silence does not add up");
  BOOST_TEST(queue.take().size() == 8U);
  const auto suppressed = queue.take_suppressed();
  BOOST_TEST(suppressed[0].events == 14U);
  BOOST_TEST(suppressed[0].packets == 140U);
  BOOST_TEST(suppressed[1].events == 0U);
  BOOST_TEST(queue.take_suppressed()[0].events == 0U);
  EventQueue none{0};
  none.offer(EventKind::kAttack, 1, start, [] { return Message{}; });
  BOOST_TEST(none.take().empty());
}

// What the server has, and whether it is there; the forwarder owns only the way to it.
struct Server {
  std::mutex mutex;
  bool is_there{true};
  int until_lost{-1};  // messages; -1: never
  std::vector<std::string> lines;

  std::size_t size() {
    const std::lock_guard lock{mutex};
    return lines.size();
  }
};

class FakeLink : public Link {
 public:
  explicit FakeLink(Server& server) : server_{server} {}
  Result<void> connect(milliseconds) override {
    const std::lock_guard lock{server_.mutex};
    return server_.is_there ? Result<void>{} : fail("away", "不在");
  }
  Result<void> send(std::string_view line, milliseconds) override {
    const std::lock_guard lock{server_.mutex};
    if (!server_.is_there || server_.until_lost == 0) {
      server_.until_lost = -1;
      return fail("lost", "断开");
    }
    if (server_.until_lost > 0) --server_.until_lost;
    server_.lines.emplace_back(line);
    return {};
  }
  Result<void> alive() override { return connect({}); }
  [[nodiscard]] bool is_settled() const override { return true; }
  void cancel() override {}

 private:
  Server& server_;
};

// A forwarder that is quick about everything.
struct Forwarding : Logged {
  Forwarding() { start(); }
  ~Forwarding() { forwarder.reset(); }
  void start() {
    Timing timing{milliseconds{0}, milliseconds{1}, milliseconds{1}, milliseconds{2},
                  milliseconds{1}, milliseconds{0}, milliseconds{1}};
    forwarder = std::make_unique<Forwarder>(
        Settings{"tls://test", true, {"test", 1}, {}, 5},
        Places{audit_directory(), directory / "position"}, kSender,
        std::make_unique<FakeLink>(server),
        [this](const std::string& event, boost::json::object) {
          const std::lock_guard lock{notes_mutex};
          notes.push_back(event);
        },
        timing);
  }
  static bool comes_to(const std::function<bool()>& condition) {
    const auto until = std::chrono::steady_clock::now() + seconds{30};
    while (!condition()) {
      if (std::chrono::steady_clock::now() > until) return false;
      std::this_thread::sleep_for(milliseconds{1});
    }
    return true;
  }
  bool noted(const std::string& event) {
    return comes_to([&] {
      const std::lock_guard lock{notes_mutex};
      return std::ranges::find(notes, event) != notes.end();
    });
  }
  // The numbers of records in the order in which they came, each repetition once.
  std::vector<std::uint64_t> numbers() {
    std::vector<std::uint64_t> result;
    const std::lock_guard lock{server.mutex};
    for (const auto& line : server.lines) {
      const auto at = line.find(" n=\"");
      if (at == line.npos) continue;
      const auto number = std::stoull(line.substr(at + 4));
      if (result.empty() || number > result.back()) result.push_back(number);
    }
    return result;
  }
  [[nodiscard]] std::uint64_t last() const {
    std::ifstream file{audit_directory() / audit::kHeadName};
    const std::string text{std::istreambuf_iterator<char>{file}, {}};
    const auto head = audit::head_from_text(text);
    return head ? head->number : 0;
  }
  bool has_all() {
    return comes_to([&] {
      const auto all = numbers();
      return !all.empty() && all.back() == last();
    });
  }

  Server server;
  std::mutex notes_mutex;
  std::vector<std::string> notes;
  std::unique_ptr<Forwarder> forwarder;
};

BOOST_FIXTURE_TEST_CASE(a_server_that_comes_and_goes, Forwarding) {
  append(10);
  BOOST_TEST(has_all());
  BOOST_TEST(noted("syslog-up"));
  {
    const std::lock_guard lock{server.mutex};
    server.is_there = false;
  }
  append(50);
  BOOST_TEST(noted("syslog-down"));
  BOOST_TEST(!forwarder->state().is_up);
  for (int round = 0; round < 10; ++round) {
    {
      const std::lock_guard lock{server.mutex};
      server.is_there = true;
      server.until_lost = round;
    }
    append(3);
    BOOST_TEST(has_all());
  }
  const auto all = numbers();
  BOOST_TEST(all.size() == last());
  BOOST_TEST(all.front() == 1U);
  BOOST_TEST(forwarder->state().lost == 0U);
}

BOOST_FIXTURE_TEST_CASE(goes_on_after_a_restart, Forwarding) {
  append(10);
  BOOST_TEST(has_all());
  BOOST_TEST(comes_to([&] {
    forwarder.reset();
    const bool is_kept = read_position(directory / "position") == last();
    if (!is_kept) start();
    return is_kept;
  }));
  const auto before = server.size();
  append(5);
  start();
  BOOST_TEST(has_all());
  BOOST_TEST(server.size() <= before + 8, "what was confirmed is not sent again");
  for (const char* const text : {"", "x\n", "5", "99999999999999999999999\n"}) {
    std::ofstream{directory / "other"} << text;
    BOOST_TEST(read_position(directory / "other") == 0U, text);
  }
}

BOOST_FIXTURE_TEST_CASE(records_that_are_gone_are_counted, Forwarding) {
  forwarder.reset();
  std::filesystem::remove(directory / "position");
  server.lines.clear();
  append(40);
  const auto files = audit::files_of(audit_directory());
  for (std::size_t i = 0; i < 3; ++i) std::filesystem::remove(files[i].path);
  start();
  BOOST_TEST(has_all());
  BOOST_TEST(noted("syslog-lost"));
  const auto lost = numbers().front() - 1;
  BOOST_TEST(forwarder->state().lost == lost);
  const std::lock_guard lock{server.mutex};
  BOOST_TEST(server.lines[0].find(fmt::format("lost=\"{}\"", lost)) != std::string::npos);
}

BOOST_FIXTURE_TEST_CASE(events_and_what_was_suppressed, Forwarding) {
  for (int i = 0; i < 50; ++i) {
    forwarder->events().offer(EventKind::kDenial, 2, std::chrono::steady_clock::now(), [] {
      Message message;
      message.id = "denied";
      return message;
    });
  }
  BOOST_TEST(comes_to([&] {
    const std::lock_guard lock{server.mutex};
    std::uint64_t denied = 0;
    std::uint64_t suppressed = 0;
    for (const auto& line : server.lines) {
      if (line.find(" denied - ") != line.npos) ++denied;
      const auto at = line.find("suppressed [meiguan@32473 denials=\"");
      if (at != line.npos) suppressed += std::stoull(line.substr(at + 35));
    }
    return denied >= 5 && suppressed > 0 && denied + suppressed == 50;
  }));
}

}  // namespace
}  // namespace meiguan::syslog
