// What of signed policy lies on disk: what was taken, what waits to be confirmed, and what a start
// makes of both.

#include "controlplane/daemon/signed_policy.h"
#include "controlplane/lifecycle/digest.h"

namespace meiguan::daemon {
namespace {

constexpr const char* kWaiting = "waiting";

// What is damaged, and how it is put right.
Text with_a_way_out(const Text& damage) {
  return {damage.english +
              "; no bundle is taken until `meiguan policy bundle apply --after-damage FILE...` has "
              "the last ones of all nodes",
          damage.chinese +
              "；须用 `meiguan policy bundle apply --after-damage FILE...` 提供各节点最近的策略包，"
              "此前不采用任何策略包"};
}

std::string hash_of(const policy::PolicyTree& tree) {
  lifecycle::Content content;
  content.tree = tree;
  return lifecycle::digest_of(content);
}

}  // namespace

Result<lifecycle::TakenStore*> SignedPolicy::store() {
  if (record_damaged_) return std::unexpected{Error{damage_}};
  if (!store_) {
    auto opened = lifecycle::TakenStore::open(directory_);
    if (!opened) {
      damaged_record(opened.error().message);
      return std::unexpected{Error{damage_}};
    }
    store_.emplace(std::move(*opened));
  }
  return &*store_;
}

void SignedPolicy::damaged_record(const Text& what) {
  store_.reset();
  record_damaged_ = true;
  damage_ = with_a_way_out(what);
}

Result<void> SignedPolicy::keep(const Offer& offer) {
  if (!offer.after_damage && record_damaged_) return std::unexpected{Error{damage_}};
  if (offer.after_damage) store_.emplace(lifecycle::TakenStore::in_place_of(directory_));
  auto kept = store_->keep(offer.bundles, offer.admitted.taken);
  problem_ = kept ? Text{} : kept.error().message;
  if (!kept && offer.after_damage) store_.reset();
  if (!kept) return kept;
  record_damaged_ = false;
  const auto whole = store_->others({});
  damage_ = whole ? Text{} : whole.error().message;
  return kept;
}

Result<void> SignedPolicy::write_waiting(const Offer& offer) const {
  std::error_code error;
  std::filesystem::remove_all(directory_ / kWaiting, error);
  auto store = lifecycle::TakenStore::open(directory_ / kWaiting);
  if (!store) return std::unexpected{store.error()};
  lifecycle::TakenByNode taken;
  for (const auto& bundle : offer.bundles) {
    taken.emplace(bundle.manifest.node, offer.admitted.taken.at(bundle.manifest.node));
  }
  return store->keep(offer.bundles, std::move(taken));
}

void SignedPolicy::read_waiting(std::int64_t now) {
  std::error_code error;
  if (!std::filesystem::exists(directory_ / kWaiting, error)) return;
  const auto store = lifecycle::TakenStore::open(directory_ / kWaiting);
  auto bundles = store
                     ? store->others({})
                     : Result<std::vector<lifecycle::SignedBundle>>{std::unexpected{store.error()}};
  if (!bundles || bundles->empty()) return drop_waiting();  // cut short: it never was in force
  auto at_rest = *bundles;
  for (auto& bundle : at_rest) bundle.manifest.expires.reset();  // it was taken in time
  auto offer = admit(std::move(at_rest), now);
  if (!offer) return drop_waiting();
  offer->bundles = std::move(*bundles);
  waiting_ = Waiting{std::move(*offer), {}};
}

Result<void> SignedPolicy::keep_waiting() {
  if (!waiting_) return {};
  auto kept = keep(waiting_->offer);
  if (kept) drop_waiting();  // else the next start keeps it
  return kept;
}

void SignedPolicy::drop_waiting() {
  waiting_.reset();
  std::error_code error;
  std::filesystem::remove_all(directory_ / kWaiting, error);
}

Result<void> SignedPolicy::settle(const lifecycle::Revision& in_force) {
  const std::lock_guard lock{mutex_};
  in_force_ = in_force.signature;
  // What is signed is in force, and the record that was begun before that is gone.
  if (const auto taken = store(); taken && !in_force_.empty() && !(*taken)->begun()) {
    damaged_record({directory_.string() + " says nothing of what was taken, though revision " +
                        std::to_string(in_force.number) + " was signed",
                    directory_.string() + " 中没有采用记录，而第 " +
                        std::to_string(in_force.number) + " 版曾经签名"});
  }
  if (!waiting_) return {};
  const bool is_it = in_force.deadline &&
                     lifecycle::signature_that_fits(waiting_->offer.admitted.signature) ==
                         in_force.signature;
  if (is_it && in_force.confirmed) return keep_waiting();
  if (!is_it) drop_waiting();
  return {};
}

void SignedPolicy::returned() {
  const std::lock_guard lock{mutex_};
  drop_waiting();
}

Text SignedPolicy::problem() {
  const std::lock_guard lock{mutex_};
  return problem_.english.empty() ? approvals_.problem() : problem_;
}

Text SignedPolicy::damage() {
  const std::lock_guard lock{mutex_};
  return damage_;
}

std::expected<std::optional<SignedPolicy::Standing>, SignedPolicy::Refused> SignedPolicy::standing(
    std::int64_t now) {
  Standing unreadable{{}, {}, {}, true};
  const std::lock_guard lock{mutex_};
  const auto taken = store();
  if (taken) {
    const auto whole = (*taken)->others({});
    if (!whole) damage_ = whole.error().message;
  }
  if (!damage_.english.empty()) {
    drop_waiting();  // it is put together with what was taken
    return trust_.required ? std::optional{unreadable} : std::nullopt;
  }
  read_waiting(now);
  if (!trust_.required || (*taken)->taken().empty()) return std::nullopt;
  const auto offer = read({}, now);
  if (!offer) {
    return std::unexpected{
        Refused{{"the signed policy that was taken is refused", "此前采用的签名策略被拒绝"},
                offer.error()}};
  }
  const auto unpacked = unpack(offer->admitted.tree, hash_of(offer->admitted.tree));
  if (!unpacked) {
    problem_ = unpacked.error().message;
    drop_waiting();
    return unreadable;
  }
  Standing standing{*unpacked, offer->admitted.signature, {}, false};
  if (waiting_) {
    const auto& tree = waiting_->offer.admitted.tree;
    const auto waiting = unpack(tree, hash_of(tree));
    if (!waiting) return std::unexpected{Refused{waiting.error().message, {}}};
    standing.waiting = *waiting;
  }
  return standing;
}

}  // namespace meiguan::daemon
