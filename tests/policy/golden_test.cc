// Policies in, the compiler's words out. Every directory beside this file is a case:
//   policy/ or policy.toml   what is loaded
//   gateway.toml             optional: loaded against it
//   expected.txt             the errors in English, or the objects of a policy without error
//   expected.zh.txt          optional: the errors in Chinese
// UPDATE_EXPECT=1 writes the expected files anew; read the difference before you keep it. A case
// that has nothing to load fails, and its expected files stay as they are.

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include "controlplane/policy/load.h"
#include "tests/policy/dump.h"

namespace meiguan::policy {
namespace {

namespace fs = std::filesystem;

// The one case about a policy that does not exist.
constexpr const char* kNoInputs = "files-missing";

// As it is in whatever directory the tests lie.
std::string rendered(const Diagnostics& errors, Language language) {
  std::string text;
  for (Diagnostic error : errors) {
    error.path.clear();
    text += render(error, language, false);
  }
  return text;
}

std::string result_of(const fs::path& directory, Language language) {
  const fs::path single = directory / "policy.toml";
  const auto policy = load_policy(fs::exists(single) ? single : directory / "policy");
  if (!policy) return rendered(policy.error(), language);
  const fs::path gateway_file = directory / "gateway.toml";
  if (!fs::exists(gateway_file)) return dump(*policy);
  const auto gateway = load_gateway(gateway_file, *policy);
  return gateway ? dump(*gateway, *policy) : rendered(gateway.error(), language);
}

std::string contents(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// The first line that differs, from 1.
std::size_t first_difference(const std::string& want, const std::string& got) {
  const auto [w, g] = std::mismatch(want.begin(), want.end(), got.begin(), got.end());
  return static_cast<std::size_t>(std::count(want.begin(), w, '\n')) + 1;
}

bool check(const fs::path& expected, const std::string& got, bool update) {
  if (update) {
    std::ofstream(expected, std::ios::binary) << got;
    return true;
  }
  const std::string want = contents(expected);
  if (want == got) return true;
  fmt::print(stderr, "{}: differs from line {} on; got:\n{}\n", expected.string(),
             first_difference(want, got), got);
  return false;
}

// Whether what the case loads is there and can be read: "cannot be read" is the right answer only
// where the case says so, by having no input on purpose.
bool has_inputs(const fs::path& directory) {
  std::error_code error;
  bool found = false;
  for (fs::recursive_directory_iterator it(directory, error), end; !error && it != end;
       it.increment(error)) {
    if (it->path().extension() != ".toml" || !it->is_regular_file(error)) continue;
    found = true;
    if (!std::ifstream(it->path(), std::ios::binary)) return false;
  }
  return !error && (found || directory.filename() == kNoInputs);
}

int run(const fs::path& root) {
  const char* const variable = std::getenv("UPDATE_EXPECT");
  const bool update = variable != nullptr && std::string_view{variable} == "1";
  std::vector<fs::path> cases;
  for (const auto& entry : fs::directory_iterator(root)) {
    if (entry.is_directory()) cases.push_back(entry.path());
  }
  std::sort(cases.begin(), cases.end());
  std::size_t failed = 0;
  for (const fs::path& one : cases) {
    if (!has_inputs(one)) {
      fmt::print(stderr, "{}: nothing to load, or it cannot be read\n", one.string());
      ++failed;
      continue;
    }
    bool ok = check(one / "expected.txt", result_of(one, Language::kEnglish), update);
    const fs::path chinese = one / "expected.zh.txt";
    if (fs::exists(chinese)) {
      ok = check(chinese, result_of(one, Language::kChinese), update) && ok;
    }
    failed += ok ? 0 : 1;
  }
  fmt::print("{} cases, {} failed\n", cases.size(), failed);
  return cases.empty() || failed > 0 ? 1 : 0;
}

}  // namespace
}  // namespace meiguan::policy

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fputs("usage: golden_test DIRECTORY\n", stderr);
    return 2;
  }
  return meiguan::policy::run(argv[1]);
}
