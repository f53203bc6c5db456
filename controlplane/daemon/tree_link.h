#pragma once

// This node's place in the tree of gateways: what it sends to its parent and takes from its
// children, each as far as the appliance file asks for it.

#include <boost/asio/io_context.hpp>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "controlplane/access/appliance.h"
#include "controlplane/policy/catalog.h"
#include "controlplane/report/recorder.h"
#include "controlplane/uplink/receiver.h"
#include "controlplane/uplink/sender.h"
#include "controlplane/uplink/spool.h"
#include "controlplane/web/https_server.h"

namespace meiguan::daemon {

class TreeLink {
 public:
  using Log = std::function<void(const Text&)>;

  // `directory`: of the spool; what is known of the nodes below lies beside it. Errors: files of
  // keys or the spool cannot be had.
  [[nodiscard]] static Result<std::unique_ptr<TreeLink>> make(
      std::optional<access::Uplink> uplink, std::optional<access::Children> children,
      const std::filesystem::path& directory, Log log);
  ~TreeLink();
  TreeLink(const TreeLink&) = delete;
  TreeLink& operator=(const TreeLink&) = delete;

  // Batches that are to go up, before the store has them; nothing happens without a parent.
  [[nodiscard]] Result<void> forward(std::span<const store::Batch> batches);
  // What waits and the store may not have: the machine stopped between the two.
  [[nodiscard]] Result<void> recover(const report::Take& take);
  // Whether records of flows go up, and how many bytes of those below are kept; 0: none.
  [[nodiscard]] bool forwards_flows() const noexcept { return uplink_ && uplink_->flow_records; }
  [[nodiscard]] std::uint64_t flow_bytes_below() const noexcept {
    return children_ ? children_->flow_record_bytes : 0;
  }
  // The tree as the policy in force has it, and this node in it.
  void set_policy(const policy::Catalog& catalog, const std::string& node,
                  const std::string& revision);
  // From now on children are heard and the parent is told.
  [[nodiscard]] Result<void> start(boost::asio::io_context& io, report::Recorder& recorder);
  // On the io_context's thread, or while it does not run; before the recorder goes.
  void stop();

  struct View {
    bool has_parent{false};
    uplink::Sender::Status parent;
    uplink::Spool::Status spool;
    bool has_children{false};
    std::vector<uplink::NodeState> states;
    uplink::ReceiverCounts counts;
  };
  [[nodiscard]] View view() const;

 private:
  TreeLink(std::optional<access::Uplink> uplink, std::optional<access::Children> children, Log log);
  [[nodiscard]] bool belongs(const std::string& child, const std::string& node) const;
  [[nodiscard]] boost::json::object state() const;
  // What goes up of those that came from below.
  [[nodiscard]] Result<void> pass_on(std::span<const store::Batch> batches,
                                     std::span<const std::string> records);
  [[nodiscard]] Result<void> start_children(boost::asio::io_context& io,
                                            report::Recorder& recorder);
  void start_parent();

  std::optional<access::Uplink> uplink_;
  std::optional<access::Children> children_;
  Log log_;
  std::filesystem::path states_file_;
  std::unique_ptr<uplink::Spool> spool_;
  std::shared_ptr<web::HttpsClient> client_;
  mutable std::mutex mutex_;                   // of what follows
  std::map<std::string, std::string> parent_;  // by code; the root's is empty
  std::string node_;
  std::string revision_;
  report::Recorder* recorder_{nullptr};  // from start() to stop()
  std::unique_ptr<uplink::Receiver> receiver_;
  std::unique_ptr<uplink::Sender> sender_;
  std::unique_ptr<web::HttpsServer> server_;
};

}  // namespace meiguan::daemon
