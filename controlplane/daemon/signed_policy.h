#pragma once

// Policy that others have signed, and approvals by a second person: what the appliance file asks
// for before a policy may be put in force. signed_policy.cc judges what is asked for,
// signed_policy_kept.cc has what lies on disk and what a start makes of it.

#include <boost/json/object.hpp>
#include <cstdint>
#include <expected>
#include <filesystem>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "controlplane/access/appliance.h"
#include "controlplane/access/approvals.h"
#include "controlplane/access/peer.h"
#include "controlplane/lifecycle/revision.h"
#include "controlplane/lifecycle/trust.h"

namespace meiguan::daemon {

class SignedPolicy {
 public:
  // What was taken lies in `directory`, and so does what waits to be confirmed, and what was
  // approved.
  SignedPolicy(lifecycle::Trust trust, bool two_persons, std::filesystem::path directory);

  struct Refused {
    Text why;
    policy::Diagnostics diagnostics;
  };
  // The policy of some bundles, put together with those that were taken last of the other nodes.
  struct Offer {
    lifecycle::Admitted admitted;
    std::vector<lifecycle::SignedBundle> bundles;
    bool after_damage{false};  // they begin the record of what was taken anew
  };
  struct Prepared {
    boost::json::object request;  // to be done in place of what was asked
    std::optional<Offer> offer;
    bool waits{false};     // it counts as taken once it is confirmed
    std::string approved;  // the hash that a second person approved
  };
  // What may become of a request that changes the policy: one for bundles (`bundles`: paths) is
  // made one for the directory that they were unpacked to; what is not signed, or not approved, is
  // refused where the appliance asks for it. What was checked lies in a directory of its own, so
  // that nothing else is put in force.
  [[nodiscard]] std::expected<Prepared, Refused> prepare(const boost::json::object& request,
                                                         const access::Peer& peer,
                                                         std::int64_t now);
  // To be told of every prepared request that was tried: whether it was done, and whether that
  // changed nothing. Errors: an older bundle might be taken once more, or an approval be used
  // twice.
  [[nodiscard]] Result<void> done(const Prepared& prepared, bool is_done, bool unchanged);

  struct Standing {
    std::filesystem::path policy;
    std::string signature;
    std::filesystem::path waiting;  // what waits to be confirmed; may be empty
    // What was taken cannot be read or laid out, and all else here is empty: the last revision that
    // was signed and confirmed may be started with, and nothing else.
    bool unreadable{false};
  };
  // Where the policy of all bundles that were taken last lies unpacked: what to start with. Nothing
  // where signatures are not required, or none was taken yet. Errors: nobody trusted signed them
  // any more.
  [[nodiscard]] std::expected<std::optional<Standing>, Refused> standing(std::int64_t now);
  // After a start, which is in force: what waited was confirmed, waits on, or did not come back;
  // and what was taken is damaged where nothing is known of what was signed.
  // Errors: as done().
  [[nodiscard]] Result<void> settle(const lifecycle::Revision& in_force);
  // What waited was not confirmed in time.
  void returned();

  // What of this should be known; empty: nothing.
  [[nodiscard]] Text problem();
  // What of what was taken is damaged, and what can be done; empty: nothing.
  [[nodiscard]] Text damage();

  // A security administrator approves a content by its hash; see access::Approvals.
  [[nodiscard]] Result<void> approve(const std::string& content, const access::Peer& peer,
                                     std::int64_t now);

 private:
  struct Waiting {
    Offer offer;
    std::string author;  // empty: of before this start
  };

  [[nodiscard]] Result<lifecycle::TakenStore*> store();
  [[nodiscard]] std::expected<Offer, policy::Diagnostics> read(
      const std::vector<std::string>& files, std::int64_t now);
  // The same where the record of what was taken is damaged: they begin it anew.
  [[nodiscard]] std::expected<Offer, policy::Diagnostics> read_after_damage(
      const std::vector<std::string>& files, std::int64_t now) const;
  // Puts them together with what was taken of other nodes.
  [[nodiscard]] std::expected<Offer, policy::Diagnostics> admit(
      std::vector<lifecycle::SignedBundle> bundles, std::int64_t now);
  void damaged_record(const Text& what);
  [[nodiscard]] std::expected<Prepared, Refused> prepare_bundles(Prepared prepared,
                                                                 const access::Peer& peer,
                                                                 std::int64_t now);
  // Has the tree approved, and unpacked to a directory of its own, with its gateway file.
  [[nodiscard]] std::expected<Prepared, Refused> put_aside(Prepared prepared,
                                                           policy::PolicyTree tree,
                                                           const access::Peer& peer,
                                                           std::int64_t now);
  [[nodiscard]] Result<void> keep(const Offer& offer);
  [[nodiscard]] Result<void> keep_waiting();
  [[nodiscard]] Result<void> write_waiting(const Offer& offer) const;
  void read_waiting(std::int64_t now);
  void drop_waiting();
  [[nodiscard]] Result<void> check_approved(const std::string& hash, std::uint32_t uid,
                                            std::int64_t now);
  // Errors: the disk.
  [[nodiscard]] Result<std::filesystem::path> unpack(const policy::PolicyTree& tree,
                                                     const std::string& hash);

  const lifecycle::Trust trust_;
  const bool two_persons_;
  const std::filesystem::path directory_;
  std::mutex mutex_;  // of all that follows
  std::optional<lifecycle::TakenStore> store_;
  access::Approvals approvals_;
  std::optional<Waiting> waiting_;
  Text problem_;  // of what was taken
  Text damage_;   // of the same
  // The record is: which bundles are old cannot be told, and none is taken but by
  // read_after_damage.
  bool record_damaged_{false};
  std::string in_force_;  // the signature of what this start put in force
  std::string unpacked_;  // the hash that was unpacked last
};

}  // namespace meiguan::daemon
