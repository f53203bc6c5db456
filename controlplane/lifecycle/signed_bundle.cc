#include "controlplane/lifecycle/signed_bundle.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <utility>

#include "controlplane/lifecycle/bundle_paths.h"
#include "controlplane/lifecycle/ustar.h"

namespace meiguan::lifecycle {
namespace {

constexpr std::string_view kManifestName = "manifest";
constexpr std::string_view kSignaturesName = "signatures/";
constexpr std::string_view kFilesName = "files/";
constexpr std::string_view kFirstLine = "meiguan-bundle 1";

std::unexpected<Error> bad_manifest(const char* english, const char* chinese) {
  return fail(std::string{"the manifest: "} + english, std::string{"清单："} + chinese);
}

std::optional<std::uint64_t> number_of(std::string_view text, std::uint64_t most) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size() || number > most) {
    return std::nullopt;
  }
  return number;
}

bool is_code(std::string_view code) {
  return !code.empty() && code.size() <= 32 && std::ranges::all_of(code, [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-';
  });
}

// The next line, which begins with `word` and a space; nothing where it does not.
std::optional<std::string_view> value_of(std::string_view& text, std::string_view word) {
  const auto end = text.find('\n');
  if (end == text.npos) return std::nullopt;
  const auto line = text.substr(0, end);
  if (!line.starts_with(word) || line.size() <= word.size() || line[word.size()] != ' ') {
    return std::nullopt;
  }
  text.remove_prefix(end + 1);
  return line.substr(word.size() + 1);
}

std::optional<ManifestFile> file_of(std::string_view line) {
  const auto hash_end = line.find(' ');
  const auto size_end = hash_end == line.npos ? hash_end : line.find(' ', hash_end + 1);
  if (size_end == line.npos) return std::nullopt;
  const auto hash = line.substr(0, hash_end);
  const auto bytes = number_of(line.substr(hash_end + 1, size_end - hash_end - 1),
                               policy::kMaxFileBytes);
  if (!bytes || !crypto::hash_from_hex(hash)) return std::nullopt;
  return ManifestFile{std::string{line.substr(size_end + 1)}, *bytes, std::string{hash}};
}

Result<void> check(const Manifest& manifest) {
  if (!is_code(manifest.node)) {
    return bad_manifest("`node` is no node's code", "`node` 不是节点代码");
  }
  if (manifest.revision == 0 || manifest.revision > kMaxBundleRevision) {
    return bad_manifest("`revision` is a number from 1 on", "`revision` 应为从 1 起的整数");
  }
  if (manifest.files.empty() || manifest.files.size() > policy::kMaxFiles) {
    return bad_manifest("no files, or too many", "没有文件，或文件过多");
  }
  std::uint64_t total = 0;
  std::vector<std::string_view> paths;
  for (const auto& file : manifest.files) {
    paths.push_back(file.path);
    total += file.bytes;
  }
  if (total > policy::kMaxTreeBytes) return bad_manifest("the files are too large", "文件过大");
  return check_bundle_paths(paths);
}

std::string signature_name(const BundleSignature& signature) {
  return fmt::format("{}{}-{}", kSignaturesName, crypto::name_of(signature.kind), signature.key);
}

Result<BundleSignature> signature_of(const TarReader::Entry& entry) {
  const auto name = std::string_view{entry.name}.substr(kSignaturesName.size());
  const auto dash = name.find('-');
  const auto kind = crypto::key_kind(name.substr(0, dash));
  const auto key = dash == name.npos ? std::string_view{} : name.substr(dash + 1);
  const bool is_id = key.size() == 32 && key.find_first_not_of("0123456789abcdef") == key.npos;
  if (!kind || !is_id || entry.content.empty()) {
    return fail(fmt::format("`signatures/` has an entry that is none"),
                fmt::format("`signatures/` 中有不是签名的条目"));
  }
  return BundleSignature{*kind, std::string{key}, std::string{entry.content}};
}

}  // namespace

