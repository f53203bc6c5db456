#pragma once

// The control plane's tie to the data plane: finds it, publishes the policy in force to it, and
// does so again whenever it comes back.

#include <condition_variable>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <thread>
#include <vector>

#include "controlplane/kernel/backend.h"
#include "controlplane/lifecycle/bundle.h"
#include "controlplane/report/collector.h"
#include "dataplane/channel/channel.h"
#include "dataplane/image/block_list.h"
#include "dataplane/image/bytes.h"

namespace meiguan::daemon {

struct DataplaneStatus {
  channel::StatusAnswer answer{};
  std::vector<channel::PortState> ports;
  channel::MachineState machine{};
  channel::RoutesState routes{};
};

class Link {
 public:
  // What a policy is published with; see channel::PublishRequest.
  struct Terms {
    bool provisional{false};  // waits to be confirmed: the data plane does not start with it
    bool may_reopen{false};   // ports, at once; a data plane that comes later always may
  };
  using Log = std::function<void(const Text&)>;

  // `instead`, where it is not null, is what policy is published to: there is no data plane then,
  // and nothing else can be asked.
  Link(std::filesystem::path socket, report::Collector& collector, Log log,
       kernel::Backend* instead = nullptr);
  ~Link();
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;

  // Puts a policy in force: now where the data plane is there, else as soon as it is. Errors: the
  // data plane refuses it; then the policy before stays the one to publish.
  // True: published; false: it waits for the data plane.
  [[nodiscard]] Result<bool> publish(std::shared_ptr<const lifecycle::Bundle> bundle, Terms terms);
  // What was published provisionally is confirmed: the data plane starts with it from now on.
  // Errors: it cannot write it down; it goes on with it all the same.
  [[nodiscard]] Result<void> keep();

  // The same for a block list, which comes before every policy.
  [[nodiscard]] Result<bool> publish_blocks(std::shared_ptr<const image::AlignedBytes> blocks);
  // Whether the data plane has a list though none was published by us.
  [[nodiscard]] bool has_foreign_blocks();
  // What the entries of the list in force have dropped, by their number; nothing where the data
  // plane does not answer or has another list.
  [[nodiscard]] std::optional<std::vector<channel::BlockHit>> block_hits();

  // The answer to Request::kCapture, with its descriptor. Errors: it does not answer, or refuses.
  [[nodiscard]] Result<channel::Message> begin_capture(std::span<const std::byte> request);
  void end_capture();

  // Nothing where the data plane does not answer.
  [[nodiscard]] std::optional<DataplaneStatus> status();
  // The routes in force. Errors: it does not answer, or they change all the time.
  [[nodiscard]] Result<std::vector<channel::RouteState>> routes();
  // At most `limit` live flows of all workers. Errors: it does not answer.
  [[nodiscard]] Result<std::vector<fastpath::Event>> flows(std::size_t limit);
  // Shows every live flow of all workers. Errors as above.
  [[nodiscard]] Result<void> each_flow(const std::function<void(const fastpath::Event&)>& visit);

 private:
  void run();
  void publish_what_waits();
  [[nodiscard]] Result<void> send_blocks();
  // By checksum; nothing where it does not answer.
  [[nodiscard]] std::optional<std::uint64_t> ask_hits(std::vector<channel::BlockHit>* hits);
  void connect();
  [[nodiscard]] Result<void> send(const lifecycle::Bundle& bundle, Terms terms);
  [[nodiscard]] Result<void> ask_to_keep();
  [[nodiscard]] Result<void> catch_up(Terms terms);
  [[nodiscard]] Result<void> walk_flows(const std::function<bool(const fastpath::Event&)>& visit);
  [[nodiscard]] std::optional<DataplaneStatus> ask_status();
  void hang_up(const Error& error);

  std::filesystem::path socket_;
  report::Collector& collector_;
  Log log_;
  kernel::Backend* const instead_;
  std::mutex mutex_;  // of all that follows
  std::condition_variable wake_;
  bool stopping_{false};
  bool told_absent_{false};
  std::optional<channel::Client> client_;
  std::uint32_t workers_{0};
  std::shared_ptr<const lifecycle::Bundle> bundle_;
  bool provisional_{false};
  std::shared_ptr<const lifecycle::Bundle> refused_;  // by this data plane
  bool published_{false};
  std::shared_ptr<const image::AlignedBytes> blocks_;
  std::shared_ptr<const image::AlignedBytes> refused_blocks_;
  bool blocks_published_{false};
  std::thread thread_;
};

}  // namespace meiguan::daemon
