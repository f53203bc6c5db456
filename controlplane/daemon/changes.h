#pragma once

// The policy in force and how it changes: one change at a time, each written down as a revision
// before it is in force, and taken back where it had to be confirmed and was not.

#include <condition_variable>
#include <cstdint>
#include <expected>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "controlplane/daemon/link.h"
#include "controlplane/daemon/retry.h"
#include "controlplane/lifecycle/bundle.h"
#include "controlplane/lifecycle/revision_store.h"

namespace meiguan::daemon {

// Why a change was refused. Nothing has changed then.
struct Refusal {
  Text why;
  policy::Diagnostics diagnostics;  // of the policy, where that is it
};

// Who changes the policy, and how.
struct Change {
  lifecycle::Origin origin{lifecycle::Origin::kApply};
  std::string author;
  std::uint32_t uid{0};
  std::string ticket;
  std::string comment;
  std::string signature;
  std::int64_t confirm_seconds{0};  // 0: it need not be confirmed
  bool may_reopen{false};
  // Where no gateway file is named: the text in force, not what its file says by now.
  bool keeps_gateway{false};
};

struct PolicyInForce {
  lifecycle::Revision revision;  // number 0: none could be written down
  std::shared_ptr<const lifecycle::Bundle> bundle;
  std::int64_t since{0};  // when it was put in force by this process
};

struct Applied {
  lifecycle::Revision revision;
  bool published{false};  // else it waits for the data plane
  bool unchanged{false};  // the content was in force already: no new revision
};

// Something that an operator should know while it is so.
struct Alarm {
  std::string name;
  std::string about;
};

class Changes {
 public:
  static constexpr std::int64_t kMostConfirmSeconds = 7 * 86'400;
  using Log = std::function<void(const Text&)>;
  struct Settings {
    std::filesystem::path policy;
    std::filesystem::path gateway;
    std::filesystem::path state_dir;
    // A start takes no revision that says anything else than one of these, which were signed;
    // empty: it takes any.
    std::vector<std::filesystem::path> only{};
    std::string signature{};  // of `policy`
    // A start takes no revision but one that was signed and needs no confirmation any more.
    bool only_signed_before{false};
    std::size_t keep{lifecycle::RevisionStore::kKept};
    // What of a policy cannot be put in force here, asked whenever one is loaded; may be empty.
    std::function<policy::Diagnostics(const lifecycle::Bundle&)> objections{};
    lifecycle::Clock clock{lifecycle::system_instant};
  };

  Changes(Settings settings, Link& link, Log log);
  ~Changes();
  Changes(const Changes&) = delete;
  Changes& operator=(const Changes&) = delete;

  // Is told whenever another policy comes in force; to be set before start().
  using Tell = std::function<void(const std::shared_ptr<const lifecycle::Bundle>&)>;
  void on_change(Tell tell) { tell_ = std::move(tell); }
  // Is told of a revision that came back without anybody who asked for it; likewise.
  using TellReturn = std::function<void(const lifecycle::Revision&)>;
  void on_return(TellReturn tell) { tell_return_ = std::move(tell); }

  // Puts the revision in force that was so before, be it that its time to be confirmed is over; on
  // an appliance without any, the policy of the settings becomes the first one.
  [[nodiscard]] std::expected<Applied, Refusal> start();

  // A content that has the same digest as the one in force is published again.
  [[nodiscard]] std::expected<Applied, Refusal> apply(lifecycle::Content content,
                                                      const Change& change);
  // Reads the files first; empty paths are those of the policy in force.
  [[nodiscard]] std::expected<Applied, Refusal> apply_files(std::filesystem::path policy,
                                                            std::filesystem::path gateway,
                                                            const Change& change);
  [[nodiscard]] std::expected<Applied, Refusal> roll_back(std::uint32_t number, Change change);
  [[nodiscard]] std::expected<lifecycle::Revision, Refusal> confirm(const std::string& author);
  // Back to the revision before the one that waits to be confirmed, at once.
  [[nodiscard]] std::expected<Applied, Refusal> abort(const Change& change);
  // As apply_files() up to the moment where something would change.
  struct DryRun {
    std::string content;   // its digest
    std::string approval;  // of what a second person approves: without a gateway file not named
    std::filesystem::path policy;
    std::filesystem::path gateway;
    std::shared_ptr<const lifecycle::Bundle> bundle;
  };
  [[nodiscard]] std::expected<DryRun, Refusal> dry_run(std::filesystem::path policy,
                                                       std::filesystem::path gateway,
                                                       const std::string& author);

