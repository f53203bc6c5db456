// `block add --file` and `block import` under any bytes: a list of mistakes, each with its words in
// both languages, or entries that a list can be made of, and that are read back from its export.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <string>
#include <string_view>

#include "controlplane/lifecycle/block_file.h"

namespace {

using namespace meiguan;

void require(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const image::UtcOffset kClock{std::numeric_limits<std::int64_t>::min(), 8 * 3600, 0};
  lifecycle::BlockDefaults defaults;
  defaults.now = 1'790'000'000;
  defaults.offsets = {&kClock, 1};
  std::size_t ended = 0;
  // reinterpret_cast: bytes as characters.
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  auto read = lifecycle::read_block_file(text, "fuzz.txt", defaults, ended);
  if (!read) {
    require(!read.error().empty());
    for (const auto& wrong : read.error()) {
      require(!wrong.message.english.empty() && !wrong.message.chinese.empty());
    }
    return 0;
  }
  lifecycle::BlockChange change;
  const auto entries = lifecycle::BlockEntries{}.with(std::move(*read), change);
  const auto bytes = entries.image(1);
  if (bytes) {
    const auto list = image::BlockList::open(bytes->span());
    require(list.has_value() && list->records().size() == entries.size());
  }
  const std::string out = lifecycle::write_block_file(entries, defaults.offsets);
  std::size_t none = 0;
  auto again = lifecycle::read_block_file(out, "fuzz.csv", defaults, none);
  require(again.has_value() && none == 0);
  const auto same = lifecycle::BlockEntries{}.with(std::move(*again), change);
  require(lifecycle::write_block_file(same, defaults.offsets) == out);
  return 0;
}