std::string utc_text(std::int64_t seconds) {
  using namespace std::chrono;
  const sys_seconds at{std::chrono::seconds{seconds}};
  const auto day = floor<days>(at);
  const year_month_day date{day};
  const hh_mm_ss time{at - day};
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                     time.hours().count(), time.minutes().count(), time.seconds().count());
}

std::optional<std::int64_t> seconds_of_utc(std::string_view text) {
  using namespace std::chrono;
  constexpr std::string_view kForm = "dddd-dd-ddTdd:dd:ddZ";
  if (text.size() != kForm.size()) return std::nullopt;
  for (std::size_t i = 0; i < kForm.size(); ++i) {
    if (kForm[i] == 'd' ? text[i] < '0' || text[i] > '9' : text[i] != kForm[i]) return std::nullopt;
  }
  const auto at = [&](std::size_t from, std::size_t digits) {
    int value = 0;
    for (std::size_t i = from; i < from + digits; ++i) value = value * 10 + (text[i] - '0');
    return value;
  };
  const year_month_day date{year{at(0, 4)}, month{static_cast<unsigned>(at(5, 2))},
                            day{static_cast<unsigned>(at(8, 2))}};
  if (!date.ok() || at(11, 2) > 23 || at(14, 2) > 59 || at(17, 2) > 59) return std::nullopt;
  return sys_days{date}.time_since_epoch().count() * 86'400LL + at(11, 2) * 3600 + at(14, 2) * 60 +
         at(17, 2);
}

std::string SignedBundle::id() const {
  return crypto::hex(crypto::hash_of(crypto::HashKind::kSha256, manifest_text));
}

std::string to_text(const Manifest& manifest) {
  auto text = fmt::format("{}\nnode {}\nrevision {}\nexpires {}\nhash {}\n", kFirstLine,
                          manifest.node, manifest.revision,
                          manifest.expires ? utc_text(*manifest.expires) : "never",
                          crypto::name_of(manifest.hash));
  for (const auto& file : manifest.files) {
    text += fmt::format("file {} {} {}\n", file.hash, file.bytes, file.path);
  }
  return text;
}

Result<Manifest> manifest_from_text(std::string_view text) {
  const auto whole = text;
  if (!text.starts_with(kFirstLine) || text.size() > kMaxManifestBytes) {
    return bad_manifest("does not begin with `meiguan-bundle 1`", "开头不是 `meiguan-bundle 1`");
  }
  text.remove_prefix(std::min(kFirstLine.size() + 1, text.size()));
  const auto node = value_of(text, "node");
  const auto revision = node ? value_of(text, "revision") : std::nullopt;
  const auto expires = revision ? value_of(text, "expires") : std::nullopt;
  const auto hash = expires ? value_of(text, "hash") : std::nullopt;
  if (!hash) {
    return bad_manifest("`node`, `revision`, `expires` and `hash` expected, a line each",
                        "应逐行有 `node`、`revision`、`expires` 和 `hash`");
  }
  Manifest manifest;
  manifest.node = *node;
  manifest.revision = number_of(*revision, kMaxBundleRevision).value_or(0);
  if (*expires != "never") {
    manifest.expires = seconds_of_utc(*expires);
    if (!manifest.expires) {
      return bad_manifest("`expires` is no time", "`expires` 不是时间");
    }
  }
  const auto kind = crypto::hash_kind(*hash);
  if (!kind) return bad_manifest("`hash` is sha256 or sm3", "`hash` 应为 sha256 或 sm3");
  manifest.hash = *kind;
  while (!text.empty()) {
    const auto line = value_of(text, "file");
    auto file = line ? file_of(*line) : std::nullopt;
    if (!file || manifest.files.size() == policy::kMaxFiles) {
      return bad_manifest("a line that is no file, or too many", "有一行不是文件，或文件过多");
    }
    manifest.files.push_back(std::move(*file));
  }
  if (auto good = check(manifest); !good) return std::unexpected{std::move(good.error())};
  // One text for one meaning: what the writer would not write is not read.
  if (to_text(manifest) != whole) {
    return bad_manifest("not written as a bundle writes it", "写法不规范");
  }
  return manifest;
}

