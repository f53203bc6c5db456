#pragma once

// The kernel's nftables by netlink: batches, which go in force whole or not at all, and dumps.
// Messages of libnftnl and libmnl stay inside this directory.

#include <cstddef>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <vector>

#include "dataplane/base/result.h"

struct mnl_socket;
struct nlmsghdr;

namespace meiguan::host {

// Changes in the order in which they were added, for one transaction.
class Batch {
 public:
  Batch();

  // Writes one message behind its header, which says type, family and flags (NLM_F_CREATE and the
  // like); `build` adds at most kMessageRoom bytes.
  using Build = std::function<void(nlmsghdr&)>;
  void add(std::uint16_t type, std::uint16_t family, std::uint16_t flags, const Build& build);

  static constexpr std::size_t kMessageRoom = std::size_t{192} << 10;

 private:
  friend class Netlink;
  void mark(bool begin);

  std::vector<std::uint8_t> scratch_;
  std::vector<std::uint8_t> bytes_;
  std::uint32_t sequence_{1};
};

// A socket of the network namespace that the process is in.
class Netlink {
 public:
  [[nodiscard]] static Result<Netlink> open();

  // All of `batch`, or an error and nothing; errno as the kernel says it.
  [[nodiscard]] std::expected<void, int> commit(Batch batch);

  // Every message of the answer; errno otherwise. What changed while it was read is read again.
  using Take = std::function<void(const nlmsghdr&)>;
  [[nodiscard]] std::expected<void, int> dump(std::uint16_t type, std::uint16_t family,
                                              const Batch::Build& build, const Take& take,
                                              const std::function<void()>& again);

 private:
  struct Close {
    void operator()(mnl_socket* socket) const noexcept;
  };
  explicit Netlink(mnl_socket* socket) : socket_{socket} {}

  std::unique_ptr<mnl_socket, Close> socket_;
  std::uint32_t sequence_{1};
};

}  // namespace meiguan::host
