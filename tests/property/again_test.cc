// Policies compiled again after changes: whatever a Compiler takes over from the policy before, its
// bytes are those of a compile from nothing.

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <optional>

#include "controlplane/policy/compile.h"
#include "tests/property/random_policy.h"

namespace meiguan::property {
namespace {

std::uint64_t from_environment(const char* name, std::uint64_t otherwise) {
  const char* const value = std::getenv(name);
  return value != nullptr ? std::strtoull(value, nullptr, 0) : otherwise;
}

std::filesystem::path scratch() {
  static const auto path = std::filesystem::temp_directory_path() /
                           fmt::format("meiguan-property-again-{}", ::getpid());
  return path;
}

bool replace_word(std::string& text, std::string_view word, std::string_view by) {
  const auto at = text.find(word);
  if (at == std::string::npos) return false;
  text.replace(at, word.size(), by);
  return true;
}

bool is_rule(const Block& block) { return block.text.find("[[rule]]") != std::string::npos; }

// One table says something else, is gone, is there anew, or stands elsewhere.
void change(Random& random, PolicyText& text, std::vector<Block>& gone) {
  const std::size_t i = below(random, text.blocks.size());
  Block& block = text.blocks[i];
  switch (below(random, 5)) {
    case 0:
      if (!replace_word(block.text, "\"allow\"", "\"deny\"")) {
        if (!replace_word(block.text, "\"deny\"", "\"audit\"")) {
          (void)replace_word(block.text, "\"audit\"", "\"allow\"");
        }
      }
      return;
    case 1:
      if (!replace_word(block.text, "\"mandatory\"", "\"baseline\"")) {
        (void)replace_word(block.text, "\"baseline\"", "\"mandatory\"");
      }
      return;
    case 2:
      if (gone.empty()) return;
      text.blocks.insert(text.blocks.begin() + static_cast<std::ptrdiff_t>(i), gone.back());
      gone.pop_back();
      return;
    case 3: {
      const std::size_t j = below(random, text.blocks.size());
      if (is_rule(block) && is_rule(text.blocks[j])) std::swap(block.text, text.blocks[j].text);
      return;
    }
    default:
      if (block.fixed || (!is_rule(block) && !chance(random, 20))) return;
      gone.push_back(block);
      text.blocks.erase(text.blocks.begin() + static_cast<std::ptrdiff_t>(i));
  }
}

bool equal_bytes(const policy::Compiled& a, const policy::Compiled& b) {
  return std::ranges::equal(a.bytes.span(), b.bytes.span());
}

BOOST_AUTO_TEST_CASE(compiling_again_gives_the_bytes_of_compiling_anew) {
  const std::uint64_t seed = from_environment("MEIGUAN_SEED", std::random_device{}());
  const std::uint64_t policies = from_environment("MEIGUAN_AGAIN_POLICIES", 25);
  BOOST_TEST_MESSAGE("seed " << seed);
  Random random{seed};
  std::size_t compiled_again = 0;
  std::size_t took_over = 0;
  for (std::uint64_t n = 0; n < policies; ++n) {
    PolicyText text = random_policy(random);
    if (!text.load_accepted(scratch())) continue;
    policy::Compiler compiler;
    std::optional<policy::Compiled> last;
    std::vector<Block> gone;
    for (int step = 0; step < 12; ++step) {
      const PolicyText before = text;
      // Often one change, and sometimes several at a time.
      for (std::size_t c = chance(random, 75) ? 1 : 3; step > 0 && c > 0; --c) {
        change(random, text, gone);
      }
      const auto policy = text.load(scratch());
      if (!policy) {
        text = before;
        continue;
      }
      const policy::Catalog* const previous = last ? &last->catalog : nullptr;
      auto again = compiler.compile(*policy, nullptr, previous);
      const auto anew = policy::compile(*policy, nullptr, previous);
      BOOST_REQUIRE_EQUAL(again.has_value(), anew.has_value());
      if (!again) break;
      if (last) {
        ++compiled_again;
        took_over += compiler.took_over() ? 1U : 0U;
      }
      BOOST_REQUIRE_MESSAGE(equal_bytes(*again, *anew),
                            "seed " << seed << ", policy " << n << ", step " << step
                                    << (compiler.took_over() ? ", taken over" : "") << ":\n"
                                    << text.show());
      last = std::move(*again);
    }
  }
  std::filesystem::remove_all(scratch());
  BOOST_TEST_MESSAGE(took_over << " of " << compiled_again << " took over");
  BOOST_TEST(3 * took_over > compiled_again);
}

}  // namespace
}  // namespace meiguan::property
