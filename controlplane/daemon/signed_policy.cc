#include "controlplane/daemon/signed_policy.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <utility>

#include "controlplane/api/protocol.h"
#include "controlplane/lifecycle/digest.h"
#include "controlplane/lifecycle/files.h"
#include "controlplane/lifecycle/revision.h"
#include "controlplane/lifecycle/taken_remains.h"
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

std::unexpected<SignedPolicy::Refused> refuse(Text why) {
  return std::unexpected{SignedPolicy::Refused{std::move(why), {}}};
}

std::expected<std::vector<lifecycle::SignedBundle>, policy::Diagnostics> read_bundles(
    const std::vector<std::string>& files) {
  std::vector<lifecycle::SignedBundle> bundles;
  for (const auto& file : files) {
    const auto bytes = lifecycle::read_regular_file(file, lifecycle::kMaxBundleBytes);
    if (!bytes) return refused(file, bytes.error().message);
    auto bundle = lifecycle::bundle_from_bytes(*bytes);
    if (!bundle) return refused(file, bundle.error().message);
    bundles.push_back(std::move(*bundle));
  }
  return bundles;
}

}  // namespace

SignedPolicy::SignedPolicy(lifecycle::Trust trust, bool two_persons,
                           std::filesystem::path directory)
    : trust_{std::move(trust)},
      two_persons_{two_persons},
      directory_{std::move(directory)},
      approvals_{directory_ / "approvals"} {}

std::expected<SignedPolicy::Offer, policy::Diagnostics> SignedPolicy::read(
    const std::vector<std::string>& files, std::int64_t now) {
  auto bundles = read_bundles(files);
  if (!bundles) return std::unexpected{std::move(bundles.error())};
  return admit(std::move(*bundles), now);
}

std::expected<SignedPolicy::Offer, policy::Diagnostics> SignedPolicy::read_after_damage(
    const std::vector<std::string>& files, std::int64_t now) const {
  auto bundles = read_bundles(files);
  if (!bundles) return std::unexpected{std::move(bundles.error())};
  const auto remains = lifecycle::remains_of(directory_, in_force_);
  if (const auto fit = lifecycle::check_against(*bundles, remains); !fit) {
    return refused(directory_.string(), fit.error().message);
  }
  auto admitted = lifecycle::admit(*bundles, trust_, {}, now);
  if (!admitted) return std::unexpected{std::move(admitted.error())};
  return Offer{std::move(*admitted), std::move(*bundles), true};
}

