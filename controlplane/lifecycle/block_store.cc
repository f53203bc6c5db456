#include "controlplane/lifecycle/block_store.h"

#include <fmt/format.h>
#include <unistd.h>

#include <charconv>
#include <random>
#include <utility>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "controlplane/lifecycle/block_file.h"
#include "controlplane/lifecycle/files.h"
#include "controlplane/policy/message.h"

namespace meiguan::lifecycle {
namespace {

using policy::say;

constexpr std::string_view kFirstWords = "# meiguan-blocks/v1";
constexpr image::UtcOffset kUtc{std::numeric_limits<std::int64_t>::min(), 0, 0};

struct File {
  BlockEntries entries;
  std::uint64_t seed{0};
};

std::uint64_t random_seed() {
  std::random_device random;
  return std::uint64_t{random()} << 32 | random();
}

std::string head(std::uint64_t seed, std::string_view body) {
  return fmt::format("{} seed={:016x} checksum={:016x}\n", kFirstWords, seed,
                     XXH3_64bits_withSeed(body.data(), body.size(), seed));
}

Result<File> read(const std::filesystem::path& path, std::int64_t now) {
  const auto text = read_file(path, kMaxBlockFileBytes);
  if (!text) return std::unexpected{text.error()};
  const auto damaged = [&](const Text& why) {
    return std::unexpected{
        Error{say("{} is damaged: ", "{} 已损坏：", path.string()).english + why.english,
              path.string() + " 已损坏：" + why.chinese}};
  };
  const std::string_view all{*text};
  const std::size_t end = all.find('\n');
  const std::string_view first = all.substr(0, end);
  const std::size_t seed_at = kFirstWords.size() + std::string_view{" seed="}.size();
  File file;
  if (end == all.npos || !first.starts_with(kFirstWords) || first.size() < seed_at + 16) {
    return damaged({"its first line", "首行"});
  }
  const char* const digits = first.data() + seed_at;
  const auto [stop, error] = std::from_chars(digits, digits + 16, file.seed, 16);
  const std::string_view body = all.substr(end + 1);
  if (error != std::errc{} || stop != digits + 16 ||
      head(file.seed, body) != all.substr(0, end + 1)) {
    return damaged({"its checksum", "校验和"});
  }
  BlockDefaults defaults;
  defaults.now = now;
  defaults.offsets = {&kUtc, 1};
  std::size_t ended = 0;
  auto entries = read_block_file(body, path.string(), defaults, ended);
  if (!entries) return damaged(entries.error().front().message);
  BlockChange change;
  file.entries = BlockEntries{}.with(std::move(*entries), change);
  return file;
}

}  // namespace

BlockStore::Loaded BlockStore::load(std::int64_t now) const {
  Loaded loaded;
  std::error_code error;
  const bool there = std::filesystem::exists(file(), error);
  const bool before = std::filesystem::exists(file_before(), error);
  if (!there && !before) {
    loaded.seed = random_seed();
    loaded.fresh = true;
    return loaded;
  }
  if (there) {
    auto good = read(file(), now);
    if (good) {
      loaded.entries = std::move(good->entries);
      loaded.seed = good->seed;
      return loaded;
    }
    loaded.alarms.push_back(good.error().message);
    std::filesystem::copy_file(file(), file().string() + ".damaged",
                               std::filesystem::copy_options::overwrite_existing, error);
  } else {
    loaded.alarms.push_back(say("{} is missing", "{} 不见了", file().string()));
  }
  if (before) {
    auto good = read(file_before(), now);
    if (good) {
      loaded.entries = std::move(good->entries);
      loaded.seed = good->seed;
      loaded.alarms.push_back(
          say("the block list of before the last change is in force, with {} entries",
              "生效的是上次更改之前的封禁名单，共 {} 条", loaded.entries.size()));
      return loaded;
    }
    loaded.alarms.push_back(good.error().message);
  }
  loaded.known = false;
  loaded.seed = random_seed();
  loaded.alarms.push_back(
      {"the block list is not known: the data plane keeps the one that it has; "
       "`meiguan block import FILE` sets a new one",
       "封禁名单不可知：数据面沿用其现有名单；请用 `meiguan block import 文件` "
       "重新设置"});
  return loaded;
}

Result<void> BlockStore::save(const BlockEntries& entries, std::uint64_t seed) const {
  // Another name for what is there, which then loses its own: at no moment is there none.
  const std::string aside = file_before().string() + ".new";
  ::unlink(aside.c_str());
  if (::link(file().c_str(), aside.c_str()) == 0) {
    static_cast<void>(::rename(aside.c_str(), file_before().c_str()));
  }
  const std::string body = write_block_file(entries, {&kUtc, 1});
  return write_atomically(file(), head(seed, body) + body, 0640);
}

}  // namespace meiguan::lifecycle