Result<SignedBundle> make_bundle(Manifest manifest, std::vector<policy::TreeFile> files) {
  std::ranges::sort(files, {}, &policy::TreeFile::path);
  manifest.files.clear();
  for (const auto& file : files) {
    manifest.files.push_back(
        {file.path, file.text.size(), crypto::hex(crypto::hash_of(manifest.hash, file.text))});
  }
  if (auto good = check(manifest); !good) return std::unexpected{std::move(good.error())};
  auto text = to_text(manifest);
  if (text.size() > kMaxManifestBytes) return bad_manifest("too large", "过大");
  return SignedBundle{std::move(manifest), std::move(text), {}, std::move(files)};
}

Result<void> add_signature(SignedBundle& bundle, const crypto::PrivateKey& key) {
  auto bytes = key.sign(bundle.manifest_text);
  if (!bytes) return std::unexpected{std::move(bytes.error())};
  BundleSignature signature{key.kind(), key.public_key().id(), std::move(*bytes)};
  std::erase_if(bundle.signatures,
                [&](const BundleSignature& old) { return old.key == signature.key; });
  if (bundle.signatures.size() == kMaxSignatures) {
    return fail(fmt::format("a bundle has at most {} signatures", kMaxSignatures),
                fmt::format("一个策略包最多 {} 个签名", kMaxSignatures));
  }
  bundle.signatures.push_back(std::move(signature));
  std::ranges::sort(bundle.signatures, {}, signature_name);
  return {};
}

std::string to_bytes(const SignedBundle& bundle) {
  std::string archive;
  add_tar_entry(archive, kManifestName, bundle.manifest_text);
  for (const auto& signature : bundle.signatures) {
    add_tar_entry(archive, signature_name(signature), signature.bytes);
  }
  for (const auto& file : bundle.files) {
    add_tar_entry(archive, std::string{kFilesName} + file.path, file.text);
  }
  end_tar(archive);
  return archive;
}

Result<SignedBundle> bundle_from_bytes(std::string_view bytes) {
  TarReader reader{bytes};
  auto first = reader.next(kMaxManifestBytes);
  if (!first) return std::unexpected{std::move(first.error())};
  if (first->name != kManifestName) {
    return fail("not a policy bundle: its first entry is not `manifest`",
                "不是策略包：首个条目不是 `manifest`");
  }
  SignedBundle bundle;
  bundle.manifest_text = std::string{first->content};
  auto manifest = manifest_from_text(bundle.manifest_text);
  if (!manifest) return std::unexpected{std::move(manifest.error())};
  bundle.manifest = std::move(*manifest);
  std::string before;
  while (reader.peek_name().starts_with(kSignaturesName)) {
    const auto entry = reader.next(crypto::kMaxSignatureBytes);
    if (!entry) return std::unexpected{entry.error()};
    auto signature = signature_of(*entry);
    if (!signature) return std::unexpected{std::move(signature.error())};
    if (entry->name <= before || bundle.signatures.size() == kMaxSignatures) {
      return fail("signatures that are twice, not ordered or too many", "签名重复、无序或过多");
    }
    before = entry->name;
    bundle.signatures.push_back(std::move(*signature));
  }
  for (const auto& file : bundle.manifest.files) {
    const auto entry = reader.next(file.bytes);
    if (!entry) return std::unexpected{entry.error()};
    if (entry->name != std::string{kFilesName} + file.path || entry->content.size() != file.bytes ||
        crypto::hex(crypto::hash_of(bundle.manifest.hash, entry->content)) != file.hash) {
      return fail(fmt::format("`{}` is not the file that the manifest names", file.path),
                  fmt::format("`{}` 与清单所记的文件不符", file.path));
    }
    bundle.files.push_back({file.path, std::string{entry->content}});
  }
  if (auto ended = reader.end(); !ended) return std::unexpected{std::move(ended.error())};
  return bundle;
}

}  // namespace meiguan::lifecycle
