#include "controlplane/daemon/signed_policy.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <utility>

#include "controlplane/api/protocol.h"
#include "controlplane/lifecycle/files.h"
#include "controlplane/lifecycle/revision.h"
#include "controlplane/policy/load.h"

namespace meiguan::daemon {
namespace {

namespace json = boost::json;

std::unexpected<policy::Diagnostics> refused(const std::string& file, const Text& message) {
  policy::Diagnostic diagnostic;
  diagnostic.file = file;
  diagnostic.message = message;
  return std::unexpected{policy::Diagnostics{std::move(diagnostic)}};
}

}  // namespace

SignedPolicy::SignedPolicy(lifecycle::Trust trust, bool two_persons,
                           std::filesystem::path directory)
    : trust_{std::move(trust)}, two_persons_{two_persons}, directory_{std::move(directory)} {}

Result<lifecycle::TakenStore*> SignedPolicy::store() {
  if (!store_) {
    auto opened = lifecycle::TakenStore::open(directory_);
    if (!opened) return std::unexpected{std::move(opened.error())};
    store_.emplace(std::move(*opened));
  }
  return &*store_;
}

std::expected<SignedPolicy::Offer, policy::Diagnostics> SignedPolicy::read(
    const std::vector<std::string>& files, std::int64_t now) {
  Offer offer;
  for (const auto& file : files) {
    const auto bytes = lifecycle::read_file(file, lifecycle::kMaxBundleBytes);
    if (!bytes) return refused(file, bytes.error().message);
    auto bundle = lifecycle::bundle_from_bytes(*bytes);
    if (!bundle) return refused(file, bundle.error().message);
    offer.bundles.push_back(std::move(*bundle));
  }
  const auto taken = store();
  if (!taken) return refused(directory_.string(), taken.error().message);
  auto others = (*taken)->others(offer.bundles);
  if (!others) return refused(directory_.string(), others.error().message);
  // What was taken before is trusted anew: a signer who was struck off since signs nothing more.
  auto together = offer.bundles;
  for (auto& other : *others) {
    other.manifest.expires.reset();  // it was taken in time
    together.push_back(std::move(other));
  }
  auto admitted = lifecycle::admit(together, trust_, (*taken)->taken(), now);
  if (!admitted) return std::unexpected{std::move(admitted.error())};
  offer.admitted = std::move(*admitted);
  return offer;
}

Result<void> SignedPolicy::keep(const Offer& offer) {
  const std::lock_guard lock{mutex_};
  const auto taken = store();
  if (!taken) return std::unexpected{taken.error()};
  return (*taken)->keep(offer.bundles, offer.admitted.taken);
}

Result<void> SignedPolicy::check_approved(const std::string& hash, std::uint32_t uid,
                                          std::int64_t now) {
  if (!two_persons_) return {};
  std::erase_if(approvals_, [&](const Approval& approval) { return approval.until <= now; });
  const bool approved = std::ranges::any_of(approvals_, [&](const Approval& approval) {
    return approval.content == hash && approval.uid != uid;
  });
  if (approved) return {};
  return fail(fmt::format("a second security administrator must approve it first: `meiguan approve "
                          "{}`",
                          hash),
              fmt::format("须先由另一名安全管理员批准：`meiguan approve {}`", hash));
}

Result<std::filesystem::path> SignedPolicy::unpack(const policy::PolicyTree& tree,
                                                   const std::string& hash) {
  const auto offers = directory_ / "unpacked";
  const auto target = offers / hash;
  std::error_code error;
  // The one before may still be what is in force was read from.
  for (std::filesystem::directory_iterator it{offers, error};
       !error && it != std::filesystem::directory_iterator{}; it.increment(error)) {
    const auto name = it->path().filename().string();
    if (unpacked_.empty() || !name.starts_with(unpacked_))
      std::filesystem::remove_all(it->path(), error);
  }
  if (hash != unpacked_) std::filesystem::remove_all(target, error);
  for (const auto& file : tree.files) {
    const auto path = tree.single_file ? target / "node.toml" : target / file.path;
    std::filesystem::create_directories(path.parent_path(), error);
    if (auto written = lifecycle::write_atomically(path, std::string_view{file.text}, 0640);
        !written) {
      return std::unexpected{std::move(written.error())};
    }
  }
  unpacked_ = hash;
  return target;
}

std::expected<std::optional<SignedPolicy::Standing>, SignedPolicy::Refused> SignedPolicy::standing(
    std::int64_t now) {
  const std::lock_guard lock{mutex_};
  if (!trust_.required) return std::nullopt;
  const auto taken = store();
  if (!taken) return std::unexpected{Refused{taken.error().message, {}}};
  if ((*taken)->taken().empty()) return std::nullopt;
  const auto offer = read({}, now);
  if (!offer) {
    return std::unexpected{
        Refused{{"the signed policy that was taken is refused", "此前采用的签名策略被拒绝"},
                offer.error()}};
  }
  lifecycle::Content content;
  content.tree = offer->admitted.tree;
  const auto unpacked = unpack(content.tree, lifecycle::digest_of(content));
  if (!unpacked) return std::unexpected{Refused{unpacked.error().message, {}}};
  return Standing{*unpacked, offer->admitted.signature};
}

std::expected<SignedPolicy::Prepared, SignedPolicy::Refused> SignedPolicy::prepare(
    const json::object& request, const access::Peer& peer, std::int64_t now) {
  const auto refuse = [](Text why) { return std::unexpected{Refused{std::move(why), {}}}; };
  const std::lock_guard lock{mutex_};
  const auto command = api::string_at(request, "command");
  const auto* const files = request.if_contains("bundles");
  Prepared prepared{request, {}};
  prepared.request.erase("signature");  // only what was checked here is one
  if (command != "apply" && command != "reload" && command != "rollback") return prepared;
  if (trust_.required && files == nullptr) {
    return refuse(
        {"this appliance takes signed policy only: `meiguan policy bundle apply FILE...`; "
         "what is older comes back when it is signed anew with a higher revision",
         "本设备只接受签名策略：`meiguan policy bundle apply FILE...`；"
         "旧内容须以更高版本号重新签署"});
  }
  if (command == "reload" && two_persons_) {
    return refuse({"where two persons are needed, `meiguan apply` names what is approved",
                   "需要双人批准时，请用 `meiguan apply` 指明内容"});
  }
  // What is older than what was taken does not come back by itself, so that nothing can wait here.
  if (trust_.required && request.contains("confirm_seconds")) {
    return refuse(
        {"signed policy cannot wait to be confirmed on an appliance that requires it: "
         "leave the time to confirm out",
         "要求签名的设备上，签名策略不能待确认：请去掉确认时限"});
  }
  lifecycle::Content content;
  if (files != nullptr) {
    std::vector<std::string> paths;
    for (const auto& file : files->is_array() ? files->get_array() : json::array{}) {
      if (file.is_string()) paths.emplace_back(file.get_string());
    }
    if (command != "apply" || paths.empty()) return refuse({"no bundles", "没有策略包"});
    auto offer = read(paths, now);
    if (!offer) {
      return std::unexpected{Refused{{"the bundles are refused; the policy in force stays",
                                      "策略包被拒绝；继续使用现行策略"},
                                     std::move(offer.error())}};
    }
    content.tree = offer->admitted.tree;
    prepared.request["signature"] = offer->admitted.signature;
    prepared.offer = std::move(*offer);
    prepared.request.erase("bundles");
  } else if (!two_persons_) {
    return prepared;
  } else if (command == "rollback") {
    // A revision never changes: its number says which content is meant.
    const auto* const number = request.if_contains("revision");
    const auto hash = crypto::hex(
        crypto::hash_of(crypto::HashKind::kSha256,
                        "rollback " +
                            (number != nullptr ? json::serialize(*number) : std::string{})));
    if (auto approved = check_approved(hash, peer.uid, now); !approved) {
      return refuse(std::move(approved.error().message));
    }
    return prepared;
  } else {
    auto tree = policy::read_tree(api::string_at(request, "policy"));
    if (!tree) {
      return std::unexpected{
          Refused{{"the policy has errors; the one in force stays", "策略有错误；继续使用现行策略"},
                  std::move(tree.error())}};
    }
    content.tree = std::move(*tree);
  }
  // A gateway file that goes along is approved with the policy.
  if (const auto gateway = api::string_at(request, "gateway"); !gateway.empty()) {
    auto text = lifecycle::read_file(gateway, policy::kMaxFileBytes);
    if (!text) return refuse(std::move(text.error().message));
    content.gateway = policy::TreeFile{"gateway.toml", std::move(*text)};
  } else if (two_persons_) {
    // What nobody approved does not come in beside what was.
    prepared.request["keeps_gateway"] = true;
  }
  const auto hash = lifecycle::digest_of(content);
  if (auto approved = check_approved(hash, peer.uid, now); !approved) {
    return refuse(std::move(approved.error().message));
  }
  const auto unpacked = unpack(content.tree, hash);
  if (!unpacked) return refuse(unpacked.error().message);
  const auto policy = content.tree.single_file ? *unpacked / "node.toml" : *unpacked;
  prepared.request["policy"] = policy.string();
  if (content.gateway) {
    const auto gateway = directory_ / "unpacked" / (hash + ".gateway.toml");
    if (auto kept = lifecycle::write_atomically(gateway, std::string_view{content.gateway->text},
                                                0640);
        !kept) {
      return refuse(std::move(kept.error().message));
    }
    prepared.request["gateway"] = gateway.string();
  }
  return prepared;
}

Result<void> SignedPolicy::approve(const std::string& content, const access::Peer& peer,
                                   std::int64_t now) {
  if (!crypto::hash_from_hex(content)) {
    return fail("approve takes the 64 digits that a refused change names",
                "approve 后为被拒变更给出的 64 位摘要");
  }
  const std::lock_guard lock{mutex_};
  std::erase_if(approvals_, [&](const Approval& approval) { return approval.until <= now; });
  if (approvals_.size() >= kMostApprovals) {
    return fail("too many approvals wait", "待用的批准过多");
  }
  approvals_.push_back({peer.uid, content, now + kApprovalSeconds});
  return {};
}

}  // namespace meiguan::daemon
