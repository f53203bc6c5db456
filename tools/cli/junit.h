#pragma once

// JUnit's XML, as continuous integration reads it.

#include <string>
#include <string_view>
#include <vector>

#include "tools/cli/out.h"

namespace meiguan::cli {

struct JunitCase {
  std::string group;  // classname: the file, the directory
  std::string name;
  std::vector<std::string> failures;  // none: it passed; the first line of each is its message
  bool error{false};                  // could not be tried; `failures` say why
  double seconds{0};
};

// One <testsuite> called `suite`. Characters that XML 1.0 cannot hold become U+FFFD.
void print_junit(std::string_view suite, const std::vector<JunitCase>& cases, Out& out);

}  // namespace meiguan::cli
