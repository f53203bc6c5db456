#pragma once

// The data plane, put together: memory, image, ports, workers, main thread, command channel.

#include <rte_mempool.h>

#include <chrono>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "dataplane/channel/channel.h"
#include "dataplane/fastpath/neighbour_table.h"
#include "dataplane/runtime/channel_server.h"
#include "dataplane/runtime/descriptor.h"
#include "dataplane/runtime/eal.h"
#include "dataplane/runtime/exceptions.h"
#include "dataplane/runtime/failure.h"
#include "dataplane/runtime/first_image.h"
#include "dataplane/runtime/in_force.h"
#include "dataplane/runtime/kernel_routes.h"
#include "dataplane/runtime/options.h"
#include "dataplane/runtime/segments.h"
#include "dataplane/runtime/worker.h"

namespace meiguan::runtime {

class Dataplane {
 public:
  Dataplane(const Options& options, Segments segments);
  ~Dataplane();
  Dataplane(const Dataplane&) = delete;
  Dataplane& operator=(const Dataplane&) = delete;

  // The last good image, else the one of the command line; with neither it waits for one over the
  // channel. Errors: of the image that it was told to start with.
  [[nodiscard]] Outcome<void> start();
  // Serves until a signal says to end.
  void run(int signals);

 private:
  // Puts an image in force: with the first one ports and workers start. An error changes nothing.
  struct Take {
    bool keep{true};         // on disk, to start with
    bool may_reopen{false};  // ports and workers, where the image asks for others
  };
  [[nodiscard]] Outcome<void> take(std::shared_ptr<const LoadedImage> loaded, Take how);
  // Closes ports and workers and opens those of another image; where that fails, those of before.
  [[nodiscard]] Outcome<void> reopen(std::shared_ptr<const LoadedImage> loaded, Take how);
  // Writes the image in force down as the one to start with, where it is not already.
  [[nodiscard]] Result<void> keep(const image::Image& image);
  [[nodiscard]] Outcome<void> open_ports(const image::Image& image);
  [[nodiscard]] Outcome<void> make_rings(unsigned workers);
  [[nodiscard]] Outcome<void> start_workers(unsigned workers,
                                            const fastpath::FragmentOptions& fragments);
  [[nodiscard]] Outcome<std::unique_ptr<InForce>> place(
      std::shared_ptr<const LoadedImage> loaded) const;
  void put_in_force(std::unique_ptr<InForce> next);
  // The last good image, or that of the command line.
  [[nodiscard]] Outcome<void> start_with_image();
  // The last block list. Where it is there and damaged nothing is forwarded until the control plane
  // has sent another: what it blocked is not known.
  void start_with_blocks();
  // Puts a block list in force, and keeps it for the next start before that.
  [[nodiscard]] Outcome<void> take_blocks(std::unique_ptr<LoadedBlocks> loaded);
  // Where schedules or dates of the image have begun or ended: the same image, a new generation.
  void pass_time(std::int64_t wall_seconds);
  // What the kernel teaches of routes, where the image wants that: a change is put in force as the
  // next generation, so that live flows follow it.
  void follow_routes(fastpath::Tick now);
  void close_ports();
  void stop_workers();
  // Asks for the links; closes a port whose interface is gone, and opens it when it is back.
  void watch_links();
  // The kernel's interfaces behind the ports: an alarm while one is not there.
  void watch_taps();
  // Tells the service manager that the process is alive, which is so while each worker goes round.
  void tell_alive(fastpath::Tick now);

  [[nodiscard]] Result<Answer> answer(channel::Message& request);
  [[nodiscard]] Result<Answer> hello() const;
  [[nodiscard]] Result<Answer> publish(channel::Message& request);
  [[nodiscard]] Result<Answer> publish_blocks(channel::Message& request);
  [[nodiscard]] Result<Answer> block_hits(const channel::Message& request) const;
  [[nodiscard]] Result<Answer> status() const;
  [[nodiscard]] Result<Answer> flows(const channel::Message& request);
  [[nodiscard]] Result<Answer> neighbour_list(const channel::Message& request) const;
  [[nodiscard]] Result<Answer> route_list(const channel::Message& request) const;
  [[nodiscard]] channel::RoutesState routes_state() const;
  [[nodiscard]] Result<Answer> trace(const channel::Message& request);
  [[nodiscard]] Result<Answer> keep_in_force();
  [[nodiscard]] Result<Answer> begin_capture(const channel::Message& request);
  [[nodiscard]] Result<Answer> asked_to_end_capture();
  // No thread copies anything any more when it returns.
  void end_capture(channel::CaptureEnd why);
  // Ends a capture that nobody hears, or whose time is over.
  void watch_capture(fastpath::Tick now);
  // Waits until every worker has begun a new round.
  void wait_for_workers();

  Options options_;
  Segments segments_;
  fastpath::Tick started_;
  std::uint64_t kept_{0};  // checksum of image.last; 0: it is not there, or no good
  std::uint32_t alarms_{0};
  std::uint32_t generation_{0};  // the latest
  std::optional<ChannelServer> server_;
  Shared shared_;
  rte_mempool* pool_{};
  std::unique_ptr<InForce> in_force_;
  std::shared_ptr<LoadedBlocks> blocks_;
  bool blocks_lost_{false};  // the last ones are damaged, and none have come since
  std::optional<fastpath::NeighbourTable> neighbours_;
  KernelRoutes kernel_routes_;
  std::unique_ptr<Exceptions> exceptions_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::unique_ptr<Capture> capture_;
  // What every worker must have passed before it is called alive again.
  std::optional<std::uint64_t> asked_of_workers_;
  std::optional<std::chrono::milliseconds> alive_interval_;
  fastpath::Tick next_alive_{0};
};

// The memfd that came with a request, sealed so that nobody can write it any more; `what` names it
// in messages.
[[nodiscard]] Result<Descriptor> sealed_memfd_of(channel::Message& request, const Text& what);

// Main ports of an image as the devices they ask for, in the order of their PortIds.
[[nodiscard]] std::vector<Device::Wanted> wanted_devices(const image::Image& image);

}  // namespace meiguan::runtime
