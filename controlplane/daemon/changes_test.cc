#define BOOST_TEST_MODULE daemon
#include "controlplane/daemon/changes.h"

#include <unistd.h>

#include <atomic>
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <fstream>
#include <set>
#include <thread>

#include "controlplane/daemon/retry.h"
#include "controlplane/kernel/test_bundle.h"

namespace meiguan::daemon {
namespace {

namespace fs = std::filesystem;

BOOST_AUTO_TEST_CASE(what_failed_is_tried_again_ever_more_rarely) {
  Retry retry;
  BOOST_TEST(retry.is_due(0));
  std::int64_t now = 5;
  for (const std::int64_t wait : {1000, 2000, 4000, 8000, 16'000, 32'000, 60'000, 60'000}) {
    retry.failed(now);
    BOOST_TEST(!retry.is_due(now + wait - 1));
    now += wait;
    BOOST_TEST(retry.is_due(now));
  }
  retry.done();
  BOOST_TEST(retry.is_due(0));
}

// The policy of a box whose data plane is away, by a clock that the test moves.
struct Box {
  Box() {
    fs::remove_all(directory);
    fs::create_directories(state);
    write("node.toml", kernel::kPolicyText);
    write("gateway.toml", kernel::kGatewayText);
  }
  ~Box() {
    changes.reset();
    fs::remove_all(directory);
  }
  Box(const Box&) = delete;
  Box& operator=(const Box&) = delete;

  void write(const char* name, const std::string& text) const {
    std::ofstream{directory / name, std::ios::binary | std::ios::trunc} << text;
  }
  void start() {
    changes.reset();
    Changes::Settings settings;
    settings.policy = directory / "node.toml";
    settings.gateway = directory / "gateway.toml";
    settings.state_dir = state;
    settings.clock = [this] {
      const auto at = milliseconds.load();
      return lifecycle::Instant{1'800'000'000 + at / 1000, at};
    };
    changes = std::make_unique<Changes>(settings, link, [](const Text&) {});
    changes->on_return([this](const lifecycle::Revision&) { ++returns; });
    const auto started = changes->start();
    BOOST_REQUIRE(started.has_value());
  }
  // Another policy, which must be confirmed within a minute.
  void apply_another() {
    write("node.toml", kernel::kPolicyText +
                           "[[unit]]\nid = \"another\"\nzone = \"extranet\"\n"
                           "prefixes = [\"10.9.0.0/24\"]\n");
    Change change;
    change.author = "li";
    change.confirm_seconds = 60;
    const auto applied = changes->apply_files({}, {}, change);
    BOOST_REQUIRE(applied.has_value());
    BOOST_REQUIRE(applied->revision.number == 2U);
  }
  [[nodiscard]] bool alarmed(const std::string& name) const {
    for (const auto& alarm : changes->alarms()) {
      if (alarm.name == name) return true;
    }
    return false;
  }
  // Real time passes, and the box's does not.
  template <typename Condition>
  void wait_until(const Condition& condition, const char* what) const {
    for (int i = 0; i < 3000 && !condition(); ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds{10});
    }
    BOOST_REQUIRE_MESSAGE(condition(), what);
  }
  // Time enough for whatever is tried again, several times over.
  void pass_while(const std::string& alarm) {
    for (int i = 0; i < 5; ++i) {
      milliseconds += 61'000;
      std::this_thread::sleep_for(std::chrono::milliseconds{250});
      BOOST_TEST(alarmed(alarm));
    }
  }

