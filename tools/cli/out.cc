#include "tools/cli/out.h"

#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

#include "tools/cli/context.h"

namespace meiguan::cli {

Out::Out(int descriptor, std::string name, std::size_t buffer_bytes)
    : descriptor_{descriptor}, name_{std::move(name)}, capacity_{buffer_bytes} {
  buffer_.reserve(buffer_bytes);
}

Out::~Out() { flush(); }

void Out::flush() {
  if (buffer_.empty()) return;
  write_through(buffer_);
  buffer_.clear();
}

void Out::write_through(std::string_view text) {
  while (!text.empty()) {
    const auto n = ::write(descriptor_, text.data(), text.size());
    if (n >= 0) {
      text.remove_prefix(static_cast<std::size_t>(n));
      continue;
    }
    if (errno == EINTR) continue;
    // Nobody reads any more: not an error of ours. Nothing is left to be said, so no destructors.
    if (errno == EPIPE) ::_exit(kYes);
    std::fprintf(stderr, "meiguan: error: %s: %s\n", name_.c_str(), std::strerror(errno));
    ::_exit(kBadInput);
  }
}

}  // namespace meiguan::cli
