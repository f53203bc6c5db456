#pragma once

// What the files of a tree said when they were read last, so that a file whose text is still the
// same need not be parsed again.

#include <cstdint>
#include <string>
#include <vector>

#include "controlplane/policy/draft.h"
#include "controlplane/policy/source.h"

namespace meiguan::policy {

class ReadCache {
 public:
  // Makes ready for `source`: keeps what is known if the tree has the same files and the same nodes
  // as the one before, for drafts hold numbers of both.
  void prepare(const PolicySource& source);
  // What the file said, or null where it must be read: it is new, has changed, or said something
  // about its node or the whole policy.
  [[nodiscard]] const Draft* find(std::uint32_t file, std::string_view text) const;
  // Keeps what a file said, which had no error.
  void keep(std::uint32_t file, std::string_view text, const Draft& said);
  void clear() { files_.clear(); }

 private:
  struct File {
    std::string path;
    NodeId node;
    bool known{false};
    std::string text;
    Draft said;
  };
  std::vector<File> files_;  // as in PolicySource
};

// Appends the tables of one file to those of the tree; not what it says of its node or of [policy].
void append(const Draft& said, Draft& draft);

}  // namespace meiguan::policy