  [[nodiscard]] PolicyInForce in_force() const;
  [[nodiscard]] std::vector<lifecycle::Revision> history() const;
  [[nodiscard]] std::int64_t milliseconds_left(const lifecycle::Revision& revision) const;
  [[nodiscard]] Result<std::pair<lifecycle::Revision, lifecycle::Content>> revision(
      std::uint32_t number) const;
  [[nodiscard]] std::vector<Alarm> alarms() const;

 private:
  // Whoever changes the policy holds this; its author is told to those who come meanwhile.
  class Turn {
   public:
    Turn(Changes& changes, const std::string& author);
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;
    ~Turn();
    [[nodiscard]] bool mine() const { return lock_.owns_lock(); }

   private:
    Changes& changes_;
    std::unique_lock<std::mutex> lock_;
  };
  static constexpr const char* kSelf = "meiguan-controld";
  using Loaded = std::expected<std::shared_ptr<const lifecycle::Bundle>, policy::Diagnostics>;

  [[nodiscard]] std::optional<Refusal> busy(const Turn& turn) const;
  // What waits to be confirmed; mutex_ is held. Null also where it was taken back and only the
  // record of that is missing.
  [[nodiscard]] const lifecycle::Revision* waiting_revision() const;
  [[nodiscard]] std::optional<policy::Catalog> previous_catalog() const;
  [[nodiscard]] Loaded load(const lifecycle::Content& content,
                            lifecycle::DecideAssertions assertions);
  [[nodiscard]] std::expected<lifecycle::Content, Refusal> read(
      std::filesystem::path policy, std::filesystem::path gateway) const;
  // Loads it, and has it packed meanwhile.
  [[nodiscard]] std::expected<Applied, Refusal> load_and_put_in_force(
      const lifecycle::Content& content, const Change& change, std::uint32_t repeats);
  [[nodiscard]] std::expected<Applied, Refusal> put_in_force(
      const lifecycle::Content& content, const lifecycle::Packed& packed,
      std::shared_ptr<const lifecycle::Bundle> bundle, const Change& change, std::uint32_t repeats);
  [[nodiscard]] Result<lifecycle::Revision> write_down(const lifecycle::Content& content,
                                                       const lifecycle::Packed& packed,
                                                       const lifecycle::Bundle& bundle,
                                                       const Change& change, std::uint32_t repeats);
  void hold(const lifecycle::Revision& revision, std::shared_ptr<const lifecycle::Bundle> bundle);
  [[nodiscard]] std::expected<Applied, Refusal> start_kept();
  // Whether it may be started with; see Settings::only and Settings::only_signed_before.
  [[nodiscard]] bool may_start_with(const lifecycle::Revision& revision,
                                    const lifecycle::Content& content) const;
  [[nodiscard]] Result<lifecycle::Content> content_of(const lifecycle::Revision& revision);
  [[nodiscard]] std::expected<Applied, Refusal> go_back(const Change& change);
  [[nodiscard]] Result<bool> put_back(const std::shared_ptr<const lifecycle::Bundle>& bundle,
                                      bool waits);
  void look_at_files();
  // See changes_owed.cc; `now` by the clock that only goes forward.
  void watch();
  void return_overdue(std::int64_t now);
  void record_owed(std::int64_t now);
  void keep_owed(std::int64_t now);
  void tell_problem(const Text& problem);

  Settings settings_;
  Link& link_;
  Log log_;
  Tell tell_;
  TellReturn tell_return_;
  std::mutex turn_;  // one change at a time
  policy::PolicyLoader loader_;
  policy::Compiler compiler_;
  mutable std::mutex mutex_;  // of all that follows
  std::string holder_;        // of turn_
  std::optional<lifecycle::RevisionStore> store_;
  std::optional<Text> no_store_;  // why there is none
  PolicyInForce in_force_;
  bool files_differ_{false};
  struct Owed {
    Change change;
    std::uint32_t repeats{0};
  };
  std::optional<Owed> owed_record_;  // of a return that is in force
  Retry record_again_;
  std::string not_returned_;  // why a revision whose time is over is still in force
  Retry return_again_;
  std::string not_kept_;  // why the confirmed image is not the one to start with
  Retry keep_again_;
  bool stopping_{false};
  std::condition_variable wake_;
  std::thread thread_;
};

}  // namespace meiguan::daemon
