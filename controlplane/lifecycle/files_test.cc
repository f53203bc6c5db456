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

}  // namespace
}  // namespace meiguan::lifecycle
