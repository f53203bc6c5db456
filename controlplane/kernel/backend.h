#pragma once

// The kernel in the place of a data plane: keeps the policy in force as its table.

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>

#include "controlplane/host/nft_table.h"
#include "controlplane/lifecycle/bundle.h"
#include "dataplane/base/result.h"
#include "dataplane/image/moment.h"

namespace meiguan::kernel {

class Backend {
 public:
  using Log = std::function<void(const Text&)>;
  // That the table was changed from outside, how, and whether it was put right; for the record.
  using Record = std::function<void(const std::string& changed, bool put_right)>;

  // Looks after its table every so often.
  Backend(Log log, Record record, std::chrono::seconds look_every);
  Backend(const Backend&) = delete;
  Backend& operator=(const Backend&) = delete;

  // In one transaction; live flows are judged again at their next packet. Errors: then the table
  // before stays.
  [[nodiscard]] Result<void> put(std::shared_ptr<const lifecycle::Bundle> bundle);

  // What is wrong with the table, or was within the last day and has been put right; else empty.
  [[nodiscard]] std::string alarm();

 private:
  void run(const std::stop_token& stop);
  [[nodiscard]] Result<void> compile(const lifecycle::Bundle& bundle, std::int64_t now);
  void pass_time(std::int64_t now);
  void look();
  void unguarded(const Error& why);

  const Log log_;
  const Record record_;
  const std::chrono::seconds look_every_;
  std::mutex mutex_;  // of what follows
  std::condition_variable_any wake_;
  std::shared_ptr<const lifecycle::Bundle> bundle_;
  image::Moment moment_;
  host::NftTable table_;
  std::uint32_t generation_;
  std::string trouble_;    // why a time that passed could not be put in force
  std::string unguarded_;  // why the table could not be looked at, or not be put right
  std::string changed_;    // what was wrong with the table last
  std::chrono::steady_clock::time_point changed_at_{};
  std::jthread thread_;
};

// Puts the table that forwards nothing in place, unless a policy stands there already.
[[nodiscard]] Result<void> close_unless_open();

}  // namespace meiguan::kernel
