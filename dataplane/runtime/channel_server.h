#pragma once

// The data plane's end of the command channel: many clients, none of whom can make it wait. Free
// of DPDK; what is answered is somebody else's business.

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <map>
#include <span>
#include <type_traits>
#include <vector>

#include "dataplane/channel/channel.h"
#include "dataplane/runtime/descriptor.h"
#include "dataplane/runtime/failure.h"

namespace meiguan::runtime {

struct Answer {
  std::vector<std::byte> payload;
  std::vector<int> descriptors;  // lent

  // One more value at the payload's end.
  template <typename T>
  requires std::is_trivially_copyable_v<T>
  void put(const T& value) {
    const auto bytes = std::as_bytes(std::span{&value, 1});
    payload.insert(payload.end(), bytes.begin(), bytes.end());
  }
};

class ChannelServer {
 public:
  using Handler = std::function<Result<Answer>(channel::Message&)>;
  static constexpr std::size_t kMostClients = 64;

  // Listens at `<run_dir>/dataplane.sock` (mode 0660), for this process alone: another data plane
  // of the same directory is an error. The socket goes when this does.
  [[nodiscard]] static Outcome<ChannelServer> listen(const std::filesystem::path& run_dir,
                                                     Handler handler);
  ChannelServer(ChannelServer&& other) noexcept = default;
  ChannelServer& operator=(ChannelServer&&) = delete;
  ChannelServer(const ChannelServer&) = delete;
  ChannelServer& operator=(const ChannelServer&) = delete;
  ~ChannelServer();

  // Becomes readable also when `descriptor` does (a signalfd); `serve` then returns true.
  void watch(int descriptor);
  // Waits at most `most` for requests and answers those that are there.
  bool serve(std::chrono::microseconds most);

 private:
  ChannelServer() = default;
  void accept();
  void answer(int client);

  Descriptor lock_;
  Descriptor listener_;
  Descriptor poll_;
  int watched_{-1};
  std::filesystem::path socket_;
  Handler handler_;
  std::map<int, Descriptor> clients_;
};

}  // namespace meiguan::runtime
