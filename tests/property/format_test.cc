// The formatter on the golden cases of tests/policy and on random policies whose white space was
// shaken: what loads loads the same afterwards, and formatting again changes nothing.

#include <fmt/format.h>

#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <fstream>
#include <iterator>

#include "controlplane/policy/format_policy.h"
#include "controlplane/policy/format_toml.h"
#include "controlplane/policy/load.h"
#include "controlplane/policy/toml_tokens.h"
#include "tests/policy/dump.h"
#include "tests/property/random_policy.h"

namespace meiguan::property {
namespace {

namespace fs = std::filesystem;

// Which objects there are, in which order: not on which lines.
std::string objects_of(const policy::CheckedPolicy& policy) {
  std::string text = policy::dump(policy);
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text.compare(i, 6, ".toml:") == 0) {
      i += 6;
      while (i < text.size() && std::isdigit(static_cast<unsigned char>(text[i])) != 0) ++i;
    }
    if (i < text.size()) result += text[i];
  }
  return result;
}

// The same words with other blanks, other breaks where these mean nothing, and comments.
std::string shaken(Random& random, std::string_view text) {
  const auto tokens = policy::scan_toml(text);
  BOOST_REQUIRE(tokens.has_value());
  std::string result;
  std::size_t in_array = 0;
  std::string nesting;
  bool value = false;
  for (const auto& token : *tokens) {
    using Kind = policy::TokenKind;
    // Between a header's two brackets nothing may stand, and a dot of a number is no token.
    const bool bracket = (token.kind == Kind::kOpen || token.kind == Kind::kClose) && !value;
    if (!bracket && token.kind != Kind::kNewline) result.append(below(random, 3), ' ');
    if (token.kind == Kind::kNewline && chance(random, 10)) result += " # 注释 x";
    result += token.text;
    if (token.kind == Kind::kEquals) value = true;
    if (token.kind == Kind::kOpen && value) {
      nesting += token.text;
      if (token.text == "[") ++in_array;
    }
    if (token.kind == Kind::kClose && value) {
      if (nesting.back() == '[') --in_array;
      nesting.pop_back();
    }
    if (token.kind == Kind::kNewline) {
      value = value && !nesting.empty();
      if (chance(random, 10)) result += "\n";
      if (chance(random, 5)) result += "# 一行\n";
    }
    const bool breakable = in_array > 0 && nesting.back() == '[' &&
                           (token.kind == Kind::kComma || token.kind == Kind::kOpen);
    if (breakable && chance(random, 15)) result += chance(random, 50) ? "\n" : " # [\n";
  }
  return result;
}

void check_text(std::string_view name, std::string_view text) {
  const auto once = policy::format_policy_text(name, text);
  if (!once) {
    // Left alone for a reason that the loader has as well.
    BOOST_TEST(!policy::load_policy_text(name, text).has_value(), name << "\n" << text);
    return;
  }
  const auto twice = policy::format_policy_text(name, *once);
  BOOST_REQUIRE(twice.has_value());
  BOOST_TEST(*twice == *once, name << "\n" << text);
  const auto before = policy::load_policy_text(name, text);
  const auto after = policy::load_policy_text(name, *once);
  BOOST_REQUIRE_EQUAL(before.has_value(), after.has_value());
  if (before) {
    BOOST_TEST(objects_of(*before) == objects_of(*after), name << "\n" << text);
  } else {
    BOOST_TEST(before.error().size() == after.error().size(), name << "\n" << text);
  }
}

BOOST_AUTO_TEST_CASE(formatting_the_golden_cases) {
  std::size_t files = 0;
  for (const auto& entry : fs::recursive_directory_iterator(MEIGUAN_GOLDEN)) {
    if (entry.path().extension() != ".toml" || !entry.is_regular_file()) continue;
    std::ifstream file(entry.path(), std::ios::binary);
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    BOOST_TEST_CONTEXT(entry.path().string()) { check_text("p.toml", text); }
    ++files;
  }
  BOOST_TEST(files > 50);
}

BOOST_AUTO_TEST_CASE(formatting_random_policies) {
  const char* const given = std::getenv("MEIGUAN_SEED");
  const std::uint64_t seed = given != nullptr ? std::strtoull(given, nullptr, 0) : 20260801;
  for (std::uint64_t i = 0; i < 200; ++i) {
    Random random{seed + i};
    std::string whole;
    for (const auto& block : random_policy(random).blocks) whole += block.text + "\n";
    const auto plain = policy::format_toml(whole);
    BOOST_REQUIRE(plain.has_value());
    BOOST_TEST_CONTEXT(fmt::format("MEIGUAN_SEED={}", seed + i)) {
      check_text("p.toml", shaken(random, whole));
    }
  }
}

}  // namespace
}  // namespace meiguan::property
