// Policies in, lints out. Every directory beside this file is a case, named after the lint that it
// shows:
//   policy/ or policy.toml   what is looked at, as of 2026-10-01
//   expected.txt             the lints in English
//   expected.zh.txt          in Chinese
// UPDATE_EXPECT=1 writes the expected files anew; read the difference before you keep it.

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <string>
#include <vector>

#include "controlplane/analysis/lint.h"
#include "controlplane/policy/compile.h"
#include "controlplane/policy/load.h"

namespace meiguan::analysis {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kAt = 1'790'784'000;  // 2026-10-01T00:00+08:00

std::string contents(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::vector<Lint> lints_of(const fs::path& directory) {
  const fs::path single = directory / "policy.toml";
  const fs::path path = fs::exists(single) ? single : directory / "policy";
  const auto checked = policy::load_policy(path);
  if (!checked) {
    for (const auto& error : checked.error()) {
      fmt::print(stderr, "{}", policy::render(error, Language::kEnglish, false));
    }
    return {};
  }
  policy::CompileTrace trace;
  const auto compiled = policy::compile(*checked, nullptr, nullptr, &trace);
  if (!compiled) return {};
  const auto image = image::Image::open(compiled->bytes.span());
  if (!image) return {};
  auto lints = lint(*checked, path, *image, trace, {.at = kAt});
  // As they are in whatever directory the tests lie.
  for (Lint& one : lints) one.diagnostic.path.clear();
  return lints;
}

bool check(const fs::path& expected, const std::string& got, bool update) {
  if (update) {
    std::ofstream(expected, std::ios::binary) << got;
    return true;
  }
  if (contents(expected) == got) return true;
  fmt::print(stderr, "{}: differs; got:\n{}\n", expected.string(), got);
  return false;
}

int run(const fs::path& root) {
  const bool update = std::getenv("UPDATE_EXPECT") != nullptr;
  std::vector<fs::path> cases;
  for (const auto& entry : fs::directory_iterator(root)) {
    if (entry.is_directory()) cases.push_back(entry.path());
  }
  std::sort(cases.begin(), cases.end());
  std::size_t failed = 0;
  std::set<std::string_view> shown;
  for (const fs::path& one : cases) {
    const auto lints = lints_of(one);
    std::string english;
    std::string chinese;
    bool is_shown = false;
    for (const Lint& lint : lints) {
      english += render_lint(lint, Language::kEnglish, false);
      chinese += render_lint(lint, Language::kChinese, false);
      is_shown = is_shown || lint.kind->name == one.filename().string();
      shown.insert(lint.kind->name);
    }
    if (!is_shown) fmt::print(stderr, "{}: the lint is not found\n", one.string());
    const bool same = check(one / "expected.txt", english, update) &&
                      check(one / "expected.zh.txt", chinese, update);
    failed += same && is_shown ? 0 : 1;
  }
  for (const LintKind& kind : lint_kinds()) {
    if (shown.contains(kind.name)) continue;
    fmt::print(stderr, "no case shows {}\n", kind.name);
    ++failed;
  }
  fmt::print("{} cases, {} failed\n", cases.size(), failed);
  return cases.empty() || failed > 0 ? 1 : 0;
}

}  // namespace
}  // namespace meiguan::analysis

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fputs("usage: lint_golden DIRECTORY\n", stderr);
    return 2;
  }
  return meiguan::analysis::run(argv[1]);
}