  const fs::path directory = fs::temp_directory_path() /
                             ("meiguan-changes-" + std::to_string(::getpid()));
  const fs::path state = directory / "state";
  std::atomic<std::int64_t> milliseconds{1'000'000};
  std::atomic<int> returns{0};
  report::Collector collector;
  Link link{directory / "none.sock", collector, [](const Text&) {}};
  std::unique_ptr<Changes> changes;
};

BOOST_AUTO_TEST_CASE(a_return_that_fails_is_tried_again) {
  Box box;
  box.start();
  box.apply_another();
  // Nothing of the first revision can be read: neither what was kept nor, since, its files.
  fs::rename(box.state / "revisions/objects", box.directory / "away");
  box.milliseconds += 61'000;
  box.wait_until([&] { return box.alarmed("revision-not-returned"); }, "an alarm");
  box.pass_while("revision-not-returned");
  BOOST_TEST(box.changes->in_force().revision.number == 2U);
  BOOST_TEST(box.returns == 0);
  std::set<std::string> problems;
  for (const auto& alarm : box.changes->alarms()) {
    BOOST_TEST(problems.insert(alarm.about).second, "told once: " << alarm.about);
  }
  fs::remove_all(box.state / "revisions/objects");
  fs::rename(box.directory / "away", box.state / "revisions/objects");
  box.milliseconds += 61'000;
  box.wait_until([&] { return box.returns == 1; }, "it is tried again");
  const auto now = box.changes->in_force().revision;
  BOOST_TEST(now.number == 3U);
  BOOST_TEST(now.repeats == 1U);
  box.wait_until([&] { return !box.alarmed("revision-not-returned"); }, "no alarm any more");
}

BOOST_AUTO_TEST_CASE(somebody_who_applies_ends_a_return_that_fails) {
  Box box;
  box.start();
  box.apply_another();
  fs::rename(box.state / "revisions/objects", box.directory / "away");
  box.milliseconds += 61'000;
  box.wait_until([&] { return box.alarmed("revision-not-returned"); }, "an alarm");
  fs::create_directories(box.state / "revisions/objects");
  box.write("node.toml", kernel::kPolicyText + "# a third\n");
  std::expected<Applied, Refusal> applied = std::unexpected{Refusal{}};
  box.wait_until(
      [&] {
        applied = box.changes->apply_files({}, {}, Change{});
        return applied.has_value();
      },
      "a return that is being tried keeps others out for that long");
  BOOST_TEST(!box.alarmed("revision-not-returned"));
  box.milliseconds += 61'000;
  std::this_thread::sleep_for(std::chrono::milliseconds{500});
  BOOST_TEST(box.changes->in_force().revision.number == applied->revision.number);
  BOOST_TEST(box.returns == 0);
}

BOOST_AUTO_TEST_CASE(a_return_that_cannot_be_written_down_is_when_it_can) {
  Box box;
  box.start();
  const auto blocked = box.state / "catalog.json";
  for (const bool by_hand : {false, true}) {
    box.apply_another();
    fs::remove(blocked);
    fs::create_directories(blocked / "in the way");
    if (by_hand) {
      BOOST_REQUIRE(box.changes->abort(Change{}).has_value());
    } else {
      box.milliseconds += 61'000;
    }
    box.wait_until([&] { return box.alarmed("revision-not-recorded"); }, "an alarm");
    BOOST_TEST(box.changes->in_force().revision.number == 1U, "in force all the same");
    if (by_hand) {
      BOOST_TEST(!box.changes->confirm("li").has_value(), "it was taken back");
      BOOST_TEST(!box.changes->abort(Change{}).has_value(), "once");
    }
    box.pass_while("revision-not-recorded");
    fs::remove_all(blocked);
    box.milliseconds += 61'000;
    box.wait_until([&] { return !box.alarmed("revision-not-recorded"); }, "written down");
    const auto now = box.changes->in_force().revision;
    BOOST_TEST(now.number == 3U);
    BOOST_TEST(now.repeats == 1U);
    BOOST_TEST(box.changes->history().size() == 3U);
    // The next start finds it so.
    box.start();
    BOOST_TEST(box.changes->in_force().revision.number == 3U);
    // And from the beginning.
    box.changes.reset();
    fs::remove_all(box.state);
    fs::create_directories(box.state);
    box.write("node.toml", kernel::kPolicyText);
    box.start();
  }
}

}  // namespace
}  // namespace meiguan::daemon
