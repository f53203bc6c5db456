// What was taken of signed policy: `taken` and NODE-ID.bundle in a directory. `taken` alone says
// which bundles count, so that a kill between the two leaves what was before.

#include <fmt/format.h>

#include <charconv>
#include <set>
#include <utility>

#include "controlplane/lifecycle/files.h"
#include "controlplane/lifecycle/trust.h"

namespace meiguan::lifecycle {
namespace {

constexpr std::string_view kName = "taken";
constexpr std::string_view kFirstLine = "meiguan-taken 1\n";
constexpr std::size_t kMaxTakenBytes = std::size_t{1} << 20;

std::string to_text(const TakenByNode& taken) {
  std::string text{kFirstLine};
  for (const auto& [node, last] : taken) {
    text += fmt::format("{} {} {}\n", node, last.revision, last.id);
  }
  return text + crypto::hex(crypto::hash_of(crypto::HashKind::kSha256, text)) + "\n";
}

std::optional<TakenByNode> from_text(std::string_view text) {
  const auto whole = text;
  TakenByNode taken;
  if (!text.starts_with(kFirstLine)) return std::nullopt;
  text.remove_prefix(kFirstLine.size());
  for (auto end = text.find('\n'); end != text.npos; end = text.find('\n')) {
    const auto line = text.substr(0, end);
    text.remove_prefix(end + 1);
    const auto first = line.find(' ');
    if (first == line.npos) break;
    const auto second = line.find(' ', first + 1);
    Taken last;
    const auto* const digits = line.data() + first + 1;
    if (second == line.npos ||
        std::from_chars(digits, line.data() + second, last.revision).ec != std::errc{}) {
      return std::nullopt;
    }
    last.id = line.substr(second + 1);
    taken.emplace(line.substr(0, first), std::move(last));
  }
  // The checksum with it.
  if (to_text(taken) != whole) return std::nullopt;
  return taken;
}

std::string name_of(const std::string& node, const std::string& id) {
  return fmt::format("{}-{}{}", node, id, kBundleExtension);
}

}  // namespace

Result<TakenStore> TakenStore::open(std::filesystem::path directory) {
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  TakenStore store{std::move(directory)};
  const auto path = store.directory_ / kName;
  if (!std::filesystem::exists(path, error) && !error) {
    // Bundles without a record of what was taken: somebody removed it, so that old ones pass again.
    for (std::filesystem::directory_iterator it{store.directory_, error};
         !error && it != std::filesystem::directory_iterator{}; it.increment(error)) {
      if (it->path().extension() == kBundleExtension) {
        return fail(path.string() + " is gone, though bundles were taken",
                    path.string() + " 不在了，但曾采用过策略包");
      }
    }
    return store;
  }
  const auto text = read_file(path, kMaxTakenBytes);
  if (!text) return std::unexpected{text.error()};
  auto taken = from_text(*text);
  if (!taken) {
    return fail(path.string() + " is damaged: which bundles are old cannot be told",
                path.string() + " 已损坏：无法判断策略包新旧");
  }
  store.taken_ = std::move(*taken);
  store.begun_ = true;
  return store;
}

TakenStore TakenStore::in_place_of(std::filesystem::path directory) {
  TakenStore store{std::move(directory)};
  store.begun_ = true;  // what is there stays damaged until a whole record is renamed over it
  return store;
}

Result<void> TakenStore::begin() {
  if (begun_) return {};
  auto begun = write_atomically(directory_ / kName, std::string_view{to_text(TakenByNode{})}, 0640);
  begun_ = begun.has_value();
  return begun;
}

Result<std::vector<SignedBundle>> TakenStore::others(std::span<const SignedBundle> newer) const {
  std::vector<SignedBundle> bundles;
  for (const auto& [node, last] : taken_) {
    bool is_replaced = false;
    for (const auto& bundle : newer) is_replaced = is_replaced || bundle.manifest.node == node;
    if (is_replaced) continue;
    const auto path = directory_ / name_of(node, last.id);
    const auto bytes = read_file(path, kMaxBundleBytes);
    if (!bytes) return std::unexpected{bytes.error()};
    auto bundle = bundle_from_bytes(*bytes);
    if (!bundle || bundle->id() != last.id) {
      return fail(path.string() + " is damaged; apply the bundle of this node again, together",
                  path.string() + " 已损坏；请连同该节点的策略包一起重新应用");
    }
    bundles.push_back(std::move(*bundle));
  }
  return bundles;
}

Result<void> TakenStore::keep(std::span<const SignedBundle> bundles, TakenByNode taken) {
  const auto path = directory_ / kName;
  // Before the first bundle: bundles without a record of what was taken are damage.
  if (auto have = begin(); !have) return have;
  for (const auto& bundle : bundles) {
    if (auto kept = write_atomically(directory_ / name_of(bundle.manifest.node, bundle.id()),
                                     std::string_view{to_bytes(bundle)}, 0640);
        !kept) {
      return kept;
    }
  }
  if (auto kept = write_atomically(path, std::string_view{to_text(taken)}, 0640); !kept) {
    return kept;
  }
  taken_ = std::move(taken);
  remove_others();
  return {};
}

void TakenStore::remove_others() const {
  std::set<std::string> last;
  for (const auto& [node, one] : taken_) last.insert(name_of(node, one.id));
  std::error_code error;
  std::vector<std::filesystem::path> old;
  for (std::filesystem::directory_iterator it{directory_, error};
       !error && it != std::filesystem::directory_iterator{}; it.increment(error)) {
    const auto& path = it->path();
    if (path.extension() == kBundleExtension && !last.contains(path.filename().string())) {
      old.push_back(path);
    }
  }
  for (const auto& path : old) std::filesystem::remove(path, error);
}

}  // namespace meiguan::lifecycle
