#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "dataplane/base/result.h"
#include "tools/cli/context.h"
#include "tools/cli/out.h"

namespace meiguan::cli {

// Golden text: a line per packet, in input order; lines that begin with # and empty ones are
// comments, which stay in front of their packet's line when the file is written anew.
class Expected {
 public:
  // `missing_is_empty`: a file that is not there has no lines (it is about to be written).
  [[nodiscard]] static Result<Expected> read(const std::string& path, bool missing_is_empty);

  // The next packet's line as it is now.
  void got(std::string line) { got_.push_back(std::move(line)); }

  // Tells what differs as `-` (expected) and `+` (got) lines. An expected word `?` differs from
  // nothing.
  void differences(const std::function<void(std::string)>& tell) const;
  // The same, printed; true when nothing differs.
  [[nodiscard]] bool compare(Out& out) const;
  // Writes what was got, with the comments that were there.
  [[nodiscard]] Result<void> update(const std::string& path) const;

 private:
  struct Line {
    std::string comments;  // lines before it, each with its newline
    std::string text;
  };
  std::vector<Line> expected_;
  std::string last_comments_;
  std::vector<std::string> got_;
};

}  // namespace meiguan::cli
