#pragma once

// Policy that others have signed, and approvals by a second person: what the appliance file asks
// for before a policy may be put in force.

#include <boost/json/object.hpp>
#include <cstdint>
#include <expected>
#include <filesystem>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "controlplane/access/appliance.h"
#include "controlplane/access/peer.h"
#include "controlplane/lifecycle/trust.h"

namespace meiguan::daemon {

class SignedPolicy {
 public:
  // What was taken lies in `directory`; approvals are forgotten with the process.
  SignedPolicy(lifecycle::Trust trust, bool two_persons, std::filesystem::path directory);

  struct Refused {
    Text why;
    policy::Diagnostics diagnostics;
  };
  // The policy of some bundles, put together with those that were taken last of the other nodes.
  struct Offer {
    lifecycle::Admitted admitted;
    std::vector<lifecycle::SignedBundle> bundles;
  };
  struct Prepared {
    boost::json::object request;  // to be done in place of what was asked
    std::optional<Offer> offer;   // to be kept when it was
  };
  // What may become of a request that changes the policy: one for bundles (`bundles`: paths) is
  // made one for the directory that they were unpacked to; what is not signed, or not approved, is
  // refused where the appliance asks for it. What was checked lies in a directory of its own, so
  // that nothing else is put in force.
  [[nodiscard]] std::expected<Prepared, Refused> prepare(const boost::json::object& request,
                                                         const access::Peer& peer,
                                                         std::int64_t now);
  struct Standing {
    std::filesystem::path policy;
    std::string signature;
  };
  // Where the policy of all bundles that were taken last lies unpacked: what to start with. Nothing
  // where signatures are not required, or none was taken yet. Errors: they are damaged, or nobody
  // trusted signed them any more.
  [[nodiscard]] std::expected<std::optional<Standing>, Refused> standing(std::int64_t now);
  // After it was put in force. Errors: an older bundle might be taken once more.
  [[nodiscard]] Result<void> keep(const Offer& offer);

  // A security administrator approves a content by its hash (64 hexadecimal digits), for one day.
  // Errors: not a hash; too many wait.
  [[nodiscard]] Result<void> approve(const std::string& content, const access::Peer& peer,
                                     std::int64_t now);

 private:
  static constexpr std::int64_t kApprovalSeconds = 86'400;
  static constexpr std::size_t kMostApprovals = 1000;
  struct Approval {
    std::uint32_t uid{0};
    std::string content;
    std::int64_t until{0};  // seconds since 1970
  };

  [[nodiscard]] Result<lifecycle::TakenStore*> store();
  [[nodiscard]] std::expected<Offer, policy::Diagnostics> read(
      const std::vector<std::string>& files, std::int64_t now);
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
  std::vector<Approval> approvals_;
  std::string unpacked_;  // the hash that was unpacked last
};

}  // namespace meiguan::daemon
