#pragma once

// A log's directory and clocks of its own, for the tests of this directory.

#include <sys/wait.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "controlplane/audit/log.h"
#include "controlplane/audit/verify.h"

namespace meiguan::audit {

namespace fs = std::filesystem;

inline std::string bytes_of(const fs::path& path) {
  std::ifstream file{path, std::ios::binary};
  return {std::istreambuf_iterator<char>{file}, {}};
}

inline void put(const fs::path& path, std::string_view bytes) {
  std::ofstream{path, std::ios::binary | std::ios::trunc} << bytes;
}

// A log's directory of its own.
struct Place {
  Place() {
    static int number = 0;
    directory = fs::temp_directory_path() /
                ("meiguan-audit-" + std::to_string(::getpid()) + "-" + std::to_string(++number));
    fs::remove_all(directory);
    settings.directory = directory;
    settings.steady = [this] { return steady; };
  }
  ~Place() { fs::remove_all(directory); }
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;

  std::unique_ptr<Log> log() {
    auto opened = Log::open(settings, key, [this] { return now += 1000; });
    BOOST_REQUIRE(opened.has_value());
    return std::move(*opened);
  }
  void write(int records) {
    const auto open = log();
    for (int i = 0; i < records; ++i) {
      BOOST_REQUIRE(open->append({"wang", 1001, "security", "apply", "done", {{"number", i}}}));
    }
  }
  [[nodiscard]] Verdict verdict() const { return verify_directory(directory).value(); }
  [[nodiscard]] fs::path file(std::uint64_t number) const { return directory / file_name(number); }

  fs::path directory;
  Settings settings;
  std::optional<crypto::PrivateKey> key;
  std::int64_t now{1'795'300'000'000};
  std::int64_t steady{0};
};

// What the verifier that shares no code with ours says: its exit code.
inline int independent(const fs::path& directory) {
  const std::string command = "python3 -B " AUDIT_VERIFY " " + directory.string() +
                              " >/dev/null 2>&1";
  return WEXITSTATUS(std::system(command.c_str()));
}

}  // namespace meiguan::audit