std::expected<SignedPolicy::Offer, policy::Diagnostics> SignedPolicy::admit(
    std::vector<lifecycle::SignedBundle> bundles, std::int64_t now) {
  Offer offer;
  offer.bundles = std::move(bundles);
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

// What waits lies in a store of its own, which has its bundles and nothing of other nodes.
Result<void> SignedPolicy::done(const Prepared& prepared, bool is_done, bool unchanged) {
  const std::lock_guard lock{mutex_};
  const auto command = api::string_at(prepared.request, "command");
  if (!is_done) {
    if (prepared.waits) drop_waiting();
    return {};
  }
  const auto used = prepared.approved.empty() ? Result<void>{} : approvals_.use(prepared.approved);
  if (command == "confirm") return keep_waiting();
  if (command == "abort") drop_waiting();
  if (!prepared.offer || (prepared.waits && !unchanged)) return used;
  if (prepared.waits) drop_waiting();
  auto kept = keep(*prepared.offer);
  return kept ? used : kept;
}

Result<void> SignedPolicy::check_approved(const std::string& hash, std::uint32_t uid,
                                          std::int64_t now) {
  if (!two_persons_ || approvals_.has(hash, uid, now)) return {};
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

std::expected<SignedPolicy::Prepared, SignedPolicy::Refused> SignedPolicy::prepare(
    const json::object& request, const access::Peer& peer, std::int64_t now) {
  const std::lock_guard lock{mutex_};
  const auto command = api::string_at(request, "command");
  Prepared prepared;
  prepared.request = request;
  prepared.request.erase("signature");  // only what was checked here is one
  if (command != "apply" && command != "reload" && command != "rollback") return prepared;
  const bool with_bundles = request.contains("bundles");
  if (trust_.required && !with_bundles) {
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
  if (with_bundles) return prepare_bundles(std::move(prepared), peer, now);
  if (!two_persons_) return prepared;
  if (command == "rollback") {
    // A revision never changes: its number says which content is meant.
    const auto* const number = request.if_contains("revision");
    prepared.approved = lifecycle::sha256_hex(
        "rollback " + (number != nullptr ? json::serialize(*number) : std::string{}));
    if (auto approved = check_approved(prepared.approved, peer.uid, now); !approved) {
      return refuse(std::move(approved.error().message));
    }
    return prepared;
  }
  auto tree = policy::read_tree(api::string_at(request, "policy"));
  if (!tree) {
    return std::unexpected{
        Refused{{"the policy has errors; the one in force stays", "策略有错误；继续使用现行策略"},
                std::move(tree.error())}};
  }
  return put_aside(std::move(prepared), std::move(*tree), peer, now);
}

std::expected<SignedPolicy::Prepared, SignedPolicy::Refused> SignedPolicy::prepare_bundles(
    Prepared prepared, const access::Peer& peer, std::int64_t now) {
  const auto* const files = prepared.request.if_contains("bundles");
  std::vector<std::string> paths;
  bool all_named = files->is_array();
  for (const auto& file : all_named ? files->get_array() : json::array{}) {
    all_named = all_named && file.is_string();
    if (all_named) paths.emplace_back(file.get_string());
  }
  if (api::string_at(prepared.request, "command") != "apply" || paths.empty() || !all_named) {
    return refuse({"no bundles", "没有策略包"});
  }
  const bool after_damage = api::flag_at(prepared.request, "after_damage");
  prepared.request.erase("after_damage");
  if (after_damage && !record_damaged_) {
    return refuse(
        {"the record of what was taken is whole: apply the bundles without --after-damage",
         "采用记录完好：请不带 --after-damage 应用策略包"});
  }
  if (after_damage && api::number_at(prepared.request, "confirm_seconds") > 0) {
    return refuse({"what comes after damage counts as taken at once: without --confirm",
                   "损坏后的恢复立即记为已采用，不能带 --confirm"});
  }
  auto offer = after_damage ? read_after_damage(paths, now) : read(paths, now);
  if (!offer) {
    return std::unexpected{Refused{{"the bundles are refused; the policy in force stays",
                                    "策略包被拒绝；继续使用现行策略"},
                                   std::move(offer.error())}};
  }
  // Before anything signed is in force, so that its absence is damage afterwards.
  if (const auto taken = store(); taken) {
    if (auto begun = (*taken)->begin(); !begun) return refuse(std::move(begun.error().message));
  }
  prepared.request["signature"] = offer->admitted.signature;
  prepared.request.erase("bundles");
  auto put = put_aside(std::move(prepared), offer->admitted.tree, peer, now);
  if (!put) return put;
  put->waits = api::number_at(put->request, "confirm_seconds") > 0;
  if (put->waits) {
    // Before it is in force, so that a start knows what it may go on with.
    if (waiting_) {
      const auto& who = waiting_->author.empty() ? std::string{"somebody"} : waiting_->author;
      return refuse(
          {fmt::format("signed policy of {} waits to be confirmed: `meiguan confirm` or "
                       "`meiguan abort` first",
                       who),
           fmt::format("{} 的签名策略尚待确认：请先执行 meiguan confirm 或 meiguan abort", who)});
    }
    if (auto written = write_waiting(*offer); !written) {
      return refuse(std::move(written.error().message));
    }
    waiting_ = Waiting{*offer, peer.user};
  }
  put->offer = std::move(*offer);
  return put;
}

std::expected<SignedPolicy::Prepared, SignedPolicy::Refused> SignedPolicy::put_aside(
    Prepared prepared, policy::PolicyTree tree, const access::Peer& peer, std::int64_t now) {
  lifecycle::Content content;
  content.tree = std::move(tree);
  // A gateway file that goes along is approved with the policy.
  if (const auto gateway = api::string_at(prepared.request, "gateway"); !gateway.empty()) {
    auto text = lifecycle::read_regular_file(gateway, policy::kMaxFileBytes);
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
  if (two_persons_) prepared.approved = hash;
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
  const std::lock_guard lock{mutex_};
  return approvals_.add(content, peer.uid, now);
}

}  // namespace meiguan::daemon
