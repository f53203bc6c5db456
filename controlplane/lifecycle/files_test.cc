// What may stand at a path that is written to.

#define BOOST_TEST_MODULE lifecycle
#include "controlplane/lifecycle/files.h"

#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <boost/test/included/unit_test.hpp>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace meiguan::lifecycle {
namespace {

namespace fs = std::filesystem;

std::string read(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>{in}, {}};
}

BOOST_AUTO_TEST_CASE(a_file_is_replaced_and_nothing_else) {
  const fs::path dir = fs::temp_directory_path() / ("meiguan-files-" + std::to_string(::getpid()));
  fs::remove_all(dir);
  fs::create_directories(dir / "directory");
  std::ofstream(dir / "old") << "old";
  fs::create_symlink("old", dir / "link");
  fs::create_symlink("gone", dir / "dangling");

  BOOST_TEST(write_atomically(dir / "new", "new", 0644).has_value());
  BOOST_TEST(read(dir / "new") == "new");
  BOOST_TEST(write_atomically(dir / "link", "through", 0644).has_value());
  BOOST_TEST(fs::is_symlink(dir / "link"));
  BOOST_TEST(read(dir / "old") == "through");
  BOOST_TEST(!write_atomically(dir / "dangling", "x", 0644).has_value());
  BOOST_TEST(fs::is_symlink(dir / "dangling"));
  BOOST_TEST(!write_atomically(dir / "directory", "x", 0644).has_value());
  BOOST_TEST(!write_atomically(dir / "missing" / "x", "x", 0644).has_value());

  // A device stays a device; only root can make one to try it on.
  if (::geteuid() == 0) {
    const fs::path device = dir / "device";
    BOOST_REQUIRE(::mknod(device.c_str(), S_IFCHR | 0666, makedev(1, 3)) == 0);
    BOOST_TEST(write_atomically(device, "x", 0644).has_value());
    BOOST_TEST(fs::is_character_file(device));
  }
  fs::remove_all(dir);
}

// Where nobody writes to the pipe, this test would never end.
BOOST_AUTO_TEST_CASE(only_a_regular_file_is_read_where_somebody_else_names_it) {
  const fs::path dir = fs::temp_directory_path() / ("meiguan-named-" + std::to_string(::getpid()));
  fs::remove_all(dir);
  fs::create_directories(dir);
  std::ofstream(dir / "file") << "text";
  fs::create_symlink("file", dir / "link");
  BOOST_REQUIRE(::mkfifo((dir / "pipe").c_str(), 0600) == 0);
  fs::create_symlink("pipe", dir / "link-to-pipe");

  BOOST_TEST(read_regular_file(dir / "file", 4).value() == "text");
  BOOST_TEST(read_regular_file(dir / "link", 4).value() == "text");
  BOOST_TEST(!read_regular_file(dir / "file", 3).has_value());
  for (const fs::path& other :
       {dir / "pipe", dir / "link-to-pipe", dir, fs::path{"/dev/zero"}, dir / "missing"}) {
    BOOST_TEST(!read_regular_file(other, 4).has_value(), other.string());
  }
  fs::remove_all(dir);
}

}  // namespace
}  // namespace meiguan::lifecycle
