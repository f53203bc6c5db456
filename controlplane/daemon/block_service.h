#pragma once

// The block list of this gateway: kept on disk, put in force, and what the commands `block …` of
// the local socket say of it.

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "controlplane/api/server.h"
#include "controlplane/daemon/link.h"
#include "controlplane/lifecycle/block_entries.h"
#include "controlplane/lifecycle/block_file.h"
#include "controlplane/lifecycle/block_store.h"
#include "controlplane/lifecycle/bundle.h"

namespace meiguan::daemon {

class BlockService {
 public:
  using Log = std::function<void(const Text&)>;

  BlockService(const std::filesystem::path& state_dir, Link& link, Log log);

  // Reads the list and has it published; at start, before any policy.
  void start();

  // Answers `block-add`, `block-remove`, `block-import`, `block-list`, `block-export`. `bundle` is
  // the policy in force, or null. Safe from several threads.
  [[nodiscard]] boost::json::object answer(const boost::json::object& request,
                                           const api::Peer& peer, const lifecycle::Bundle* bundle);

  // For `status`: what is wrong with the list, and how long it is.
  [[nodiscard]] std::vector<Text> alarms() const;
  [[nodiscard]] std::size_t size() const;

 private:
  struct Request;

  [[nodiscard]] boost::json::object add(const Request& request);
  [[nodiscard]] boost::json::object import(const Request& request);
  [[nodiscard]] boost::json::object remove(const Request& request);
  [[nodiscard]] boost::json::object list(const Request& request);
  // A refusal where nobody knows what the list in force is; `mutex_` is held, as in all below.
  [[nodiscard]] std::optional<boost::json::object> refuse_unknown() const;
  [[nodiscard]] std::optional<boost::json::object> refuse_entries(
      const Request& request, const std::vector<lifecycle::BlockEntry>& entries) const;
  // On disk, then in force, then in memory; where it cannot be, nothing has changed.
  [[nodiscard]] Result<bool> put_in_force(lifecycle::BlockEntries entries);
  [[nodiscard]] boost::json::object changed(const Request& request, lifecycle::BlockEntries next,
                                            lifecycle::BlockChange change);

  lifecycle::BlockStore store_;
  Link& link_;
  Log log_;
  mutable std::mutex mutex_;
  lifecycle::BlockEntries entries_;
  std::uint64_t seed_{0};
  bool known_{true};   // what the list on disk says
  bool fresh_{false};  // there has never been a list on this disk
  std::vector<Text> alarms_;
};

}  // namespace meiguan::daemon
