#include <fmt/format.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string_view>

#include "controlplane/store/postgres.h"
#include "controlplane/store/store_fixture.h"

namespace meiguan::store {
namespace {

namespace fs = std::filesystem;

constexpr const char* kPrograms = "/usr/lib/postgresql/15/bin";

// A real server in a directory of its own, reached by a socket there and by nothing else. It
// refuses to run as root: then it runs as postgres, or nobody.
class Server {
 public:
  Server() {
    std::string name = (fs::temp_directory_path() / "meiguan-pg-XXXXXX").string();
    BOOST_REQUIRE(::mkdtemp(name.data()) != nullptr);
    path_ = name;
    if (::geteuid() == 0) {
      const char* const user = ::getpwnam("postgres") != nullptr ? "postgres" : "nobody";
      const auto* const entry = ::getpwnam(user);
      BOOST_REQUIRE(::chown(path_.c_str(), entry->pw_uid, entry->pw_gid) == 0);
      as_ = fmt::format("setpriv --reuid={} --regid={} --clear-groups ", entry->pw_uid,
                        entry->pw_gid);
      struct stat null {};
      if (::stat("/dev/null", &null) == 0 && (null.st_mode & 0006) != 0006) {
        // Some build as root made it its own: the server gets one that is for all.
        as_ = fmt::format(
            "unshare -m sh -c '[ -c {0}/null ] || mknod -m 666 {0}/null c 1 3; "
            "mount --bind {0}/null /dev/null; exec \"$@\"' sh {1}",
            path_.string(), as_);
      }
    }
    command("initdb", "-A trust -U meiguan --no-sync -E UTF8 --locale=C.UTF-8");
    command("pg_ctl",
            fmt::format("-w -l {0}/log -o \"-k {0} -c listen_addresses='' -c fsync=off\" start",
                        path_.string()));
  }
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  ~Server() {
    static_cast<void>(std::system(line("pg_ctl", "-w -m immediate stop").c_str()));
    fs::remove_all(path_);
  }
  void restart() {
    command("pg_ctl", fmt::format("-w -m immediate -l {0}/log -o \"-k {0} "
                                  "-c listen_addresses='' -c fsync=off\" restart",
                                  path_.string()));
  }
  [[nodiscard]] std::string connection(const std::string& database) const {
    return fmt::format("host={} user=meiguan dbname={}", path_.string(), database);
  }
  // An empty database.
  [[nodiscard]] std::string fresh() {
    const auto name = fmt::format("t{}", ++databases_);
    auto admin = PgConnection::open(connection("postgres"));
    BOOST_REQUIRE(admin.has_value());
    BOOST_REQUIRE(admin->run("CREATE DATABASE " + name).ok());
    return connection(name);
  }

 private:
  [[nodiscard]] std::string line(const char* program, const std::string& words) const {
    return fmt::format(
        "cd {1} && {0}{2}/{3} -D {1}/data {4} >>{1}.out 2>&1; r=$?; rm -f {1}.out; "
        "exit $r",
        as_, path_.string(), kPrograms, program, words);
  }
  void command(const char* program, const std::string& words) const {
    BOOST_REQUIRE_MESSAGE(std::system(line(program, words).c_str()) == 0, program);
  }
  fs::path path_;
  std::string as_;
  int databases_{0};
};

bool installed() { return ::access((fs::path{kPrograms} / "initdb").c_str(), X_OK) == 0; }

BOOST_AUTO_TEST_CASE(postgres_does_what_a_store_does) {
  if (!installed()) {
    const char* const ci = std::getenv("CI");
    const bool must = ci != nullptr && std::string_view{ci} == "true";
    BOOST_REQUIRE_MESSAGE(!must, "PostgreSQL 15 is not installed: tools/packages test");
    std::puts("SKIPPED: PostgreSQL 15 is not installed: tools/packages test");
    return;
  }
  Server server;
  for (const auto& check : store_checks()) {
    BOOST_TEST_CONTEXT(check.name) {
      auto store = open_postgres(server.fresh(), test_options());
      BOOST_REQUIRE_MESSAGE(store.has_value(), (store ? "" : store.error().message.english));
      check.run(**store);
    }
  }
  // A database that is not ours, or of another version, is refused and left as it is.
  struct Foreign {
    const char* table;
    const char* says;
  };
  for (const auto& [table, says] :
       {Foreign{"groups (id bigint, node text)",
                "groups has the columns (id node), expected (first chunk)"},
        Foreign{"rows_1m (time bigint, n bigint)",
                "rows_1m has the columns (time n), expected no such table"},
        Foreign{"watches_1d (time bigint)", "watches_1d has the columns (time)"},
        Foreign{"hits (node text, rule text)", "hits has the columns (node rule), expected (node"},
        Foreign{"packs_5m (time bigint, sums bytea)", "expected (time node sums)"}}) {
    const auto foreign = server.fresh();
    auto admin = PgConnection::open(foreign);
    BOOST_REQUIRE(admin.has_value());
    BOOST_REQUIRE(admin->run(fmt::format("CREATE TABLE {}", table)).ok());
    const auto refused = open_postgres(foreign, test_options());
    BOOST_REQUIRE(!refused.has_value());
    BOOST_TEST_CONTEXT(refused.error().message.english) {
      BOOST_TEST(refused.error().message.english.find(says) != std::string::npos);
      BOOST_TEST(refused.error().message.english.find("createdb") != std::string::npos);
    }
    BOOST_TEST(admin->run("SELECT FROM pg_tables WHERE schemaname = 'public'").rows() == 1);
  }
  const auto of_before = server.fresh();
  {
    auto filled = open_postgres(of_before, test_options());
    BOOST_REQUIRE(filled.has_value());
    fill_days(**filled, 0, 60);
    auto admin = PgConnection::open(of_before);
    BOOST_REQUIRE(admin.has_value());
    BOOST_REQUIRE(admin->run("DROP TABLE longest").ok());
    BOOST_REQUIRE(admin->run("TRUNCATE packs_16d, times_16d").ok());
  }
  days_are_enough(**open_postgres(of_before, test_options()));
  // A server that goes away: what was not acknowledged may be sent again, and counts once.
  const auto database = server.fresh();
  auto store = open_postgres(database, test_options());
  BOOST_REQUIRE(store.has_value());
  const auto batch = [](std::uint64_t sequence) {
    return test_batch("360121", sequence, kTestDay, {test_row("czj", "allowed", 1)});
  };
  BOOST_TEST(((*store)->append(batch(1)) == Applied::kNow));
  server.restart();
  BOOST_TEST(!(*store)->append(batch(2)).has_value());
  BOOST_TEST(((*store)->append(batch(2)) == Applied::kNow));
  BOOST_TEST(((*store)->append(batch(2)) == Applied::kBefore));
  BOOST_TEST(test_sums(**store, Dimension::kUnit) == "czj=2");
  BOOST_TEST(open_postgres(database, test_options()).has_value());
}

}  // namespace
}  // namespace meiguan::store
