#include "controlplane/policy/load.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <fstream>

#include "controlplane/policy/reporter.h"
#include "controlplane/policy/source.h"

namespace meiguan::policy {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kHead = R"([node]
code = "360000"
name = "x"
tier = "province"
[policy]
schema = 1
[[zone]]
id = "extranet"
kind = "extranet"
)";

// A directory that is gone at the end.
class Scratch {
 public:
  Scratch() : path_{fs::temp_directory_path() / ("meiguan-load-" + std::to_string(::getpid()))} {
    fs::remove_all(path_);
    fs::create_directories(path_);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  ~Scratch() { fs::remove_all(path_); }
  [[nodiscard]] const fs::path& path() const { return path_; }
  void write(const std::string& name, std::string_view text) const {
    fs::create_directories((path_ / name).parent_path());
    std::ofstream(path_ / name, std::ios::binary) << text;
  }

 private:
  fs::path path_;
};

// The English message of the only error.
std::string only_error(const std::expected<CheckedPolicy, Diagnostics>& result) {
  BOOST_REQUIRE(!result.has_value());
  BOOST_TEST(result.error().size() == 1U);
  return result.error().front().message.english;
}

BOOST_AUTO_TEST_CASE(a_policy_in_memory) {
  const auto policy = load_policy_text("memory.toml", kHead);
  BOOST_REQUIRE(policy.has_value());
  BOOST_TEST(policy->files.at(0) == "memory.toml");
  BOOST_TEST(policy->where(policy->zones.at(0).place) == "memory.toml:7");
}

BOOST_AUTO_TEST_CASE(a_file_beyond_the_limit) {
  const Scratch scratch;
  scratch.write("node.toml", kHead);
  // Comments in small groups: the limit of one table is another.
  std::string text;
  const std::string group = "[[group]]\nid = \"000000\"\nmembers = [\"any\"]\n# " +
                            std::string(kMaxFileBytes / 64 - 48, '-') + "\n";
  for (std::size_t i = 0; text.size() + group.size() <= kMaxFileBytes; ++i) {
    std::string one = group;
    const std::string number = std::to_string(100'000 + i);
    text += one.replace(one.find("000000"), 6, number);
  }
  text.resize(kMaxFileBytes, '\n');
  scratch.write("large.toml", text);
  BOOST_TEST(load_policy(scratch.path()).has_value());
  scratch.write("large.toml", text + '\n');
  BOOST_TEST(only_error(load_policy(scratch.path())) ==
             "is larger than 16 MiB, the limit of a file");
}

BOOST_AUTO_TEST_CASE(directories_beyond_the_limit) {
  const Scratch scratch;
  scratch.write("node.toml", kHead);
  std::string path;
  for (std::size_t i = 0; i < kMaxDirectoryDepth; ++i) path += "d/";
  scratch.write(path + "ok.toml", "");
  BOOST_TEST(load_policy(scratch.path()).has_value());
  scratch.write(path + "d/bad.toml", "");
  BOOST_TEST(only_error(load_policy(scratch.path())) == "directories are nested more than 64 deep");
}

// `meiguan apply /`, by mistake: nothing there is read to its end.
BOOST_AUTO_TEST_CASE(entries_beyond_the_limit) {
  const Scratch scratch;
  scratch.write("node.toml", kHead);
  // Whatever they are: hidden, no policy, nothing at all.
  const auto fill = [&](const char* name, std::size_t count) {
    const auto directory = scratch.path() / name;
    fs::create_directories(directory);
    for (std::size_t i = 0; i < count; ++i) {
      const auto entry = directory / ((i % 2 == 0 ? "." : "") + std::to_string(i));
      BOOST_REQUIRE(::symlink("nowhere", entry.c_str()) == 0);
    }
  };
  fill("a", kMaxEntries / 2);
  fill("b", kMaxEntries - kMaxEntries / 2 - 3);  // and node.toml, a, b
  BOOST_TEST(load_policy(scratch.path()).has_value());
  fill("c", 0);
  // What lies behind it would be an error of its own.
  scratch.write("d/rules.toml", "[");
  const auto refused = load_policy(scratch.path());
  BOOST_TEST(only_error(refused) ==
             "the policy's directory holds more than 200000 files and directories");
  const auto& error = refused.error().front();
  BOOST_TEST(error.message.chinese == "策略目录中的文件和目录超过 200000 个");
  BOOST_TEST(!error.hint.english.empty());
  BOOST_TEST(!error.hint.chinese.empty());
}

BOOST_AUTO_TEST_CASE(what_is_no_regular_file) {
  const Scratch scratch;
  scratch.write("node.toml", kHead);
  BOOST_REQUIRE(::mkfifo((scratch.path() / "pipe.toml").c_str(), 0600) == 0);
  BOOST_TEST(only_error(load_policy(scratch.path())) == "is not a regular file");
  fs::remove(scratch.path() / "pipe.toml");
  // The directory itself may be reached by a link, a policy of one file may not.
  const fs::path link = scratch.path() / ".link";
  fs::create_directory_symlink(scratch.path(), link);
  BOOST_TEST(load_policy(link).has_value());
  fs::remove(link);
  fs::create_symlink(scratch.path() / "node.toml", link);
  BOOST_TEST(!load_policy(link).has_value());
  BOOST_TEST(load_policy(scratch.path() / "node.toml").has_value());
}

BOOST_AUTO_TEST_CASE(errors_are_bounded) {
  std::string text(kHead);
  for (int i = 0; i < 20'000; ++i) text += "[[nothing]]\n";
  const auto result = load_policy_text("many.toml", text);
  BOOST_REQUIRE(!result.has_value());
  BOOST_TEST(result.error().size() <= Reporter::kMaxDiagnostics + 1);
}

// Chains, rings and stars that would exhaust a stack or run for hours if walked naively.
BOOST_AUTO_TEST_CASE(hostile_shapes_end_soon) {
  std::string chain(kHead);
  constexpr int kGroups = 100'000;
  for (int i = 0; i < kGroups; ++i) {
    chain += "[[group]]\nid = \"g" + std::to_string(i) + "\"\nmembers = [\"group:g" +
             std::to_string((i + 1) % kGroups) + "\"]\n";
  }
  const auto ring = load_policy_text("ring.toml", chain);
  BOOST_REQUIRE(!ring.has_value());
  BOOST_TEST(ring.error().size() == 1U);

  // The same without its end: of a chain too deep only the first group beyond the limit is told.
  const std::size_t last = chain.rfind("group:g0");
  const auto line = load_policy_text("line.toml", chain.replace(last, 8, "any"));
  BOOST_TEST(only_error(line) == "group `g99967` nests groups 33 deep, 32 at most expected");

  std::string nested(kHead);
  nested += "[[rule]]\nfrom = " + std::string(100'000, '[') + "\n";
  nested += "[[rule]]\n" + std::string(100'000, 'a') + " = 1\n[[rule]]\na";
  for (int i = 0; i < 100'000; ++i) nested += ".a";
  nested += " = 1\n[";
  for (int i = 0; i < 100'000; ++i) nested += "a.";
  nested += "a]\n";
  BOOST_TEST(!load_policy_text("nested.toml", nested).has_value());

  std::string tables(kHead);
  for (int i = 0; i < 100'000; ++i) tables += "[zone.t" + std::to_string(i) + "]\n";
  BOOST_TEST(!load_policy_text("tables.toml", tables).has_value());
}

// Names and remarks are shown on other people's terminals.
BOOST_AUTO_TEST_CASE(control_characters_in_text) {
  struct Case {
    const char* name;
    const char* text;  // as TOML writes it
    bool refused;
  };
  for (const Case& c :
       {Case{"Chinese", "财政局", false}, Case{"a tab", "a\\tb", false},
        Case{"two lines", "a\\nb", true}, Case{"separator", "\\u2028", true},
        Case{"escape", "a\\u001b[2J", true}, Case{"NUL", "a\\u0000b", true},
        Case{"DEL", "\\u007f", true}, Case{"C1", "\\u0080", true},
        Case{"no-break space", "\\u00a0", false}, Case{"override", "\\u202e", true},
        Case{"isolate", "\\u2066", true}, Case{"general punctuation", "\\u2026", false}}) {
    const std::string text = std::string(kHead) + "name = \"" + c.text + "\"\n";
    BOOST_TEST(load_policy_text("node.toml", text).has_value() != c.refused, c.name);
  }
}

// The corners in which toml++ 3.3.0 trips over its own asserts.
BOOST_AUTO_TEST_CASE(text_that_the_parser_cannot_stand) {
  for (const std::string_view text :
       {"[",        "[\n",       "[&",        "[[",     "[[\n",  "[.",      "a.\n",  "a.\n=",
        "= 1",      "\"",        "'",         "[\"",    "a = {", "a = {b.", "a = [", "\\",
        "a = \"\\", "a = \"\\u", "a = 1979-", "a = 0x", "\xff",  "\r"}) {
    const auto result = load_policy_text("broken.toml", text);
    BOOST_REQUIRE(!result.has_value());
    BOOST_TEST(!result.error().empty(), text);
  }
}

// A tree in memory is the tree on disk, node by node and file by file.
BOOST_AUTO_TEST_CASE(a_tree_in_memory_is_the_same) {
  const Scratch scratch;
  const std::string_view kFiles[] = {"node.toml",          "a.toml",         "b/z.toml",
                                     "b/node.toml",        "b/a/x.toml",     "b/a/node.toml",
                                     "b-c/deep/node.toml", "b.d/rules.toml", "z.toml"};
  std::string code = "36";
  for (const auto name : kFiles) {
    scratch.write(std::string{name}, name.ends_with("node.toml")
                                         ? "[node]\ncode = \"" + (code += "0") + "\"\n"
                                         : "# " + std::string{name} + "\n");
  }
  PolicySource walked;
  Reporter walked_says(walked.files);
  read_source(scratch.path(), walked, walked_says);
  PolicyTree tree;
  for (const auto& file : walked.files) tree.files.push_back({file.path, file.text});
  // The order in which files were put down is not theirs.
  std::ranges::reverse(tree.files);
  tree.read_from = scratch.path();
  PolicySource built;
  Reporter built_says(built.files);
  read_source_tree(tree, built, built_says);
  BOOST_TEST(!walked_says.has_errors());
  BOOST_TEST(!built_says.has_errors());
  BOOST_REQUIRE_EQUAL(built.files.size(), walked.files.size());
  for (std::size_t i = 0; i < walked.files.size(); ++i) {
    BOOST_TEST(built.files[i].path == walked.files[i].path);
    BOOST_TEST(built.files[i].text == walked.files[i].text);
    BOOST_TEST(built.files[i].opened == walked.files[i].opened);
  }
  BOOST_REQUIRE_EQUAL(built.nodes.size(), walked.nodes.size());
  for (std::size_t i = 0; i < walked.nodes.size(); ++i) {
    BOOST_TEST((built.nodes[i].parent == walked.nodes[i].parent));
    BOOST_TEST(built.nodes[i].depth == walked.nodes[i].depth);
    BOOST_TEST(built.nodes[i].node_file == walked.nodes[i].node_file);
    BOOST_TEST(built.nodes[i].files == walked.nodes[i].files, boost::test_tools::per_element());
  }
}

BOOST_AUTO_TEST_CASE(paths_that_no_directory_holds) {
  const std::pair<const char*, std::vector<std::string>> kRefused[] = {
      {"absolute", {"/node.toml"}},
      {"upwards", {"a/../node.toml"}},
      {"a dot", {"./node.toml"}},
      {"hidden", {".git/x.toml"}},
      {"empty part", {"a//x.toml"}},
      {"another ending", {"a.txt"}},
      {"empty", {""}},
      {"control character", {"a\n.toml"}},
      {"twice", {"a.toml", "a.toml"}},
      {"below a file", {"a.toml", "a.toml/b.toml"}},
      {"no root", {"a/node.toml"}},
  };
  for (const auto& [name, paths] : kRefused) {
    PolicyTree tree;
    if (std::string_view{name} != "no root")
      tree.files.push_back({"node.toml", std::string{kHead}});
    for (const auto& path : paths) tree.files.push_back({path, ""});
    PolicySource source;
    Reporter reporter(source.files);
    read_source_tree(tree, source, reporter);
    BOOST_TEST(reporter.has_errors(), name);
    BOOST_TEST(!load_tree(tree).has_value(), name);
  }
  PolicyTree good;
  good.files = {{"node.toml", std::string{kHead}}};
  BOOST_TEST(load_tree(good).has_value());
}

}  // namespace
}  // namespace meiguan::policy
