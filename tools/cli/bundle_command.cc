// meiguan policy bundle build | sign | verify | inspect: signed policy, offline.

#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <chrono>
#include <memory>

#include "controlplane/access/appliance.h"
#include "controlplane/lifecycle/files.h"
#include "controlplane/lifecycle/trust.h"
#include "controlplane/policy/load.h"
#include "tools/cli/load.h"
#include "tools/cli/policy_commands.h"
#include "tools/cli/table.h"

namespace meiguan::cli {
namespace {

namespace json = boost::json;

struct BuildOptions {
  std::string directory;
  std::string out;
  std::string node;
  std::string at;
  std::vector<std::string> without;
  std::uint64_t revision{0};
  std::string expires;
  std::string hash{"sha256"};
};

struct BundleOptions {
  std::vector<std::string> files;
  std::string key;
  std::string trust;
};

int refuse(const Context& context, const Text& text, int code = kBadInput) {
  complain(context, text);
  return code;
}

Result<lifecycle::SignedBundle> read_bundle(const std::string& path) {
  const auto bytes = lifecycle::read_file(path, lifecycle::kMaxBundleBytes);
  if (!bytes) return std::unexpected{bytes.error()};
  auto bundle = lifecycle::bundle_from_bytes(*bytes);
  if (bundle) return bundle;
  return fail(path + ": " + bundle.error().message.english,
              path + "：" + bundle.error().message.chinese);
}

bool lies_in(const std::string& path, const std::string& directory) {
  return directory.empty() || path.starts_with(directory + "/");
}

// The files of `options.node` and below, of a whole tree.
std::optional<std::vector<policy::TreeFile>> files_of_tree(const Context& context,
                                                           policy::PolicyTree tree,
                                                           BuildOptions& options) {
  const auto policy = policy::load_tree(tree);
  if (!policy) {
    report(context, policy.error());
    return std::nullopt;
  }
  const auto directory_of = [&](const std::string& code) -> std::optional<std::string> {
    for (const auto& node : policy->nodes) {
      if (node.code != code) continue;
      const auto& file = policy->files[node.place.file];
      const auto slash = file.rfind('/');
      return slash == file.npos ? std::string{} : file.substr(0, slash);
    }
    complain(context, {fmt::format("no node `{}` in {}", code, options.directory),
                       fmt::format("{} 中没有节点 `{}`", options.directory, code)});
    return std::nullopt;
  };
  if (options.node.empty()) options.node = policy->nodes.front().code;
  const auto own = directory_of(options.node);
  if (!own) return std::nullopt;
  std::vector<policy::TreeFile> files;
  for (auto& file : tree.files) {
    if (lies_in(file.path, *own)) files.push_back(std::move(file));
  }
  for (const auto& code : options.without) {
    const auto other = directory_of(code);
    if (!other) return std::nullopt;
    std::erase_if(files, [&](const policy::TreeFile& file) { return lies_in(file.path, *other); });
  }
  return files;
}

int build(const Context& context, BuildOptions options) {
  auto tree = policy::read_tree(options.directory);
  if (!tree) {
    report(context, tree.error());
    return kBadInput;
  }
  if (tree->single_file) {
    return refuse(context, {"a bundle is built of a directory", "策略包由目录生成"});
  }
  lifecycle::Manifest manifest;
  std::optional<std::vector<policy::TreeFile>> files;
  if (options.at.empty()) {
    files = files_of_tree(context, std::move(*tree), options);
  } else if (options.node.empty() || !options.without.empty()) {
    return refuse(context, {"--at goes with --node, and without --without",
                            "--at 须与 --node 同用，不能与 --without 同用"});
  } else {
    files = std::move(tree->files);
    for (auto& file : *files) file.path = options.at + "/" + file.path;
  }
  if (!files) return kBadInput;
  manifest.node = options.node;
  manifest.revision = options.revision;
  manifest.hash = *crypto::hash_kind(options.hash);
  if (!options.expires.empty()) {
    const bool is_date = options.expires.size() == 10;
    manifest.expires = lifecycle::seconds_of_utc(options.expires + (is_date ? "T00:00:00Z" : ""));
    if (!manifest.expires) {
      return refuse(context, {"--expires is a date or a time as 2027-01-01T00:00:00Z",
                              "--expires 应为日期，或 2027-01-01T00:00:00Z 这样的时间"});
    }
  }
  auto bundle = lifecycle::make_bundle(std::move(manifest), std::move(*files));
  if (!bundle) return refuse(context, bundle.error().message);
  if (auto done = lifecycle::write_atomically(options.out,
                                              std::string_view{lifecycle::to_bytes(*bundle)});
      !done) {
    return refuse(context, done.error().message);
  }
  note(context,
       {fmt::format("{}: node {}, revision {}, {} files, not signed yet", options.out,
                    bundle->manifest.node, bundle->manifest.revision, bundle->files.size()),
        fmt::format("{}：节点 {}，第 {} 版，{} 个文件，尚未签名", options.out,
                    bundle->manifest.node, bundle->manifest.revision, bundle->files.size())});
  return kYes;
}

int sign(const Context& context, const BundleOptions& options) {
  const auto key = crypto::PrivateKey::load(options.key);
  if (!key) return refuse(context, key.error().message);
  for (const auto& file : options.files) {
    auto bundle = read_bundle(file);
    if (!bundle) return refuse(context, bundle.error().message);
    auto added = lifecycle::add_signature(*bundle, *key);
    if (added) {
      added = lifecycle::write_atomically(file, std::string_view{lifecycle::to_bytes(*bundle)});
    }
    if (!added) return refuse(context, added.error().message);
    note(context, {fmt::format("{}: signed by {} {}", file, crypto::name_of(key->kind()),
                               key->public_key().id()),
                   fmt::format("{}：已用 {} {} 签名", file, crypto::name_of(key->kind()),
                               key->public_key().id())});
  }
  return kYes;
}

json::object described(const lifecycle::SignedBundle& bundle) {
  json::array signatures;
  for (const auto& signature : bundle.signatures) {
    signatures.push_back(
        json::object{{"kind", crypto::name_of(signature.kind)}, {"key", signature.key}});
  }
  json::array files;
  for (const auto& file : bundle.manifest.files) {
    files.push_back(json::object{{"path", file.path}, {"bytes", file.bytes}, {"hash", file.hash}});
  }
  const auto& manifest = bundle.manifest;
  return {{"id", bundle.id()},
          {"node", manifest.node},
          {"revision", manifest.revision},
          {"expires", manifest.expires ? json::value(lifecycle::utc_text(*manifest.expires))
                                       : json::value(nullptr)},
          {"hash", crypto::name_of(manifest.hash)},
          {"signatures", std::move(signatures)},
          {"files", std::move(files)}};
}

int inspect(const Context& context, const BundleOptions& options) {
  const auto format = context.format({Format::kTable, Format::kJson});
  if (!format) return kBadInput;
  Out out;
  for (const auto& file : options.files) {
    const auto bundle = read_bundle(file);
    if (!bundle) return refuse(context, bundle.error().message);
    if (*format == Format::kJson) {
      json::object object{{"schema", "meiguan.bundle/v1"}, {"file", file}};
      for (auto& [key, value] : described(*bundle)) object.emplace(key, value);
      out.line(json::serialize(object));
      continue;
    }
    out.line(fmt::format("{}\n{} {}", file, context.tr("id", "标识"), bundle->id()));
    for (const auto& signature : bundle->signatures) {
      out.line(fmt::format("{} {} {}", context.tr("signature", "签名"),
                           crypto::name_of(signature.kind), signature.key));
    }
    if (bundle->signatures.empty()) out.line(context.tr("no signature", "没有签名"));
    out.write(bundle->manifest_text);
  }
  return kYes;
}

int verify(const Context& context, const BundleOptions& options) {
  const auto format = context.format({Format::kTable, Format::kJson});
  if (!format) return kBadInput;
  const auto appliance = access::load_appliance(options.trust);
  if (!appliance) {
    report(context, appliance.error());
    return kBadInput;
  }
  std::vector<lifecycle::SignedBundle> bundles;
  for (const auto& file : options.files) {
    auto bundle = read_bundle(file);
    if (!bundle) return refuse(context, bundle.error().message, kNo);
    bundles.push_back(std::move(*bundle));
  }
  const auto now = std::chrono::duration_cast<std::chrono::seconds>(
                       std::chrono::system_clock::now().time_since_epoch())
                       .count();
  std::string by;
  Text why;
  for (const auto& bundle : bundles) {
    const auto names = lifecycle::check_trust(bundle, appliance->trust, now);
    if (!names) {
      why = names.error().message;
      break;
    }
    by += fmt::format("{}{} revision {} by {}", by.empty() ? "" : "; ", bundle.manifest.node,
                      bundle.manifest.revision, *names);
  }
  const bool trusted = why.english.empty();
  if (*format == Format::kJson) {
    json::array described_bundles;
    for (const auto& bundle : bundles) described_bundles.push_back(described(bundle));
    Out out;
    out.line(json::serialize(json::object{{"schema", "meiguan.bundle-verify/v1"},
                                          {"trusted", trusted},
                                          {"signed", by},
                                          {"why", context.tr(why)},
                                          {"bundles", std::move(described_bundles)}}));
  }
  if (!trusted) return refuse(context, why, kNo);
  note(context, {"trusted: " + by, "可信：" + by});
  return kYes;
}

void add_files(CLI::App* command, const Context& context, BundleOptions& options) {
  command->add_option("FILE", options.files, context.tr("bundles", "策略包"))->required();
}

}  // namespace

void add_bundle_command(CLI::App& policy, Context& context, Action& chosen) {
  auto* const bundle = policy.add_subcommand("bundle", context.tr("signed policy for appliances",
                                                                  "供设备使用的签名策略包"));
  bundle->require_subcommand(1);
  auto* const build_command = bundle->add_subcommand("build",
                                                     context.tr("put a node's files into a bundle",
                                                                "把一个节点的文件装入策略包"));
  auto of_build = std::make_shared<BuildOptions>();
  build_command
      ->add_option("DIR", of_build->directory,
                   context.tr("the whole tree; with --at, the node's own directory",
                              "整棵策略树；使用 --at 时为该节点自己的目录"))
      ->required();
  build_command->add_option("-o,--out", of_build->out, context.tr("the bundle", "策略包文件"))
      ->required();
  build_command->add_option("--node", of_build->node,
                            context.tr("the node that signs it; the root by default",
                                       "签署的节点；默认为根"));
  build_command->add_option("--without", of_build->without,
                            context.tr("leave out this node below, which signs its own",
                                       "不含该下级节点（由其自行签署）"));
  build_command->add_option("--at", of_build->at,
                            context.tr("where the node's directory lies in the whole tree",
                                       "节点目录在整棵树中的位置"));
  build_command
      ->add_option("--revision", of_build->revision,
                   context.tr("higher than all before", "须高于以往各版"))
      ->required();
  build_command->add_option("--expires", of_build->expires,
                            context.tr("not to be taken from this date or time (UTC) on",
                                       "自该日期或时刻（UTC）起不再采用"));
  build_command->add_option("--hash", of_build->hash, "sha256, sm3")
      ->check(CLI::IsMember({"sha256", "sm3"}));
  build_command->callback([&context, &chosen, of_build] {
    chosen = [&context, of_build] { return build(context, *of_build); };
  });

  auto options = std::make_shared<BundleOptions>();
  auto* const sign_command = bundle->add_subcommand("sign",
                                                    context.tr("add a signature", "添加签名"));
  add_files(sign_command, context, *options);
  sign_command
      ->add_option("--key", options->key,
                   context.tr("private key, PEM: Ed25519 or SM2", "PEM 私钥：Ed25519 或 SM2"))
      ->required();
  sign_command->callback([&context, &chosen, options] {
    chosen = [&context, options] { return sign(context, *options); };
  });
  auto* const verify_command =
      bundle->add_subcommand("verify",
                             context.tr("whether an appliance would take them", "设备是否会采用"));
  add_files(verify_command, context, *options);
  verify_command
      ->add_option("--trust", options->trust,
                   context.tr("the appliance file, or the directory that holds appliance.toml",
                              "设备文件，或含 appliance.toml 的目录"))
      ->required();
  verify_command->callback([&context, &chosen, options] {
    chosen = [&context, options] { return verify(context, *options); };
  });
  auto* const inspect_command = bundle->add_subcommand("inspect", context.tr("what is in a bundle",
                                                                             "策略包内容"));
  add_files(inspect_command, context, *options);
  inspect_command->callback([&context, &chosen, options] {
    chosen = [&context, options] { return inspect(context, *options); };
  });
  add_bundle_apply_command(*bundle, context, chosen);
}

}  // namespace meiguan::cli
